"""Generative adversarial networks as row models: one class, whose variants are `gan_objectives`.

A row is drawn at once: noise, with what is told (context, label or conditional vector), gives by
the generator the odds of every column's modes and a scalar for each number. Training is by torch
(`gan_training`); a fitted generator is sampled by NumPy alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from prefect_synth.synth.devices import Device
from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints, Layout
from prefect_synth.synth.row_models.base import Among, Condition
from prefect_synth.synth.row_models.dense import DenseColumns, fit_dense
from prefect_synth.synth.row_models.gan_batches import Rows, split
from prefect_synth.synth.row_models.gan_calibration import Calibration, fit_calibration, shifted
from prefect_synth.synth.row_models.gan_conditions import NOTHING, Conditions, find_conditions
from prefect_synth.synth.row_models.gan_label import beside, find_label, renumbered, without
from prefect_synth.synth.row_models.gan_network import NOISE, Generator
from prefect_synth.synth.row_models.gan_objectives import OBJECTIVES
from prefect_synth.synth.row_models.gan_training import train
from prefect_synth.synth.row_models.held_pool import hold
from prefect_synth.synth.row_models.threads import one_blas_thread
from prefect_synth.synth.row_models.trees import TreesRowModel
from prefect_synth.synth.storage import stored
from prefect_synth.synth.training import History, Training

EPOCHS = 300
MOST_ROWS = 100_000
BATCH = 250
_STEPS = 30
_PER_ROW, _FEWEST_CALIBRATED, _MOST_CALIBRATED = 2, 2000, 20_000
_CHUNK = 10_000
_TOLD_CATEGORIES = 64
_NO_DENSE = DenseColumns(())


@stored
@dataclass
class GANRowModel:
    """p(row | context) as what a generator makes of noise.

    Args:
        objective: A name of `OBJECTIVES`.
        epochs: Passes over the training rows.
        most_rows: Rows to train on at most; of more, a random part is taken.
        label: Key of the layout of the column that a labelled objective draws rows for; 0 for the
            nominal column of the fewest pieces, 2 at least.
        max_minutes: Wall clock that training may take; None for any.
        device: Where it is trained.
        layouts: Pieces of the row's columns, learned.
        labelled: Which column is the label; -1 for none, learned.
        labels: Draws the label given the context, learned.
        told: How the context is written, learned.
        written: How the row's columns but the label are written, learned.
        conditions: What rows can be asked for, learned.
        generator: The network, learned.
        calibration: What its draws are corrected by, learned.
        history: What happened in training.
    """

    objective: str = "wgan-gp"
    epochs: int = EPOCHS
    most_rows: int = MOST_ROWS
    label: int = 0
    max_minutes: float | None = None
    device: Device = "auto"
    layouts: tuple[Layout, ...] = ()
    labelled: int = -1
    labels: TreesRowModel | None = None
    told: DenseColumns = _NO_DENSE
    written: DenseColumns = _NO_DENSE
    conditions: Conditions | None = None
    generator: Generator | None = None
    calibration: Calibration = field(default_factory=Calibration)
    history: History | None = None

    def fit(self, rows: Encoded, context: Encoded, rng: np.random.Generator) -> Self:
        """Train the networks.

        Raises:
            MissingTorchError: torch is not installed.
        """
        self.layouts = rows.layouts
        if not rows.width:
            return self
        if len(rows) > self.most_rows:
            some = np.sort(rng.choice(len(rows), self.most_rows, replace=False))
            rows, context = rows.take(some), context.take(some)
        objective = OBJECTIVES[self.objective]
        self.labelled = find_label(rows.layouts, self.label) if objective.label else -1
        self.labels, self.generator, self.history = None, None, None
        free = without(rows, self.labelled)
        self.told = fit_dense(context, "scores", rng, _TOLD_CATEGORIES)
        self.written = fit_dense(free, objective.numbers, rng)
        modes, scalars = self.written.encode(free)
        self.conditions = find_conditions(self.written if objective.conditions else _NO_DENSE)
        asked = modes[:, self.conditions.columns]
        if self.labelled >= 0:
            label = rows.columns(self.labelled, self.labelled + 1)
            self.labels = TreesRowModel().fit(label, context, rng)
            self.conditions = Conditions.of_one(label.layouts[0].probabilities)
            asked = label.pieces.astype(np.int64)
        if not free.width:
            return self
        seen = Rows(
            self.written, modes, scalars, self.told.flat(context), self.conditions, asked,
            objective.label or not context.width,
        )  # fmt: skip
        training = Training(
            self.epochs, BATCH, _STEPS, max_minutes=self.max_minutes, device=self.device
        )
        splits = split(len(rows), rng)
        self.generator, history = train(objective, seen, splits, training, rng)
        self.history = renumbered(history, self.labelled)
        with one_blas_thread:
            self._calibrate(context, rng)
        return self

    def sample(
        self,
        context: Encoded,
        rng: np.random.Generator,
        conditions: Mapping[int, Condition] | None = None,
    ) -> Encoded:
        """Draw rows."""
        if conditions and self.layouts:
            return self.sample_held(context, rng, conditions)[0]
        return self.draw(context, rng)

    def sample_held(
        self, context: Encoded, rng: np.random.Generator, conditions: Mapping[int, Condition]
    ) -> tuple[Encoded, Floats]:
        """Draw rows on which conditions hold, and how likely each context makes them.

        The generator is asked for a held label, or for the rarest held category where there is no
        context; whatever else is held is looked for among what it draws.
        """
        aim = self._aim(context, conditions)
        with one_blas_thread:
            rows, odds = hold(
                lambda told, source: self._drawn(told, source, aim),
                self.layouts, context, conditions, rng,
            )  # fmt: skip
        for column, held in aim.items():  # one at most
            if self.labels is not None:
                odds = odds * self.labels.sample_held(context, rng, {0: held})[1]
            elif self.conditions is not None:
                odds = odds * self.conditions.shares[self._value(column, held)]
        return rows, odds

    def draw(self, context: Encoded, rng: np.random.Generator) -> Encoded:
        """Draw a row for each row of a context, [n, c]."""
        with one_blas_thread:
            return self._drawn(context, rng, {})

    def _drawn(
        self, context: Encoded, rng: np.random.Generator, aim: Mapping[int, Condition]
    ) -> Encoded:
        """Draw rows little by little; what `aim` holds, the generator is asked for."""
        starts = range(0, max(len(context), 1), _CHUNK)
        parts = [context.take(np.arange(s, min(s + _CHUNK, len(context)))) for s in starts]
        drawn = [self._some(part, rng, aim) for part in parts]
        return Encoded(
            np.concatenate([d.pieces for d in drawn]),
            np.concatenate([d.places for d in drawn]),
            self.layouts,
        )

    def _some(
        self, context: Encoded, rng: np.random.Generator, aim: Mapping[int, Condition]
    ) -> Encoded:
        if not len(context):
            shape = (0, len(self.layouts))
            return Encoded(np.zeros(shape, np.int64), np.zeros(shape), self.layouts)
        label, values = self._asked(context, rng, aim)
        if self.generator is None or self.conditions is None:
            return beside(Encoded.empty(len(context)), label, self.labelled, self.layouts)
        logits, scalars = self.generator(self._inputs(context, values, rng))
        modes = self.generator.modes(logits, rng)
        if self.labelled < 0:
            self.conditions.forced(modes, values)
        layouts = [layout for j, layout in enumerate(self.layouts) if j != self.labelled]
        rows = self.written.decode(modes, scalars, layouts, rng)
        rows = self.calibration.corrected(rows, self.written, rng)
        return beside(rows, label, self.labelled, self.layouts)

    def _asked(
        self, context: Encoded, rng: np.random.Generator, aim: Mapping[int, Condition]
    ) -> tuple[Encoded, Ints]:
        """The label of each row, [n, 1] or [n, 0], and what the generator is asked for, [n]."""
        n = len(context)
        if self.labels is not None:
            held = {0: aim[self.labelled]} if aim else None
            label = self.labels.sample(context, rng, held)
            return label, label.pieces[:, 0].astype(np.int64)
        values = np.full(n, NOTHING)
        if self.conditions and not aim and not context.width:
            values = self.conditions.draw(n, rng)
        for column, condition in aim.items():  # one at most
            values[:] = self._value(column, condition)
        return Encoded.empty(n), values

    def _aim(self, context: Encoded, conditions: Mapping[int, Condition]) -> dict[int, Condition]:
        """The one condition that the generator itself is asked to meet, if any."""
        if self.labels is not None:
            return {j: c for j, c in conditions.items() if j == self.labelled}
        if context.width or not self.conditions:
            return {}
        exact = {j: c for j, c in conditions.items() if self._value(j, c) != NOTHING}
        shares = {j: self.conditions.shares[self._value(j, c)] for j, c in exact.items()}
        rarest = min(exact, key=lambda j: shares[j], default=None)
        return {} if rarest is None else {rarest: exact[rarest]}

    def _value(self, column: int, held: Condition) -> int:
        """What the generator is asked for so that a column is held, or nothing."""
        if isinstance(held, Among) or self.conditions is None:
            return NOTHING
        return self.conditions.value(column, int(self.written.columns[column].modes[held[0]]))

    def _inputs(self, context: Encoded, values: Ints, rng: np.random.Generator) -> Floats:
        """Noise and what is given, [n, i]."""
        assert self.conditions is not None  # noqa: S101 - fitted
        noise = rng.standard_normal((len(values), NOISE), np.float32)
        return np.hstack([noise, self.told.flat(context), self.conditions.vectors(values)])

    def _calibrate(self, context: Encoded, rng: np.random.Generator) -> None:
        """Learn what the generator's margins miss, from rows drawn for the contexts of the data."""
        n = min(max(_FEWEST_CALIBRATED, _PER_ROW * len(context)), _MOST_CALIBRATED)
        context = context.take(np.arange(n) % len(context))
        assert self.generator is not None  # noqa: S101 - trained just before
        assert self.conditions is not None  # noqa: S101
        _, values = self._asked(context, rng, {})
        logits, _ = self.generator(self._inputs(context, values, rng))
        forced = np.full(n, -1)
        if self.labelled < 0 and self.conditions:
            asked = np.flatnonzero(values != NOTHING)
            forced[asked] = self.conditions.column_of(values[asked])
        self.generator = shifted(self.generator, self.written, logits, forced)
        rows = self._drawn(context, rng, {})
        self.calibration = fit_calibration(without(rows, self.labelled), self.written, rng)
