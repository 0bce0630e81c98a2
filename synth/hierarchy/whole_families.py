"""Rows of a parent in their order, drawn as a whole by a model of families.

The column that orders the rows is modelled as its steps. The first one is no step but an offset, as
long as all steps together, so it has a model of its own; the model of families never sees it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded, Ints
from prefect_synth.synth.encoding.shapes import SEPARATOR
from prefect_synth.synth.row_models.base import RowModel
from prefect_synth.synth.row_models.factory import make_row_model, without_calibration
from prefect_synth.synth.row_models.families import FamilyModel
from prefect_synth.synth.rules.increasing import starts
from prefect_synth.synth.storage import stored

if TYPE_CHECKING:
    from prefect_synth.synth.hierarchy.extended import Extended
    from prefect_synth.synth.hierarchy.settings import HierarchySettings

MOST_ALONE = 20_000
"""Rows that the model of rows alone learns from: it only draws those that are held."""
_TRACE = 1e-9


@stored
@dataclass(frozen=True)
class FamilySequence:
    """What a model of families is told nothing of: where families begin.

    Args:
        index: Column of steps; -1 where all steps are the same.
        first: p(first step | context).
    """

    index: int
    first: RowModel


def fit_whole(
    table: Extended,
    rows: Ints,
    known: Encoded,
    model: FamilyModel,
    settings: HierarchySettings,
    rng: np.random.Generator,
) -> tuple[RowModel, FamilySequence]:
    """Fit a model of families, and one of their first steps.

    Args:
        table: The table after the bottom-up pass; its rows have an order.
        rows: The rows to learn from: whole families.
        known: Their contexts.
        model: Is fitted to the families, and to rows alone.
        settings: Name and effort of the model of first steps.
        rng: Source of the draws.
    """
    order, lengths = _in_order(table, rows)
    joined, known = table.blocks.joined().take(rows[order]), known.take(order)
    index, heads = _index_of(table), np.cumsum(lengths) - lengths
    first = without_calibration(make_row_model(settings.row_model, settings.effort))
    if index >= 0:
        steps = joined.columns(index, index + 1).take(heads)
        first = first.fit(relaid(steps), known.take(heads), rng)
        joined = _without_first(joined, index, heads, rng)
    some = np.arange(len(rows))
    if len(rows) > MOST_ALONE:
        some = np.sort(rng.choice(len(rows), MOST_ALONE, replace=False))
    without_calibration(model)
    model = model.fit(joined.take(some), known.take(some), rng)
    return model.fit_families(joined, known, lengths, rng), FamilySequence(index, first)


def draw_whole(
    model: RowModel,
    sequence: FamilySequence,
    known: Encoded,
    parent: Ints,
    rng: np.random.Generator,
) -> Encoded:
    """Draw families.

    Args:
        model: Of families.
        sequence: Of their first steps.
        known: Contexts of the rows.
        parent: Parent of each row, negative where there is none; families together, [n].
        rng: Source of the draws.
    """
    assert isinstance(model, FamilyModel)  # noqa: S101 - `fit_whole` made it
    heads = np.flatnonzero(starts(parent))
    rows = model.sample_families(known, np.diff(np.append(heads, len(parent))), rng)
    if sequence.index < 0:
        return rows
    first = sequence.first.sample(known.take(heads), rng)
    rows.pieces[heads, sequence.index] = first.pieces[:, 0]
    rows.places[heads, sequence.index] = first.places[:, 0]
    return rows


def relaid(rows: Encoded) -> Encoded:
    """The same rows, with the shares that the pieces have among them."""
    layouts = []
    for j, layout in enumerate(rows.layouts):
        counts = np.bincount(rows.pieces[:, j], minlength=len(layout.probabilities)) + _TRACE
        layouts.append(replace(layout, probabilities=counts / counts.sum()))
    return Encoded(rows.pieces, rows.places, tuple(layouts))


def _in_order(table: Extended, rows: Ints) -> tuple[Ints, Ints]:
    """Rows of a family together and in order: their places among `rows` [n], and lengths [f]."""
    increasing = table.rules.increasing
    assert increasing is not None and table.sequence is not None  # noqa: S101, PT018
    link = table.links[increasing.relation][rows]
    alone = len(table.blocks.own) + table.rows + np.arange(len(rows))
    family = np.where(link < 0, alone, link)  # a row without a parent is a family of one
    order = np.lexsort((table.sequence[rows, 1], family))
    return order, np.unique(family, return_counts=True)[1]


def _index_of(table: Extended) -> int:
    """The encoded column of steps."""
    assert table.rules.increasing is not None  # noqa: S101 - there is an order
    names = [name.split(SEPARATOR)[0] for name in table.codec.modelled]
    before = sum(codec.width for codec in table.relations.values()) + len(table.levels)
    target = table.rules.increasing.target
    return before + names.index(target) if target in names else -1


def _without_first(rows: Encoded, index: int, heads: Ints, rng: np.random.Generator) -> Encoded:
    """The same rows, where first steps are like some of the later ones."""
    later = np.setdiff1d(np.arange(len(rows)), heads)
    pieces, places = rows.pieces.copy(), rows.places.copy()
    if len(later):
        like = later[rng.integers(len(later), size=len(heads))]
        pieces[heads, index], places[heads, index] = pieces[like, index], places[like, index]
    changed = Encoded(pieces, places, rows.layouts)
    steps = relaid(changed.columns(index, index + 1)).layouts
    return replace(changed, layouts=(*rows.layouts[:index], *steps, *rows.layouts[index + 1 :]))
