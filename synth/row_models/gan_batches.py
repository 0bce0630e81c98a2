"""What adversarial networks learn from, a batch at a time: real rows, and what is told of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from prefect_synth.synth.encoding.layout import Floats, Ints
from prefect_synth.synth.row_models.dense import DenseColumns
from prefect_synth.synth.row_models.gan_conditions import NOTHING, Conditions, TrainingBySampling
from prefect_synth.synth.row_models.gan_modules import Heads

_FEWEST_TRAINED = 20
_FEWEST_HELD_BACK, _HELD_BACK, _MOST_HELD_BACK = 500, 10, 2000

Tensor = Any


@dataclass(frozen=True)
class Rows:
    """What is learned from.

    Args:
        columns: How the rows are written.
        modes: Of each column, [n, d].
        scalars: Of the columns that have one, [n, s].
        context: What each row is told, [n, c].
        conditions: What rows can be asked for; of a labelled objective its label.
        asked: Modes of the columns that `conditions` counts, [n, e].
        always: Whether every row is asked for something: a label is, and other conditions are
            where there is no context.
    """

    columns: DenseColumns
    modes: Ints
    scalars: Floats
    context: Floats
    conditions: Conditions
    asked: Ints
    always: bool

    @property
    def told(self) -> int:
        """Numbers that are told of a row."""
        return self.context.shape[1] + len(self.conditions)


def split(rows: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Rows to train on, and rows to judge the epochs by; neither of a few."""
    if rows < _FEWEST_TRAINED:
        return np.arange(0), np.arange(0)
    held = min(rows // _HELD_BACK, _MOST_HELD_BACK) if rows >= _FEWEST_HELD_BACK else 0
    order = rng.permutation(rows)
    return np.sort(order[held:]), np.sort(order[:held])


class Batches:
    """Rows as tensors.

    Args:
        torch: The module.
        rows: The rows.
        training: Those to train on.
        device: Where they are used.
    """

    def __init__(self, torch: Any, rows: Rows, training: Ints, device: Any) -> None:
        self.torch, self.rows, self.device = torch, rows, device
        self.heads = Heads(torch, rows.columns, device)
        self.modes = torch.as_tensor(rows.modes, device=device)  # [n, d]
        self.scalars = torch.as_tensor(rows.scalars, dtype=torch.float32, device=device)  # [n, s]
        self.context = torch.as_tensor(rows.context, dtype=torch.float32, device=device)  # [n, c]
        self.sampling = None
        if rows.conditions:
            seen = training if len(training) else np.arange(len(rows.modes))
            self.sampling = TrainingBySampling(torch, rows.conditions, rows.asked, seen, device)

    def real(self, rows: Any) -> Tensor:
        """Rows by their numbers, flat, [b, w]."""
        return self.heads.flat(self.modes[rows], self.scalars[rows])

    def asked(self, rows: Any, generator: Any) -> tuple[Any, Any]:
        """Rows in the place of a batch, and the values that they are asked for, [b] each.

        Beside a context every other row is asked for nothing, as it is at sampling.
        """
        if self.sampling is None:
            return rows, self.torch.full_like(rows, NOTHING)
        values, found = self.sampling.draw(len(rows), generator)
        if self.rows.always:
            return found, values
        free = self.torch.arange(len(rows), device=self.device) % 2 == 0
        return self.torch.where(free, rows, found), values.masked_fill(free, NOTHING)

    def told(self, rows: Any, values: Any) -> Tensor:
        """What generator and critic are told of rows: context and condition, [b, g]."""
        wanted = self.torch.zeros(len(rows), len(self.rows.conditions), device=self.device)
        if self.sampling is not None:
            there = (values >= 0).float()[:, None]
            wanted.scatter_(1, values.clamp(min=0)[:, None], there)
        return self.torch.cat([self.context[rows], wanted], 1)

    def told_as_found(self, rows: Ints) -> Tensor:
        """What is told of rows, with a condition that holds on each, [n, g]."""
        values = np.full(len(rows), NOTHING)
        if self.sampling is not None and self.rows.always:
            one = np.arange(len(rows)) % self.rows.asked.shape[1]
            values = self.rows.asked[rows, one] + self.rows.conditions.starts[one]
        at = self.torch.as_tensor(rows, device=self.device)
        return self.told(at, self.torch.as_tensor(values, device=self.device))

    def unmet(self, logits: Tensor, values: Any) -> Tensor:
        """Cross-entropy of the values that rows were asked for, by their logits [b, W]."""
        if self.sampling is None:
            return 0.0
        column, mode = self.sampling.place_of(values.clamp(min=0))
        own = self.heads.one(logits, column)  # [b, K]
        losses = self.torch.nn.functional.cross_entropy(own, mode, reduction="none")
        return (losses * (values >= 0)).mean()
