"""Families as what a recurrent network reads and writes, and back.

A family has traits; a row is a mode for each column, and an innovation for columns of numbers. What
the network is told of a row beside the rows before it is its context, the traits of its family, and
how far it is from either end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints, Layout
from prefect_synth.synth.row_models.dense import DenseColumns, fit_dense
from prefect_synth.synth.row_models.families import Families
from prefect_synth.synth.row_models.innovations import Innovations, fit_innovations, last_known
from prefect_synth.synth.row_models.traits import FamilyTraits, fit_traits
from prefect_synth.synth.storage import stored

_MOST_TOLD = 64


@dataclass(frozen=True)
class Steps:
    """Families as a network sees them.

    Args:
        modes: Mode of each column, [n, d].
        scores: Innovation of each number, 0 where there is none, [n, s].
        before: Numbers of the row before, as last known, [n, s].
        told: Context, traits of the family, and place in it, [n, c].
        traits: Normal scores of the traits of each family, [f, 2 s].
    """

    modes: Ints
    scores: Floats
    before: Floats
    told: Floats
    traits: Floats


@stored
@dataclass(frozen=True)
class FamilyCodec:
    """How families are written.

    Args:
        layouts: Pieces of the rows' columns.
        dense: Modes and numbers of the columns.
        innovations: What is new in each number.
        traits: What families have of their own.
        context: How contexts are written.
    """

    layouts: tuple[Layout, ...]
    dense: DenseColumns
    innovations: Innovations
    traits: FamilyTraits
    context: DenseColumns

    @property
    def widths(self) -> list[int]:
        """Modes of each column, [d]."""
        return self.dense.widths

    def there(self, modes: Ints) -> np.ndarray:
        """Whether each number is there, by the mode of its column, [n, s]."""
        return _there(self.dense, modes)

    def heads(self, context: Encoded, families: Families) -> Floats:
        """What the first row of each family is told of its parents, [f, c]."""
        return self.context.flat(context.take(families.starts))

    def draw_traits(self, context: Encoded, families: Families, rng: np.random.Generator) -> Floats:
        """Normal scores of the traits of families, [f, 2 s]."""
        return self.traits.draw(self.heads(context, families), rng)

    def told(self, context: Encoded, traits: Floats, families: Families) -> Floats:
        """What each row is told, [n, c] float32; of traits the normal scores."""
        own = families.spread(traits).astype(np.float32)
        return np.hstack([self.context.flat(context), own, families.clocks])

    def encode(self, rows: Encoded, context: Encoded, families: Families) -> Steps:
        """Families as a network sees them, those that the codec was fitted on."""
        modes, numbers = self.dense.encode(rows)
        there = self.there(modes)
        known = last_known(numbers.astype(np.float64), there, families)
        traits = fit_innovations(known, there, families)[1]
        scores = self.innovations.of(known, there, traits, families)
        shown = self.traits.scores(traits)
        told = self.told(context, shown, families)
        return Steps(modes, scores, families.before(known), told, shown)

    def decode(
        self,
        modes: Ints,
        scores: Floats,
        traits: Floats,
        families: Families,
        rng: np.random.Generator,
    ) -> Encoded:
        """Rows of modes [n, d], innovations [n, s] and normal scores of traits [f, 2 s]."""
        own = self.traits.traits(traits)
        numbers = self.innovations.summed(scores, self.there(modes), own, families)
        return self.rows(modes, numbers, rng)

    def rows(self, modes: Ints, numbers: Floats, rng: np.random.Generator) -> Encoded:
        """Rows of modes [n, d] and numbers [n, s]."""
        return self.dense.decode(modes, numbers, self.layouts, rng)


def fit_family_codec(
    rows: Encoded, context: Encoded, families: Families, rng: np.random.Generator
) -> FamilyCodec:
    """Learn how families are written.

    Args:
        rows: All families, [n, d].
        context: What each row is told, [n, c].
        families: Where they are.
        rng: Source of draws.
    """
    dense = fit_dense(rows, "scores", rng)
    told = fit_dense(context, "scores", rng, _MOST_TOLD)
    modes, numbers = dense.encode(rows)
    there = _there(dense, modes)
    known = last_known(numbers.astype(np.float64), there, families)
    innovations, traits = fit_innovations(known, there, families)
    fitted = fit_traits(traits, told.flat(context.take(families.starts)))
    return FamilyCodec(rows.layouts, dense, innovations, fitted, told)


def _there(dense: DenseColumns, modes: Ints) -> np.ndarray:
    columns = dense.scalars
    first = np.array([dense.columns[j].first for j in columns], np.int64)
    return np.asarray(modes[:, columns] >= first)
