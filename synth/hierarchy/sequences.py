"""Rows of a parent in their order: the first given the parent, each next one given the last too.

A Markov chain of first order along each family, over whichever row model is in use; a model that
draws whole families does it itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded, Ints, Layout
from prefect_synth.synth.hierarchy.encoders import NumbersCodec, fit_numbers
from prefect_synth.synth.hierarchy.whole_families import (
    FamilySequence,
    draw_whole,
    fit_whole,
    relaid,
)
from prefect_synth.synth.row_models.base import RowModel
from prefect_synth.synth.row_models.factory import make_row_model, without_calibration
from prefect_synth.synth.row_models.families import FamilyModel
from prefect_synth.synth.rules.increasing import starts
from prefect_synth.synth.storage import stored

if TYPE_CHECKING:
    from prefect_synth.synth.hierarchy.extended import Extended
    from prefect_synth.synth.hierarchy.part import TablePart
    from prefect_synth.synth.hierarchy.settings import HierarchySettings

LONGEST = 1000
"""Steps that are drawn one after another; longer families go on side by side."""


@stored
@dataclass(frozen=True)
class SequenceModel:
    """Which row follows another.

    Args:
        row_model: p(row | context, the row before, position).
        positions: Encoder of positions within the family.
        layouts: The pieces of the row's columns.
        seen: First column of a row that the next one is told: no counts of children, no levels.
    """

    row_model: RowModel
    positions: NumbersCodec
    layouts: tuple[Layout, ...]
    seen: int

    def context(self, known: Encoded, before: Encoded, position: Ints) -> Encoded:
        """What a row is told.

        Args:
            known: Its parents, [n, c].
            before: The row before it, [n, d].
            position: How many rows there are before it, [n].
        """
        told = before.columns(self.seen, before.width)
        place = self.positions.encode(position.astype(float)[:, None])
        return Encoded.beside([known, told, place], len(known))


def fit_rows(
    table: Extended,
    rows: Ints,
    known: Encoded,
    row_model: RowModel,
    settings: HierarchySettings,
    rng: np.random.Generator,
) -> tuple[RowModel, SequenceModel | FamilySequence | None]:
    """Fit the model of a table's rows, and where they have an order, that of the next row.

    Args:
        table: The table after the bottom-up pass.
        rows: The rows to learn from: whole families.
        known: Their contexts.
        row_model: Is fitted to the first rows, or to all.
        settings: Name of the row model.
        rng: Source of the draws.
    """
    joined = table.blocks.joined()
    if table.sequence is None or (table.sequence[rows, 0] < 0).all():
        return row_model.fit(joined.take(rows), known, rng), None
    if isinstance(row_model, FamilyModel):
        return fit_whole(table, rows, known, row_model, settings, rng)
    previous, position = table.sequence[rows].T
    heads, later = np.flatnonzero(previous < 0), np.flatnonzero(previous >= 0)
    seen = sum(codec.width for codec in table.relations.values()) + len(table.levels)
    positions = fit_numbers(position[later, None].astype(float), whole=True)
    first = without_calibration(row_model)
    first = first.fit(relaid(joined.take(rows[heads])), known.take(heads), rng)
    following = without_calibration(make_row_model(settings.row_model, settings.effort))
    model = SequenceModel(following, positions, joined.layouts, seen)
    before = joined.take(previous[later])
    context = model.context(known.take(later), before, position[later])
    following = following.fit(relaid(joined.take(rows[later])), context, rng)
    return first, replace(model, row_model=following)


def draw_sequences(
    part: TablePart, known: Encoded, parent: Ints, rng: np.random.Generator
) -> Encoded:
    """Draw rows; where they have an order, step by step over all families at once.

    Args:
        part: Their table's part.
        known: Their contexts.
        parent: Primary parent of each row, negative where there is none; families together, [n].
        rng: Source of the draws.
    """
    model = part.sequence
    if model is None:
        return part.row_model.sample(known, rng)
    if isinstance(model, FamilySequence):
        return draw_whole(part.row_model, model, known, parent, rng)
    previous, position, step = schedule(parent)
    shape = (len(known), len(model.layouts))
    rows = Encoded(np.zeros(shape, np.int64), np.full(shape, 0.5), model.layouts)
    order = np.argsort(step, kind="stable")
    bounds = np.searchsorted(step[order], np.arange(step.max(initial=0) + 2))
    for now, (start, stop) in enumerate(pairwise(bounds)):
        at = order[start:stop]
        context = known.take(at)
        if now:
            context = model.context(context, rows.take(previous[at]), position[at])
        drawn = (model.row_model if now else part.row_model).sample(context, rng)
        rows.pieces[at], rows.places[at] = drawn.pieces, drawn.places
    return rows


def schedule(parent: Ints) -> tuple[Ints, Ints, Ints]:
    """For each row the one before it, its position, and the step at which it is drawn.

    A family longer than `LONGEST` goes on from its first row in several places at once.
    """
    first = starts(parent)
    head = np.flatnonzero(first)[np.cumsum(first) - 1] if len(parent) else np.zeros(0, np.int64)
    position = np.arange(len(parent)) - head
    within = position % LONGEST
    again = (within == 0) & (position > 0)
    previous = np.where(again, head, np.arange(len(parent)) - 1)
    return previous, position, within + (position >= LONGEST)
