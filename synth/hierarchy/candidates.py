"""Rows drawn anew on a condition, of which the likeliest are placed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints
from prefect_synth.synth.hierarchy.blocks import Told
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.sequences import schedule
from prefect_synth.synth.hierarchy.whole_families import FamilySequence
from prefect_synth.synth.row_models.base import Among, RowModel


@dataclass(frozen=True)
class Candidates:
    """Rows that were drawn anew, and came out as asked.

    Args:
        rows: Their numbers, [n].
        pieces: Their pieces, [n, d].
        places: Their places, [n, d].
        odds: How likely the condition is in their contexts, [n].
    """

    rows: Ints
    pieces: Ints
    places: Floats
    odds: Floats

    @staticmethod
    def none() -> Candidates:
        """No row."""
        nothing = np.zeros(0, np.int64)
        return Candidates(nothing, np.zeros((0, 0), np.int64), np.zeros((0, 0)), np.zeros(0))

    @staticmethod
    def joined(parts: Sequence[Candidates]) -> Candidates:
        """The rows of all parts."""
        some = [p for p in parts if len(p.rows)]
        if not some:
            return Candidates.none()
        return Candidates(
            np.concatenate([p.rows for p in some]),
            np.concatenate([p.pieces for p in some]),
            np.concatenate([p.places for p in some]),
            np.concatenate([p.odds for p in some]),
        )

    def likeliest(self, most: int, rng: np.random.Generator) -> Candidates:
        """So many of them, taken by their odds (Efraimidis and Spirakis 2006)."""
        if len(self.rows) <= most:
            return self
        keys = np.log(np.maximum(self.odds, 1e-300)) + rng.gumbel(size=len(self.rows))
        at = np.sort(np.argsort(-keys, kind="stable")[:most])
        return Candidates(self.rows[at], self.pieces[at], self.places[at], self.odds[at])


def drawn_on(
    part: TablePart, told: Told, at: Ints, held: Mapping[int, Among], rng: np.random.Generator
) -> tuple[Encoded, Floats]:
    """Some rows of a block given what they are told, and the odds of the condition, [n].

    Args:
        part: Their table's part.
        told: The block.
        at: The rows, counted from its first one.
        held: Where the row model is held.
        rng: Of the draws.
    """
    context, model, now = told.context.take(at), part.sequence, told.now()
    if model is None:
        return _sampled(part.row_model, context, held, rng)
    if isinstance(model, FamilySequence):
        return _alone(part.row_model, model.index, context, now.take(at), held, rng)
    previous, position, step = (some[at] for some in schedule(told.parent))
    pieces, places = now.pieces[at].copy(), now.places[at].copy()
    odds = np.ones(len(at))
    for some, first in ((np.flatnonzero(step == 0), True), (np.flatnonzero(step > 0), False)):
        if not len(some):
            continue
        seen, row_model = context.take(some), part.row_model
        if not first:
            before = now.take(previous[some])
            seen, row_model = model.context(seen, before, position[some]), model.row_model
        drawn, odds[some] = _sampled(row_model, seen, held, rng)
        pieces[some], places[some] = drawn.pieces, drawn.places
    return Encoded(pieces, places, told.rows.layouts), odds


def with_children(part: TablePart, drawn: Encoded, now: Encoded) -> tuple[Encoded, np.ndarray]:
    """Rows with the children that those in their place have, so that all children stay.

    Args:
        part: Their table's part.
        drawn: The rows.
        now: Those in their place.

    Returns:
        The rows, and which of them would have had so many children by themselves.
    """
    alike, at = np.ones(len(now), bool), 0
    for codec in part.relations.values():
        numbers = [codec.counts.decode(some.columns(at, at + 1)) for some in (drawn, now)]
        alike &= np.rint(numbers[0][:, 0]) == np.rint(numbers[1][:, 0])
        at += codec.width
    at += len(part.levels)
    pieces, places = drawn.pieces.copy(), drawn.places.copy()
    pieces[:, :at], places[:, :at] = now.pieces[:, :at], now.places[:, :at]
    return Encoded(pieces, places, drawn.layouts), alike


def _alone(
    model: RowModel,
    index: int,
    context: Encoded,
    now: Encoded,
    held: Mapping[int, Among],
    rng: np.random.Generator,
) -> tuple[Encoded, Floats]:
    """Rows of families, each drawn by itself, which stay where they are in their family."""
    drawn, odds = _sampled(model, context, held, rng)
    if index >= 0 and index not in held:
        drawn.pieces[:, index], drawn.places[:, index] = now.pieces[:, index], now.places[:, index]
    return drawn, odds


def _sampled(
    model: RowModel, context: Encoded, held: Mapping[int, Among], rng: np.random.Generator
) -> tuple[Encoded, Floats]:
    if held:
        return model.sample_held(context, rng, held)
    return model.sample(context, rng), np.ones(len(context))
