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
from prefect_synth.synth.hierarchy.appending import (
    NEW_SHARE,
    for_growth,
    is_closed,
    is_crowded,
    is_ordered,
)
from prefect_synth.synth.hierarchy.cohorts import NOTHING, Cohorts
from prefect_synth.synth.hierarchy.contexts import BLOCK_ROWS, Contexts, new_blocks, told_of
from prefect_synth.synth.hierarchy.counts import calibrate
from prefect_synth.synth.hierarchy.fixed_children import FixedChildren
from prefect_synth.synth.hierarchy.levels import assign_by_level, levels
from prefect_synth.synth.hierarchy.matching import match, match_styles, match_within
from prefect_synth.synth.hierarchy.overlap import shared_forebear, shared_rows
from prefect_synth.synth.hierarchy.part import Blocks, StructureModel, TablePart
from prefect_synth.synth.hierarchy.placed import Placed
from prefect_synth.synth.hierarchy.polymorphic import Owners, filled_in
from prefect_synth.synth.hierarchy.spill import Spill
from prefect_synth.synth.hierarchy.unique_keys import room
from prefect_synth.synth.metadata import Metadata, Relationship
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
        cohorts: Which rows were planned together.
        fresh: While a stage is planned, the first row that it plans, by table planned so far;
            those before it stay as they are.
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
    cohorts: Cohorts = field(default_factory=Cohorts)
    fresh: dict[str, int] = field(default_factory=dict)

    def parents_at(self, table: str, row: int, parent: str) -> int:
        """How many rows a parent's table had when a row was planned."""
        return int(self.cohorts.parents(table, np.array([row]), parent, self.rows[parent])[0])

    def is_linked(self, relation: Relationship) -> bool:
        """Whether the child rows of a relation are planned, those of this stage included."""
        link, stage = self.links.get(relation.name), self.cohorts.stage
        if link is None or (stage and self.fresh and relation.child not in self.fresh):
            return False
        return not stage or len(link) == self.rows.get(relation.child)

    def end_stage(self) -> None:
        """All tables are planned: their rows stay, and later ones come after them."""
        self.cohorts.history = (*self.cohorts.history, dict(self.rows))
        self.fresh.clear()

    def append(self, table: str, relation: str, link: Ints, *, told: bool = False) -> None:
        """Add the parents of a table's newest rows.

        Args:
            table: The table.
            relation: The relation.
            link: Their parent rows.
            told: Whether the rows are drawn with these parents in mind.
        """
        first = self.fresh.get(table, 0)
        link = link.astype(np.int32) if told else link
        for links in (self.links, self.told) if told else (self.links,):
            whole = np.concatenate([links[relation][:first], link]) if first else link
            links[relation] = whole
        if told and (self.links[relation] == self.told[relation]).all():
            self.told[relation] = self.links[relation]


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
        most, named = self._left(part, relation), wanted is not None
        wanted = self._wanted(relation) if wanted is None else wanted
        more = self.scales[part.name] / self.scales[self.relations[relation].parent]
        if more != 1:  # parents that all families share have more children than were trained on
            wanted = np.floor(wanted * more + rng.random(len(wanted)))
        able = self._able(relation)
        if self.drawn.cohorts.stage:
            able[self.fixed.parents(relation)] = False
        if self.drawn.fresh.get(part.name) and not named:
            wanted, able = self._among_parents(part, relation, wanted, able, total, rng)
        counts = np.zeros(len(wanted), np.int64)
        try:
            room = most[able] if isinstance(most, np.ndarray) else most
            counts[able] = calibrate(wanted[able], total, rng, room)
        except ValueError as error:
            raise SynthesisError(
                f"Table '{part.name}' cannot be sampled through '{relation}': {error}. "
                "Ask for a scale at which the parent table has rows."
            ) from error
        if self.drawn.cohorts.stage:  # the base holds what is asked for
            return counts
        return self.fixed.hold(relation, counts, able, self._most(part, relation))

    def _most(self, part: TablePart, relation: str) -> int | None:
        """Largest number of children that a parent can have, where there is one."""
        partners = [
            math.prod(sizes.values()) // sizes[relation]
            for sizes in room(self.metadata, part, self.drawn.rows)
            if sizes.get(relation)
        ]
        return 1 if relation in part.one_to_one else min(partners, default=None)

    def _left(self, part: TablePart, relation: str) -> int | Ints | None:
        """How many more children a parent can have; for each one where some have children."""
        most, first = self._most(part, relation), self.drawn.fresh.get(part.name, 0)
        if most is None or not first:
            return most
        links = self.drawn.links[relation][:first]
        parents = self.drawn.rows[self.relations[relation].parent]
        return np.maximum(most - np.bincount(links[links >= 0], minlength=parents), 0)

    def _among_parents(
        self,
        part: TablePart,
        relation: str,
        wanted: Floats,
        able: np.ndarray,
        total: int,
        rng: np.random.Generator,
    ) -> tuple[Floats, np.ndarray]:
        """Deal the rows that are appended out among old and new parents; see `for_growth`."""
        parent = self.relations[relation].parent
        new = np.arange(len(wanted)) >= self.drawn.fresh.get(parent, 0)
        closed = is_closed(self.parts[parent], part, relation) and (new & able).any()
        if closed and (is_ordered(part) or not is_crowded(self.drawn, part.name, parent)):
            return wanted, able & new
        share = 1.0 if relation in (part.plan.primary, *part.plan.deferred) else NEW_SHARE
        return for_growth(wanted, new & able, able & ~new, total * share, total, rng), able

    def _linked(self, part: TablePart, relation: str, rows: int, wanted: int | None = None) -> int:
        """Rows that have a parent: as asked, and where there may be nulls no more than fit."""
        first, share = self.drawn.fresh.get(part.name, 0), part.nulls[relation]
        nulls = round(share * (first + rows)) - round(share * first)
        linked = rows - min(max(nulls, 0), rows) if wanted is None else wanted
        able, most = self._able(relation), self._left(part, relation)
        if part.nulls[relation] == 0 or (most is None and able.any()):
            return linked
        return min(linked, int(np.where(able, 0 if most is None else most, 0).sum()))

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
        """Parents of the newest rows of a table that refers to itself, each one level above."""
        before = self.drawn.links.get(relation, np.zeros(0, np.int64))
        before = before[: self.drawn.fresh.get(part.name, 0)]
        level = np.concatenate([levels(before), level]) if len(before) else level
        shared = shared_forebear(self.metadata, self.drawn, self.relations[relation])
        groups = np.zeros(len(level), np.int64) if shared is None else shared[0]
        alone = relation in part.one_to_one
        link = assign_by_level(level, self._wanted(relation), rng, groups, alone=alone, old=before)
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
