"""Training of the autoregressive network: the only place of it that needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from prefect_synth.synth.collapse import Pair
from prefect_synth.synth.devices import load_torch, pick_device
from prefect_synth.synth.encoding.layout import Floats, Ints
from prefect_synth.synth.row_models.argn_network import Network, Shape
from prefect_synth.synth.row_models.threads import one_torch_thread
from prefect_synth.synth.training import History, Training, Update, fit

RATE = 3e-3
"""First learning rate of AdamW (Loshchilov and Hutter 2019)."""
DROPOUT = 0.15
"""Share of context columns that a row does not see in a step."""
_DECAY = 0.01
_VALIDATED = 4096
_VALIDATED_ORDERS = 4


def train(
    codes: Ints,
    shape: Shape,
    tables: list[Floats],
    shares: list[Floats],
    splits: list[Ints],
    settings: Training,
    rng: np.random.Generator,
    *,
    any_order: bool = False,
) -> tuple[Network, History]:
    """Fit a network by maximum likelihood.

    Args:
        codes: Context and row columns in the network's order, [n, c + d].
        shape: Sizes.
        tables: First embedding of each column, [K, e] each.
        shares: Shares of the codes of each predicted column; the bias starts at their logs.
        splits: Rows of the training set, then of each validation set. Training stops when any
            validation set no longer improves; without one the network stays at the shares.
        settings: How to train.
        rng: Source of initial weights, order of rows and dropout.
        any_order: Whether columns are predicted from any others, or from those before them.
    """
    torch = load_torch()
    training, *validation = splits
    with one_torch_thread(torch):
        device = pick_device(torch, settings.device)
        kind = AnyOrderLikelihood if any_order else Likelihood
        learner = kind(torch, device, codes, shape, tables, shares, validation, rng)
        history = fit(learner, training if validation else training[:0], settings, rng)
        return learner.network(), history


class Likelihood:
    """Negative log likelihood of a row, all columns at once by one masked product."""

    def __init__(
        self,
        torch: Any,
        device: Any,
        codes: Ints,
        shape: Shape,
        tables: list[Floats],
        shares: list[Floats],
        validation: list[Ints],
        rng: np.random.Generator,
    ) -> None:
        self.torch, self.device, self.shape = torch, device, shape
        self.data = torch.as_tensor(codes, dtype=torch.int64, device=device)  # [n, c + d]
        self.held_back = [torch.as_tensor(rows, device=device) for rows in validation]
        self.generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        width, hidden = sum(shape.embedded), sum(shape.hidden)
        self.inputs = self._inputs()
        mask = self._first_mask()  # [D, H]
        scale = np.sqrt(2 / np.maximum(mask.sum(axis=0), 1))
        self.mask = torch.as_tensor(mask, dtype=torch.float32, device=device)
        self.tables = self._weights(tables)
        [self.weights] = self._weights([rng.standard_normal((width, hidden)) * scale * mask])
        [self.biases] = self._weights([np.zeros(hidden)])
        sizes = zip(shape.hidden, shares, strict=True)
        self.heads = self._weights(
            [rng.standard_normal((h, len(s))) * 0.5 / np.sqrt(h) for h, s in sizes]
        )
        self.marginals = self._weights([np.log(s) for s in shares])
        self.module = torch.nn.ParameterList(
            [*self.tables, self.weights, self.biases, *self.heads, *self.marginals]
        )
        self.optimisers: Sequence[Any] = [
            torch.optim.AdamW(self.module, lr=RATE, weight_decay=_DECAY)
        ]

    def step(self, rows: Any, update: Update) -> float:
        """One step of maximum likelihood."""
        loss = self._loss(self.data[rows], dropout=True)
        update(loss, self.optimisers[0])
        return float(loss.detach())

    def validate(self) -> Sequence[float]:
        """Mean negative log likelihood of a row of each validation set."""
        return [self._mean_loss(rows) for rows in self.held_back]

    def codes(self) -> Sequence[Pair]:
        """None: likelihood itself tells of a mode that was lost."""
        return ()

    def network(self) -> Network:
        """The weights as arrays."""
        ends = np.cumsum(self.shape.hidden)[:-1]
        weights = np.split(_array(self.weights * self.mask), ends, 1)
        return Network(
            tuple(_array(t) for t in self.tables),
            tuple(w[:i].copy() for w, i in zip(weights, self.inputs, strict=True)),
            tuple(np.split(_array(self.biases), ends)),
            tuple(_array(h) for h in self.heads),
            tuple(_array(m) for m in self.marginals),
        )

    def _inputs(self) -> list[int]:
        """First embedded dimension that each column never sees, [d]."""
        return self.shape.inputs

    def _first_mask(self) -> Any:
        """Which dimensions each hidden unit may see, [D, H] bool."""
        seen = np.repeat(self.shape.inputs, self.shape.hidden)
        return np.arange(sum(self.shape.embedded))[:, None] < seen

    def _mean_loss(self, rows: Any) -> float:
        parts = rows.split(_VALIDATED)
        total = sum(self._loss(self.data[p], dropout=False).item() * len(p) for p in parts)
        return float(total) / len(rows)

    def _loss(self, codes: Any, *, dropout: bool) -> Any:
        functional = self.torch.nn.functional
        columns = codes.unbind(1)  # c + d of [b]
        embedded = [functional.embedding(c, t) for c, t in zip(columns, self.tables, strict=True)]
        if dropout:
            embedded = self._dropped(embedded)
        hidden = self.torch.addmm(
            self.biases, self.torch.cat(embedded, 1), self.weights * self.mask
        ).relu()  # [b, H]
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
        keep = 1 - DROPOUT
        drawn = self.torch.rand((len(embedded[0]), contexts), generator=self.generator)
        factor = (drawn < keep).to(self.device, self.torch.float32) / keep
        seen = [e * factor[:, [i]] for i, e in enumerate(embedded[:contexts])]
        return [*seen, *embedded[contexts:]]

    def _weights(self, arrays: Sequence[Floats]) -> list[Any]:
        torch = self.torch
        tensors = [torch.as_tensor(a, dtype=torch.float32, device=self.device) for a in arrays]
        return [torch.nn.Parameter(t) for t in tensors]


class AnyOrderLikelihood(Likelihood):
    """The same in a new random order of columns in each step, so that any may be given.

    Order-agnostic training (Uria, Murray and Larochelle 2014) by a mask for each step.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.everything = self.mask
        columns = len(self.shape.hidden)
        generator = self.torch.Generator().manual_seed(columns)
        self.orders = [
            self.torch.randperm(columns, generator=generator) for _ in range(_VALIDATED_ORDERS)
        ]

    def step(self, rows: Any, update: Update) -> float:
        """One step of maximum likelihood, in an order of its own."""
        columns = len(self.shape.hidden)
        self.mask = self._mask_of(self.torch.randperm(columns, generator=self.generator))
        return super().step(rows, update)

    def validate(self) -> Sequence[float]:
        """Mean negative log likelihood of each validation set, over some orders."""
        losses = []
        for order in self.orders:
            self.mask = self._mask_of(order)
            losses.append(super().validate())
        return [float(np.mean(of_set)) for of_set in zip(*losses, strict=True)]

    def network(self) -> Network:
        """The weights as arrays; each column's take all others."""
        self.mask = self.everything
        return super().network()

    def _inputs(self) -> list[int]:
        return [sum(self.shape.embedded)] * len(self.shape.hidden)

    def _first_mask(self) -> Any:
        columns, contexts = len(self.shape.hidden), self.shape.contexts
        others = np.vstack([np.ones((contexts, columns), bool), ~np.eye(columns, dtype=bool)])
        return np.repeat(np.repeat(others, self.shape.embedded, 0), self.shape.hidden, 1)

    def _mask_of(self, rank: Any) -> Any:
        """What each hidden unit sees where columns stand at these ranks, [D, H]."""
        torch, shape = self.torch, self.shape
        before = rank[:, None] < rank  # [d, d]
        context = torch.ones((shape.contexts, len(rank)), dtype=torch.bool)
        seen = torch.cat([context, before]).float().to(self.device)  # [c + d, d]
        rows = seen.repeat_interleave(torch.as_tensor(shape.embedded, device=self.device), 0)
        return rows.repeat_interleave(torch.as_tensor(shape.hidden, device=self.device), 1)


def _array(tensor: Any) -> Floats:
    """A copy, as the optimiser writes in place."""
    return np.array(tensor.detach().cpu().numpy(), np.float32)
