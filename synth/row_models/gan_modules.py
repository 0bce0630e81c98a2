"""Generator and critic in torch: weights as lists of parameters, and what is computed with them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from prefect_synth.synth.encoding.layout import Floats
from prefect_synth.synth.row_models.dense import DenseColumns
from prefect_synth.synth.row_models.gan_network import Generator

HIDDEN = (256, 256)
"""Units of the hidden layers of both networks."""
TEMPERATURE = 0.2
"""Of the Gumbel-softmax: the nearer to 0, the nearer to one-hot (Jang, Gu and Poole 2017)."""
_SLOPE = 0.2
_LEAST_VARIANCE = 1e-5
_NEVER = -1e9
_LEAST_UNIFORM = 1e-20

Tensor = Any


def linear(torch: Any, inputs: int, units: int, generator: Any, device: Any) -> list[Any]:
    """Weights [inputs, units] and biases [units] of a layer."""
    reach = 1 / np.sqrt(max(inputs, 1))
    weight = torch.empty(inputs, units).uniform_(-reach, reach, generator=generator)
    bias = torch.empty(units).uniform_(-reach, reach, generator=generator)
    return [torch.nn.Parameter(weight.to(device)), torch.nn.Parameter(bias.to(device))]


def new_generator(torch: Any, inputs: int, outputs: int, generator: Any, device: Any) -> Any:
    """Parameters of a residual generator: of each hidden layer four, of the head two."""
    parameters: list[Any] = []
    for units in HIDDEN:
        norm = [torch.nn.Parameter(f((units,), device=device)) for f in (torch.ones, torch.zeros)]
        parameters += [*linear(torch, inputs, units, generator, device), *norm]
        inputs += units
    return torch.nn.ParameterList([*parameters, *linear(torch, inputs, outputs, generator, device)])


def new_critic(torch: Any, inputs: int, scores: int, generator: Any, device: Any) -> Any:
    """Parameters of a critic: of each layer two."""
    sizes = (inputs, *HIDDEN, scores)
    layers = [linear(torch, i, units, generator, device) for i, units in pairwise(sizes)]
    return torch.nn.ParameterList([p for layer in layers for p in layer])


def generated(torch: Any, parameters: Sequence[Any], x: Tensor) -> Tensor:
    """What a generator makes of noise with what is given, [b, i]: logits and scalars, [b, W + s].

    Batches are normalised by their own mean and spread (Ioffe and Szegedy 2015).
    """
    for at in range(0, len(parameters) - 2, 4):
        weight, bias, gain, shift = parameters[at : at + 4]
        hidden = torch.nn.functional.batch_norm(
            torch.addmm(bias, x, weight), None, None, gain, shift, True, 0.0, _LEAST_VARIANCE
        )
        x = torch.cat([hidden.relu(), x], 1)
    return torch.addmm(parameters[-1], x, parameters[-2])


def folded(torch: Any, parameters: Sequence[Any], x: Tensor, widths: Sequence[int]) -> Generator:
    """A generator as arrays, with the mean and spread of its units over the inputs `x`, [n, i]."""
    weights, biases = [], []
    for at in range(0, len(parameters) - 2, 4):
        weight, bias, gain, shift = parameters[at : at + 4]
        hidden = torch.addmm(bias, x, weight)  # [n, H]
        scale = gain / (hidden.var(dim=0, unbiased=False) + _LEAST_VARIANCE).sqrt()
        weights.append(_array(weight * scale))
        biases.append(_array((bias - hidden.mean(dim=0)) * scale + shift))
        normal = torch.addmm(torch.as_tensor(biases[-1], device=x.device), x, weight * scale)
        x = torch.cat([normal.relu(), x], 1)
    head = (_array(parameters[-2]), _array(parameters[-1]))
    return Generator((*weights, head[0]), (*biases, head[1]), tuple(widths))


def scored(
    torch: Any, parameters: Sequence[Any], x: Tensor, dropout: float, generator: Any
) -> Tensor:
    """The critic's scores of rows or packs of rows, [b, w] to [b, k]."""
    for at in range(0, len(parameters) - 2, 2):
        x = torch.addmm(parameters[at + 1], x, parameters[at])
        x = torch.nn.functional.leaky_relu(x, _SLOPE)
        if dropout:
            seen = torch.rand(x.shape, generator=generator).to(x.device) >= dropout
            x = x * seen / (1 - dropout)
    return torch.addmm(parameters[-1], x, parameters[-2])


def new_players(
    torch: Any, sizes: tuple[int, int], width: int, scores: int, generator: Any, device: Any
) -> Any:
    """A module of the weights of both: `made` of the generator, `critic`, `average` of `made`.

    Args:
        torch: The module.
        sizes: Inputs of the generator and of the critic.
        width: Length of a flat row.
        scores: Numbers that the critic gives a row.
        generator: Source of the weights.
        device: Where they are.

    Returns:
        A module with a buffer `steps` as well: how many the critic has made.
    """
    module = torch.nn.Module()
    module.made = new_generator(torch, sizes[0], width, generator, device)
    module.critic = new_critic(torch, sizes[1], scores, generator, device)
    copies = [torch.nn.Parameter(p.detach().clone(), False) for p in module.made]
    module.average = torch.nn.ParameterList(copies)
    module.register_buffer("steps", torch.zeros((), dtype=torch.int64))
    return module


class Heads:
    """All softmax blocks of rows as one padded array, [b, d, K].

    Args:
        torch: The module.
        columns: How rows are written.
        device: Where they are.
    """

    def __init__(self, torch: Any, columns: DenseColumns, device: Any) -> None:
        widths, starts = columns.widths, columns.starts
        self.torch, self.logits = torch, int(starts[-1])
        self.starts = torch.as_tensor(starts[:-1], device=device)  # [d]
        scaled = np.zeros((self.logits, len(columns.scalars)), np.float32)
        for at, j in enumerate(columns.scalars):
            scaled[starts[j] + columns.columns[j].first : starts[j + 1], at] = 1
        self.scaled = torch.as_tensor(scaled, device=device)  # modes that a scalar is of, [W, s]
        own = np.arange(max(widths, default=1)) < np.asarray(widths, int)[:, None]  # [d, K]
        into = np.full(own.shape, self.logits)
        into[own] = np.arange(self.logits)
        self.into = torch.as_tensor(into, device=device)  # [d, K]
        self.back = torch.as_tensor(np.flatnonzero(own.ravel()), device=device)

    def padded(self, logits: Tensor) -> Tensor:
        """Logits [b, W] by column, [b, d, K]; what a column does not have never comes."""
        full = self.torch.nn.functional.pad(logits, (0, 1), value=_NEVER)
        return full.index_select(1, self.into.flatten()).view(len(logits), *self.into.shape)

    def flat(self, modes: Tensor, scalars: Tensor) -> Tensor:
        """Rows with one-hot blocks, and zero where a mode has no scalar, [n, W + s]."""
        blocks = self.torch.zeros(len(modes), self.logits, device=self.into.device)
        blocks.scatter_(1, modes + self.starts, 1.0)
        return self.torch.cat([blocks, scalars * (blocks @ self.scaled)], 1)

    def generated(self, raw: Tensor, generator: Any) -> Tensor:
        """Rows with nearly one-hot blocks of what a generator made, [b, W + s]."""
        soft = self.soft(raw[:, : self.logits], generator)
        return self.torch.cat([soft, raw[:, self.logits :].tanh() * (soft @ self.scaled)], 1)

    def drawn(self, raw: Tensor, generator: Any) -> tuple[Tensor, Tensor]:
        """Modes [b, d] and scalars [b, s] of what a generator made."""
        return self.hard(raw[:, : self.logits], generator), raw[:, self.logits :].tanh()

    def one(self, logits: Tensor, column: Tensor) -> Tensor:
        """Logits of one column of each row, [b, K]; what it does not have never comes."""
        full = self.torch.nn.functional.pad(logits, (0, 1), value=_NEVER)
        return full.gather(1, self.into[column])

    def soft(self, logits: Tensor, generator: Any) -> Tensor:
        """Nearly one-hot draws by logits, [b, W]."""
        soft = self.padded((logits + self._gumbel(logits, generator)) / TEMPERATURE).softmax(2)
        return soft.flatten(1).index_select(1, self.back)

    def hard(self, logits: Tensor, generator: Any) -> Tensor:
        """Modes drawn by logits, [b, d]."""
        return self.padded(logits + self._gumbel(logits, generator)).argmax(2)

    def _gumbel(self, logits: Tensor, generator: Any) -> Tensor:
        """Gumbel noise, [b, W]: the greatest of sums with it is drawn by softmax."""
        uniform = self.torch.rand(logits.shape, generator=generator).clamp_(min=_LEAST_UNIFORM)
        return uniform.log_().neg_().log_().neg_().to(logits.device)


def _array(tensor: Any) -> Floats:
    """A copy, as the optimiser writes in place."""
    return np.array(tensor.detach().cpu().numpy(), np.float32)
