"""Which parents the rows of a sampled table have: chosen before the rows' own columns."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.hierarchy.context import parent_context
from prefect_synth.synth.hierarchy.counts import calibrate
from prefect_synth.synth.hierarchy.levels import assign_by_level
from prefect_synth.synth.hierarchy.matching import match, match_styles, match_within
from prefect_synth.synth.hierarchy.overlap import shared_forebear, shared_rows
from prefect_synth.synth.hierarchy.part import Blocks, StructureModel, TablePart
from prefect_synth.synth.hierarchy.unique_keys import room
from prefect_synth.synth.metadata import Metadata


@dataclass
class Sample:
    """Sampled tables while they grow.

    Args:
        rows: Rows by table.
        blocks: Encoded columns by table.
        inherited: What each table's rows pass on.
        links: Parent row of each row, by relation.
        columns: Finished columns by table.
        held: Names of columns that no repair may change.
    """

    rows: dict[str, int] = field(default_factory=dict)
    blocks: dict[str, Blocks] = field(default_factory=dict)
    inherited: dict[str, Encoded] = field(default_factory=dict)
    links: dict[str, Ints] = field(default_factory=dict)
    columns: dict[str, dict[str, pa.Array]] = field(default_factory=dict)
    held: Collection[str] = ()


class Structure:
    """Chooses the parents of sampled rows.

    Args:
        metadata: The schema.
        parts: A part for each table.
        drawn: What is sampled so far; links are added to it.
    """

    def __init__(self, metadata: Metadata, parts: Mapping[str, TablePart], drawn: Sample) -> None:
        self.metadata, self.parts, self.drawn = metadata, parts, drawn
        self.relations = {r.name: r for r in metadata.relationships}

    def choose(self, part: TablePart, rows: int, rng: np.random.Generator) -> Encoded:
        """Choose the parents of every row, and gather what the rows know of them."""
        contexts: list[Encoded] = []
        plan = part.plan
        for relation in [r for r in (plan.primary, *plan.assigned) if r is not None]:
            if relation == plan.primary:
                link = self._primary(part, relation, rows, rng)
            else:
                link = self._assigned(part, relation, Encoded.beside(contexts, rows), rng)
            self.drawn.links[relation] = link
            parent = self.relations[relation].parent
            contexts.append(
                parent_context(
                    self.drawn.blocks[parent],
                    self.drawn.inherited[parent],
                    relation,
                    link,
                    part.nulls[relation],
                    rng,
                )
            )
        return Encoded.beside(contexts, rows)

    def _primary(self, part: TablePart, relation: str, rows: int, rng: np.random.Generator) -> Ints:
        counts = self._counts(part, relation, self._linked(part, relation, rows), rng)
        link = np.repeat(np.arange(len(counts)), counts)
        return np.concatenate([link, np.full(rows - len(link), -1, np.int64)])

    def _assigned(
        self, part: TablePart, relation: str, known: Encoded, rng: np.random.Generator
    ) -> Ints:
        model = part.structure[relation]
        if model.style is not None:
            return self._by_style(part, relation, model, known, rng)
        assert model.codec is not None and model.traits is not None  # noqa: S101, PT018
        wanted = model.codec.decode(model.row_model.sample(known, rng))
        null = self._nulls(part, relation, wanted, len(known), rng)
        link = np.full(len(known), -1, np.int64)
        parent = self.drawn.blocks[self.relations[relation].parent].for_child(relation)
        shared = shared_forebear(self.metadata, self.drawn, self.relations[relation])
        if shared is not None:
            link[~null] = match_within(shared[0][~null], shared[1], self._wanted(relation), rng)
            return link
        linked = np.flatnonzero(~null)
        excess = len(linked) - self._linked(part, relation, len(known), len(linked))
        null[rng.permutation(linked)[:excess]] = True
        counts = self._counts(part, relation, len(linked) - excess, rng)
        slots = np.repeat(np.arange(len(counts)), counts)
        link[~null] = match(wanted[~null], slots, model.traits.of(parent), rng)
        return link

    def _by_style(
        self,
        part: TablePart,
        relation: str,
        model: StructureModel,
        known: Encoded,
        rng: np.random.Generator,
    ) -> Ints:
        """Parents of the style that each row looks for, in proportion to their children."""
        assert model.style is not None  # noqa: S101 - asked by the caller
        wanted = model.row_model.sample(known, rng).pieces[:, 0] - int(model.style.has_null)
        shared = shared_forebear(self.metadata, self.drawn, self.relations[relation])
        link = np.full(len(known), -1, np.int64)
        linked = np.flatnonzero(wanted >= 0)
        if shared is not None:
            weights = self._wanted(relation)
            link[linked] = match_within(shared[0][linked], shared[1], weights, rng)
            return link
        total = self._linked(part, relation, len(known), len(linked))
        linked = np.sort(rng.permutation(linked)[:total])
        styles = self._styles(relation)
        counts = self._counts(part, relation, total, rng, self._by_name(relation, wanted[linked]))
        slots = np.repeat(np.arange(len(counts)), counts)
        link[linked] = match_styles(wanted[linked], slots, styles, rng)
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
        able = self._able(relation)
        counts = np.zeros(len(wanted), np.int64)
        try:
            counts[able] = calibrate(wanted[able], total, rng, most)
        except ValueError as error:
            raise SynthesisError(
                f"Table '{part.name}' cannot be sampled through '{relation}': {error}. "
                "Ask for a scale at which the parent table has rows."
            ) from error
        return counts

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
