"""Which parents the rows of a sampled table have: chosen before the rows' own columns."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.generation.scramble import permute
from prefect_synth.synth.hierarchy.contexts import BLOCK_ROWS, Contexts, blocks_of, told_of
from prefect_synth.synth.hierarchy.counts import calibrate
from prefect_synth.synth.hierarchy.fixed_children import FixedChildren
from prefect_synth.synth.hierarchy.levels import assign_by_level
from prefect_synth.synth.hierarchy.matching import match, match_styles, match_within
from prefect_synth.synth.hierarchy.overlap import shared_forebear, shared_rows
from prefect_synth.synth.hierarchy.part import Blocks, StructureModel, TablePart
from prefect_synth.synth.hierarchy.placed import Placed
from prefect_synth.synth.hierarchy.polymorphic import Owners, filled_in
from prefect_synth.synth.hierarchy.spill import Spill
from prefect_synth.synth.hierarchy.unique_keys import room
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.randomness import stream

STRETCH_ROWS = 2**20
"""Child rows that are matched with parents at a time."""


@dataclass
class Sample:
    """Sampled tables while they grow.

    Args:
        rows: Rows by table.
        blocks: Encoded columns by table.
        inherited: What each table's rows pass on.
        links: Parent row of each row, by relation.
        told: Parent row that each row was drawn with, by relation: repairs may exchange parents.
        columns: Columns that are held whole, by table.
        held: Names of columns that no repair may change.
        placed: Rows that are drawn anew on a condition, by table.
        spill: Holds the large arrays.
    """

    rows: dict[str, int] = field(default_factory=dict)
    blocks: dict[str, Blocks] = field(default_factory=dict)
    inherited: dict[str, Encoded] = field(default_factory=dict)
    links: dict[str, Ints] = field(default_factory=dict)
    told: dict[str, Ints] = field(default_factory=dict)
    columns: dict[str, dict[str, pa.Array]] = field(default_factory=dict)
    held: Collection[str] = ()
    placed: dict[str, Placed] = field(default_factory=dict)
    spill: Spill = field(default_factory=Spill)


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
        self.scales = scales
        self.relations = {r.name: r for r in metadata.relationships}
        self.contexts = Contexts(metadata, drawn, seed)
        self.owners = Owners(metadata, drawn)
        self.fixed = fixed or FixedChildren()

    def choose(self, part: TablePart, rows: int) -> None:
        """Choose the parents of every row of a table: `links` and `told` of `drawn`."""
        told: list[str] = []
        for relation in told_of(part):
            rng = stream(self.seed, "parents", relation)
            if relation == part.plan.primary:
                link = self._primary(part, relation, rows, rng)
            else:
                link = self._assigned(part, relation, told, rows, rng)
            self.drawn.links[relation] = self.drawn.told[relation] = link.astype(np.int32)
            told.append(relation)

    def _looked_for(
        self, part: TablePart, relation: str, told: Sequence[str], rows: int
    ) -> Iterator[Encoded]:
        """What the rows look for in a parent, given those that they have, block by block."""
        model = part.structure[relation].row_model
        for block, start, stop in [*blocks_of(part, rows)] or [(0, 0, 0)]:
            rng = stream(self.seed, "structure", relation, str(block))
            yield model.sample(self.contexts.of(part, told, start, stop), rng)

    def _primary(self, part: TablePart, relation: str, rows: int, rng: np.random.Generator) -> Ints:
        counts = self._counts(part, relation, self._linked(part, relation, rows), rng)
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
        model, drawn = part.structure[relation], self._looked_for(part, relation, told, rows)
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
        shared = shared_forebear(self.metadata, self.drawn, self.relations[relation])
        if shared is not None:
            link[~null] = match_within(shared[0][~null], shared[1], self._wanted(relation), rng)
            return link
        linked = np.flatnonzero(~null)
        linked = _some_of(linked, self._linked(part, relation, rows, len(linked)), rng)
        counts, offered = (
            self._counts(part, relation, len(linked), rng),
            self._traits(model, relation),
        )
        for at, slots in _stretches(counts, rng):
            link[linked[at]] = match(wanted[linked[at]], slots, offered, rng)
        return link

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
        shared = shared_forebear(self.metadata, self.drawn, self.relations[relation])
        link = np.full(len(wanted), -1, np.int32)
        linked = np.flatnonzero(wanted >= 0)
        if shared is not None:
            weights = self._wanted(relation)
            link[linked] = match_within(shared[0][linked], shared[1], weights, rng)
            return link
        total = self._linked(part, relation, len(wanted), len(linked))
        linked = _some_of(linked, total, rng)
        styles = self._styles(relation)
        counts = self._counts(part, relation, total, rng, self._by_name(relation, wanted[linked]))
        for at, slots in _stretches(counts, rng):
            link[linked[at]] = match_styles(wanted[linked[at]], slots, styles, rng)
        return link

    def _styles(self, relation: str) -> Ints:
        """Style of each parent row that the children through a relation are told, [parents]."""
        blocks = self.drawn.blocks[self.relations[relation].parent]
        return blocks.styles[blocks.style_of[relation]].pieces[:, 0]

    def _by_name(self, relation: str, wanted: Ints) -> Floats | None:
        """Children of each parent row whose style is a row of its own, [parents].

        Args:
            relation: The relation.
            wanted: Style that each child row looks for, [n].
        """
        parent = self.parts[self.relations[relation].parent]
        if not parent.styles[parent.style_of[relation]].codec.named:
            return None
        styles, able = self._styles(relation), self._able(relation)
        asked = np.bincount(wanted, minlength=int(styles.max(initial=0)) + 1)
        alike = np.bincount(styles[able], minlength=len(asked))
        return np.where(able, asked[styles] / np.maximum(alike[styles], 1), 0.0)

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

    def _counts(
        self,
        part: TablePart,
        relation: str,
        total: int,
        rng: np.random.Generator,
        wanted: Floats | None = None,
    ) -> Ints:
        most = self._most(part, relation)
        wanted = self._wanted(relation) if wanted is None else wanted
        more = self.scales[part.name] / self.scales[self.relations[relation].parent]
        if more != 1:  # parents that all families share have more children than were trained on
            wanted = np.floor(wanted * more + rng.random(len(wanted)))
        able = self._able(relation)
        counts = np.zeros(len(wanted), np.int64)
        try:
            counts[able] = calibrate(wanted[able], total, rng, most)
        except ValueError as error:
            raise SynthesisError(
                f"Table '{part.name}' cannot be sampled through '{relation}': {error}. "
                "Ask for a scale at which the parent table has rows."
            ) from error
        return self.fixed.hold(relation, counts, able, most)

    def _most(self, part: TablePart, relation: str) -> int | None:
        """Largest number of children that a parent can have, where there is one."""
        partners = [
            math.prod(sizes.values()) // sizes[relation]
            for sizes in room(self.metadata, part, self.drawn.rows)
            if sizes.get(relation)
        ]
        return 1 if relation in part.one_to_one else min(partners, default=None)

    def _linked(self, part: TablePart, relation: str, rows: int, wanted: int | None = None) -> int:
        """Rows that have a parent: as asked, and where there may be nulls no more than fit."""
        linked = rows - round(part.nulls[relation] * rows) if wanted is None else wanted
        able, most = int(self._able(relation).sum()), self._most(part, relation)
        if part.nulls[relation] == 0 or (most is None and able):
            return linked
        return min(linked, (most or 0) * able)

    def _able(self, relation: str) -> np.ndarray:
        """Which parent rows can have children: those whose referenced columns have no null."""
        link = self.relations[relation]
        able = np.ones(self.drawn.rows[link.parent], bool)
        able[shared_rows(self.metadata, self.drawn.rows, link) :] = False
        for column in link.parent_columns:
            values = self.drawn.columns[link.parent].get(column)
            if values is not None and values.null_count:
                able &= np.asarray(values.is_valid())
        return able

    def _wanted(self, relation: str) -> Floats:
        """Children that each parent row should have by what it was drawn with, [parents]."""
        parent = self.relations[relation].parent
        if relation not in self.parts[parent].relations:  # its style says it all
            style = self.parts[parent].styles[self.parts[parent].style_of[relation]]
            return np.asarray(style.codec.children[relation][self._styles(relation)])
        codec = self.parts[parent].relations[relation]
        return codec.counts.decode(self.drawn.blocks[parent].relations[relation].columns(0, 1))[
            :, 0
        ]

    def by_level(
        self, part: TablePart, relation: str, level: Ints, rng: np.random.Generator
    ) -> Ints:
        """Parents of a table that refers to itself, each one level above."""
        shared = shared_forebear(self.metadata, self.drawn, self.relations[relation])
        groups = np.zeros(len(level), np.int64) if shared is None else shared[0]
        alone = relation in part.one_to_one
        link = assign_by_level(level, self._wanted(relation), rng, groups, alone=alone)
        if part.nulls[relation] == 0:  # a root that may not be null refers to itself
            link = np.where(link < 0, np.arange(len(link)), link)
        return link

    def late(self, part: TablePart, relation: str, rng: np.random.Generator) -> Ints:
        """Parents through a relation that closes a cycle, once every table has its rows."""
        return rng.permutation(self._primary(part, relation, self.drawn.rows[part.name], rng))


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
