"""Fitted recurrent networks as arrays: they run with NumPy alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from prefect_synth.synth.encoding.layout import Floats, Ints
from prefect_synth.synth.storage import stored

States = list[Floats]
"""The state of each layer, [m, h] each."""


@stored
@dataclass(frozen=True)
class GRU:
    """Gated recurrent units in layers (Cho et al. 2014).

    Args:
        inputs: From what comes in to the three gates (reset, update, new), [i, 3 h] by layer.
        states: From the state to the gates, [h, 3 h] by layer.
        input_biases: [3 h] by layer.
        state_biases: [3 h] by layer.
    """

    inputs: tuple[Floats, ...]
    states: tuple[Floats, ...]
    input_biases: tuple[Floats, ...]
    state_biases: tuple[Floats, ...]

    def start(self, rows: int) -> States:
        """Where every sequence begins."""
        return [np.zeros((rows, len(w)), np.float32) for w in self.states]

    def step(self, seen: Floats, states: States) -> tuple[Floats, States]:
        """One step of all sequences.

        Args:
            seen: What comes in, [m, i].
            states: The states before.

        Returns:
            The last layer's state [m, h], and the states.
        """
        after = []
        for w, u, b, c, state in zip(
            self.inputs, self.states, self.input_biases, self.state_biases, states, strict=True
        ):
            ours, theirs, h = seen @ w + b, state @ u + c, state.shape[1]  # [m, 3 h]
            gates = expit(ours[:, : 2 * h] + theirs[:, : 2 * h])  # [m, 2 h]
            reset, update = gates[:, :h], gates[:, h:]
            new = np.tanh(ours[:, 2 * h :] + reset * theirs[:, 2 * h :])  # [m, h]
            seen = (1 - update) * new + update * state
            after.append(seen)
        return seen, after


def first_weights(torch: Any, build: Callable[[], Any], generator: Any, device: Any) -> Any:
    """A module of linear and recurrent layers whose first weights are drawn by `generator`.

    Layers that torch fills itself take from the generator of the whole process, which tables that
    are fitted on threads side by side share; so they are built without memory, and filled here.

    Args:
        torch: The module.
        build: Makes the layers.
        generator: Source of the weights.
        device: Where they are.
    """
    with torch.device("meta"):
        module = build()
    module = module.to_empty(device="cpu")
    for layer in module.modules():
        inputs = getattr(layer, "hidden_size", None) or getattr(layer, "in_features", None) or 1
        for parameter in layer.parameters(recurse=False):
            with torch.no_grad():
                parameter.uniform_(-(inputs**-0.5), inputs**-0.5, generator=generator)
    return module.to(device)


def gru_of(module: Any) -> GRU:
    """A `torch.nn.GRU` as arrays."""
    layers = range(module.num_layers)

    def arrays(name: str) -> tuple[Floats, ...]:
        return tuple(array_of(getattr(module, f"{name}_l{i}")).T.copy() for i in layers)

    return GRU(arrays("weight_ih"), arrays("weight_hh"), arrays("bias_ih"), arrays("bias_hh"))


@stored
@dataclass(frozen=True)
class Rectified:
    """Linear layers with a rectifier between them.

    Args:
        weights: [i, o] by layer.
        biases: [o] by layer.
    """

    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]

    def __call__(self, seen: Floats) -> Floats:
        """The last layer's output, [m, o]."""
        for w, b in zip(self.weights[:-1], self.biases[:-1], strict=True):
            seen = np.maximum(seen @ w + b, 0)
        return np.asarray(seen @ self.weights[-1] + self.biases[-1])


def rectified_of(linear: Sequence[Any]) -> Rectified:
    """`torch.nn.Linear` modules as arrays."""
    return Rectified(
        tuple(array_of(m.weight).T.copy() for m in linear),
        tuple(array_of(m.bias) for m in linear),
    )


def array_of(tensor: Any) -> Floats:
    """A copy, as the optimiser writes in place."""
    return np.array(tensor.detach().cpu().numpy(), np.float32)


class Running:
    """A recurrent network that runs on, however long its sequences are.

    From time to time it forgets all but the last steps: so its state is never older than those of
    training, where every window begins with none.

    Args:
        network: The network.
        rows: Sequences that run side by side.
        memory: Steps that its state comes from at least, where there are; of twice at most.
    """

    def __init__(self, network: GRU, rows: int, memory: int) -> None:
        self.network, self.rows, self.memory = network, rows, memory
        self.states = network.start(rows)
        self.seen: list[tuple[Ints, Floats]] = []
        self.age = 0

    def step(self, some: Ints, seen: Floats) -> Floats:
        """The next step of some sequences, those that ended left out: the last state, [m, h].

        Args:
            some: The sequences, [m].
            seen: What comes in, [m, i].
        """
        if self.age == 2 * self.memory:
            self._forget(some)
        self.seen.append((some, seen))
        return self._moved(some, seen)

    def _forget(self, some: Ints) -> None:
        recent, self.seen = self.seen[-self.memory :], []
        self.states, self.age = self.network.start(self.rows), 0
        for earlier, seen in recent:
            there = np.isin(earlier, some, assume_unique=True)
            self._moved(earlier[there], seen[there])
            self.seen.append((earlier[there], seen[there]))

    def _moved(self, some: Ints, seen: Floats) -> Floats:
        state, after = self.network.step(seen, [s[some] for s in self.states])
        for whole, part in zip(self.states, after, strict=True):
            whole[some] = part
        self.age += 1
        return state
