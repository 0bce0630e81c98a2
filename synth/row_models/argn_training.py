"""Training of the autoregressive network: the only place that needs torch."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from prefect_synth.synth.encoding.layout import Floats, Ints
from prefect_synth.synth.errors import MissingTorchError
from prefect_synth.synth.row_models.argn_network import Network, Shape
from prefect_synth.synth.row_models.threads import one_torch_thread

_DECAY = 0.01
_SMALLEST_BATCH = 32


@dataclass(frozen=True)
class Training:
    """How a network is trained.

    Args:
        epochs: Passes over the data at most.
        batch: Rows in a step at most.
        steps: Steps in an epoch at least, for which small tables take smaller batches.
        rate: First learning rate of AdamW (Loshchilov and Hutter 2019).
        patience: Epochs without an improvement after which training stops; each halves the rate.
        dropout: Share of context columns that a row does not see in a step.
    """

    epochs: int = 40
    batch: int = 512
    steps: int = 32
    rate: float = 3e-3
    patience: int = 3
    dropout: float = 0.15


def load_torch() -> ModuleType:
    """The torch module.

    Raises:
        MissingTorchError: It is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingTorchError() from error
    return torch


def train(
    codes: Ints,
    shape: Shape,
    tables: list[Floats],
    shares: list[Floats],
    splits: list[Ints],
    settings: Training,
    rng: np.random.Generator,
) -> Network:
    """Fit a network by maximum likelihood.

    Args:
        codes: Context and row columns in the network's order, [n, c + d].
        shape: Sizes.
        tables: First embedding of each column, [K, e] each.
        shares: Shares of the codes of each predicted column; the bias starts at their logs.
        splits: Rows of the training set, then of each validation set. Training stops when any
            validation set no longer improves.
        settings: How to train.
        rng: Source of initial weights, order of rows and dropout.
    """
    torch = load_torch()
    with one_torch_thread(torch):
        return _Trainer(torch, codes, shape, tables, shares, settings, rng).run(splits)


class _Trainer:
    def __init__(
        self,
        torch: Any,
        codes: Ints,
        shape: Shape,
        tables: list[Floats],
        shares: list[Floats],
        settings: Training,
        rng: np.random.Generator,
    ) -> None:
        self.torch, self.shape, self.settings, self.rng = torch, shape, settings, rng
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.codes = torch.as_tensor(codes, dtype=torch.int64, device=self.device)
        self.generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        self.tables = [self._parameter(t) for t in tables]
        width, hidden = sum(shape.embedded), sum(shape.hidden)
        seen = np.repeat(shape.inputs, shape.hidden)  # dimensions that each hidden unit may see
        mask = np.arange(width)[:, None] < seen
        scale = np.sqrt(2 / np.maximum(seen, 1))
        self.mask = torch.as_tensor(mask, dtype=torch.float32, device=self.device)
        self.weights = self._parameter(rng.standard_normal((width, hidden)) * scale * mask)
        self.biases = self._parameter(np.zeros(hidden))
        self.heads = [
            self._parameter(rng.standard_normal((h, len(s))) * 0.5 / np.sqrt(h))
            for h, s in zip(shape.hidden, shares, strict=True)
        ]
        self.marginals = [self._parameter(np.log(s)) for s in shares]

    def run(self, splits: list[Ints]) -> Network:
        """Train, and return the network of the best epoch."""
        training, *validation = splits
        optimiser = self.torch.optim.AdamW(
            self._parameters(), lr=self.settings.rate, weight_decay=_DECAY
        )
        best, kept, waited = self._losses(validation), self._network(), 0
        for _ in range(self.settings.epochs if validation else 0):
            self._epoch(optimiser, self.rng.permutation(training))
            losses = self._losses(validation)
            if all(now < before for now, before in zip(losses, best, strict=True)):
                best, kept, waited = losses, self._network(), 0
                continue
            waited += 1
            if waited == self.settings.patience:
                break
            for group in optimiser.param_groups:
                group["lr"] /= 2
        return kept

    def _epoch(self, optimiser: Any, rows: Ints) -> None:
        order = self.torch.as_tensor(rows, device=self.device)
        size = min(self.settings.batch, max(len(rows) // self.settings.steps, _SMALLEST_BATCH))
        for batch in self.torch.split(order, size):
            optimiser.zero_grad(set_to_none=True)
            self._loss(self.codes[batch], dropout=True).backward()
            optimiser.step()

    def _losses(self, validation: list[Ints]) -> list[float]:
        """Mean negative log likelihood of a row of each validation set."""
        with self.torch.no_grad():
            return [self._validation_loss(rows) for rows in validation]

    def _validation_loss(self, rows: Ints) -> float:
        parts = self.torch.split(self.torch.as_tensor(rows, device=self.device), 4096)
        total = sum(self._loss(self.codes[p], dropout=False).item() * len(p) for p in parts)
        return float(total) / len(rows)

    def _loss(self, codes: Any, *, dropout: bool) -> Any:
        functional = self.torch.nn.functional
        columns = codes.unbind(1)
        embedded = [functional.embedding(c, t) for c, t in zip(columns, self.tables, strict=True)]
        if dropout:
            embedded = self._dropped(embedded)
        hidden = self.torch.addmm(
            self.biases, self.torch.cat(embedded, 1), self.weights * self.mask
        ).relu()
        parts = self.torch.split(hidden, self.shape.hidden, 1)
        own = columns[self.shape.contexts :]
        return sum(
            functional.cross_entropy(self.torch.addmm(m, part, head), target)
            for part, head, m, target in zip(parts, self.heads, self.marginals, own, strict=True)
        )

    def _dropped(self, embedded: list[Any]) -> list[Any]:
        """Context columns that a row does not see are zero (Srivastava et al. 2014)."""
        contexts = self.shape.contexts
        if not contexts:
            return embedded
        keep = 1 - self.settings.dropout
        drawn = self.torch.rand((len(embedded[0]), contexts), generator=self.generator)
        factor = (drawn < keep).to(self.device, self.torch.float32) / keep
        seen = [e * factor[:, [i]] for i, e in enumerate(embedded[:contexts])]
        return [*seen, *embedded[contexts:]]

    def _parameter(self, values: Floats) -> Any:
        tensor = self.torch.as_tensor(values, dtype=self.torch.float32, device=self.device)
        return tensor.requires_grad_()

    def _parameters(self) -> list[Any]:
        return [*self.tables, self.weights, self.biases, *self.heads, *self.marginals]

    def _network(self) -> Network:
        ends = np.cumsum(self.shape.hidden)[:-1]
        weights = np.split(_array(self.weights * self.mask), ends, 1)
        return Network(
            tuple(_array(t) for t in self.tables),
            tuple(w[:i].copy() for w, i in zip(weights, self.shape.inputs, strict=True)),
            tuple(np.split(_array(self.biases), ends)),
            tuple(_array(h) for h in self.heads),
            tuple(_array(m) for m in self.marginals),
        )


def _array(tensor: Any) -> Floats:
    """A copy, as the optimiser writes in place."""
    return np.array(tensor.detach().cpu().numpy(), np.float32)
