"""Which parents the rows of a sampled table have: chosen before the rows' own columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints
from prefect_synth.synth.generation.scramble import permute
from prefect_synth.synth.hierarchy.child_counts import ChildCounts
from prefect_synth.synth.hierarchy.cohorts import NOTHING
from prefect_synth.synth.hierarchy.contexts import BLOCK_ROWS, Contexts, new_blocks, told_of
from prefect_synth.synth.hierarchy.fixed_children import FixedChildren
from prefect_synth.synth.hierarchy.levels import assign_by_level, levels
from prefect_synth.synth.hierarchy.matching import match, match_styles, match_within
from prefect_synth.synth.hierarchy.overlap import shared_forebear
from prefect_synth.synth.hierarchy.part import StructureModel, TablePart
from prefect_synth.synth.hierarchy.polymorphic import Owners, filled_in
from prefect_synth.synth.hierarchy.sample import Sample
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.randomness import stream

STRETCH_ROWS = 2**20
"""Child rows that are matched with parents at a time."""


class Structure:
    """Chooses the parents of sampled rows.

    Args:
        metadata: The schema.
        parts: A part for each table.
        drawn: What is sampled so far; links are added to it.
        seed: Of every draw.
        scales: By table, rows asked for as a share of the rows trained on.
        fixed: Parents whose number of children is asked for.
    """

    def __init__(
        self,
        metadata: Metadata,
        parts: Mapping[str, TablePart],
        drawn: Sample,
        seed: int,
        scales: Mapping[str, float],
        fixed: FixedChildren | None = None,
    ) -> None:
        self.metadata, self.parts, self.drawn, self.seed = metadata, parts, drawn, seed
        self.relations = {r.name: r for r in metadata.relationships}
        self.contexts = Contexts(metadata, drawn, seed)
        self.owners = Owners(metadata, drawn)
        self.fixed = fixed or FixedChildren()
        self.counts = ChildCounts(metadata, parts, drawn, scales, self.fixed)

    def choose(self, part: TablePart, rows: int) -> None:
        """Choose the parents of the newest rows of a table: `links` and `told` of `drawn`."""
        told: list[str] = []
        for relation in told_of(part):
            rng = self._stream(part, "parents", relation)
            if relation == part.plan.primary:
                link = self._primary(part, relation, rows, rng)
            else:
                link = self._assigned(part, relation, told, rows, rng)
            self.drawn.append(part.name, relation, link, told=True)
            told.append(relation)

    def _stream(self, part: TablePart, *purpose: str) -> np.random.Generator:
        """A generator for the newest rows of a table."""
        return stream(self.seed, *purpose, *self.drawn.cohorts.words(part.name))

    def _looked_for(self, part: TablePart, relation: str, told: Sequence[str]) -> Iterator[Encoded]:
        """What the rows look for in a parent, given those that they have, block by block."""
        model = part.structure[relation].row_model
        for block in [b for _, b in new_blocks(part, self.drawn)] or [NOTHING]:
            rng = stream(self.seed, "structure", relation, block.name)
            yield model.sample(self.contexts.of(part, told, block.start, block.stop), rng)

    def _primary(self, part: TablePart, relation: str, rows: int, rng: np.random.Generator) -> Ints:
        counts = self.counts.deal(part, relation, self.counts.linked(part, relation, rows), rng)
        link = np.full(rows, -1, np.int32)
        link[: int(counts.sum())] = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        return link

    def _assigned(
        self,
        part: TablePart,
        relation: str,
        told: Sequence[str],
        rows: int,
        rng: np.random.Generator,
    ) -> Ints:
        model, drawn = part.structure[relation], self._looked_for(part, relation, told)
        if model.style is not None:
            shift = int(model.style.has_null)
            sought = [(some.pieces[:, 0] - shift).astype(np.int32) for some in drawn]
            by = self.owners.filled(part, relation, np.concatenate(sought), rng)
            return self._by_style(part, relation, by, rng)
        assert model.codec is not None  # noqa: S101 - it is one or the other
        wanted = np.concatenate([model.codec.decode(some).astype(np.float32) for some in drawn])
        null = self._nulls(part, relation, wanted, rows, rng)
        due = self.owners.due(part, relation, null, rng)
        wanted, null = filled_in(wanted, null, due, rng), ~due
        link = np.full(rows, -1, np.int32)
        shared = self._shared_forebear(part, relation)
        if shared is not None:
            link[~null] = match_within(
                shared[0][~null], shared[1], self.counts.wanted(relation), rng
            )
            return link
        linked = np.flatnonzero(~null)
        linked = _some_of(linked, self.counts.linked(part, relation, rows, len(linked)), rng)
        counts, offered = (
            self.counts.deal(part, relation, len(linked), rng),
            self._traits(model, relation),
        )
        for at, slots in _stretches(counts, rng):
            link[linked[at]] = match(wanted[linked[at]], slots, offered, rng)
        return link

    def _shared_forebear(self, part: TablePart, relation: str) -> tuple[Ints, Ints] | None:
        """`shared_forebear` of the newest rows."""
        shared = shared_forebear(self.metadata, self.drawn, self.relations[relation])
        first = self.drawn.fresh.get(part.name, 0)
        return None if shared is None else (shared[0][first:], shared[1])

    def _traits(self, model: StructureModel, relation: str) -> Floats:
        """Traits of all parent rows, [parents, k]."""
        assert model.traits is not None  # noqa: S101 - asked where there is no style
        seen = self.drawn.blocks[self.relations[relation].parent].seen(relation)
        rows = len(seen[0])
        blocks = [
            Encoded.beside([some.take(at) for some in seen], len(at))
            for at in np.array_split(np.arange(rows), max(rows // BLOCK_ROWS, 1))
        ]
        return np.concatenate([model.traits.of(block) for block in blocks])

    def _by_style(
        self,
        part: TablePart,
        relation: str,
        wanted: Ints,
        rng: np.random.Generator,
    ) -> Ints:
        """Parents of the style that each row looks for, in proportion to their children."""
        shared = self._shared_forebear(part, relation)
        link = np.full(len(wanted), -1, np.int32)
        linked = np.flatnonzero(wanted >= 0)
        if shared is not None:
            weights = self.counts.wanted(relation)
            link[linked] = match_within(shared[0][linked], shared[1], weights, rng)
            return link
        total = self.counts.linked(part, relation, len(wanted), len(linked))
        linked = _some_of(linked, total, rng)
        styles = self.counts.styles(relation)
        counts = self.counts.deal(
            part, relation, total, rng, self.counts.by_name(relation, wanted[linked])
        )
        for at, slots in _stretches(counts, rng):
            link[linked[at]] = match_styles(wanted[linked[at]], slots, styles, rng)
        return link

    def _nulls(
        self,
        part: TablePart,
        relation: str,
        wanted: Floats,
        rows: int,
        rng: np.random.Generator,
    ) -> np.ndarray:
        if wanted.shape[1]:
            return np.isnan(wanted[:, 0])
        null = np.zeros(rows, bool)
        null[rng.permutation(rows)[: round(part.nulls[relation] * rows)]] = True
        return null

    def by_level(
        self, part: TablePart, relation: str, level: Ints, rng: np.random.Generator
    ) -> Ints:
        """Parents of the newest rows of a table that refers to itself, each one level above."""
        before = self.drawn.links.get(relation, np.zeros(0, np.int64))
        before = before[: self.drawn.fresh.get(part.name, 0)]
        level = np.concatenate([levels(before), level]) if len(before) else level
        shared = shared_forebear(self.metadata, self.drawn, self.relations[relation])
        groups = np.zeros(len(level), np.int64) if shared is None else shared[0]
        alone = relation in part.one_to_one
        link = assign_by_level(
            level, self.counts.wanted(relation), rng, groups, alone=alone, old=before
        )
        if part.nulls[relation] == 0:  # a root that may not be null refers to itself
            link = np.where(link < 0, np.arange(len(before), len(level)), link)
        return link

    def late(self, part: TablePart, relation: str, rng: np.random.Generator) -> Ints:
        """Parents of the newest rows through a relation that closes a cycle, when all are there."""
        rows = self.drawn.rows[part.name] - self.drawn.fresh.get(part.name, 0)
        return rng.permutation(self._primary(part, relation, rows, rng))


def _some_of(rows: Ints, count: int, rng: np.random.Generator) -> Ints:
    """So many of the rows, in their order."""
    return rows if count == len(rows) else np.sort(rng.permutation(rows)[:count])


def _stretches(counts: Ints, rng: np.random.Generator) -> Iterator[tuple[slice, Ints]]:
    """A slot for each child row, dealt out by stretches of rows: no more is held at a time.

    Args:
        counts: Children of each parent row, [parents].
        rng: Deals the slots.

    Yields:
        A stretch of child rows, and the parent row of each of its slots in rising order.
    """
    ends, key = np.cumsum(counts), int(rng.integers(2**31))
    total = int(ends[-1]) if len(ends) else 0
    for start in range(0, total, STRETCH_ROWS):
        stop = min(start + STRETCH_ROWS, total)
        slots = np.sort(permute(np.arange(start, stop), total, key))
        yield slice(start, stop), np.searchsorted(ends, slots, side="right")
