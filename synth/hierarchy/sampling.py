"""The top-down pass: roots first, then children given their parents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.hierarchy.context import inherit, parent_context
from prefect_synth.synth.hierarchy.counts import calibrate
from prefect_synth.synth.hierarchy.keys import fill_keys
from prefect_synth.synth.hierarchy.levels import assign_by_level
from prefect_synth.synth.hierarchy.matching import match, match_within
from prefect_synth.synth.hierarchy.part import Blocks, TablePart, split
from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.synth.randomness import stream


@dataclass
class Sample:
    """Sampled tables while they grow.

    Args:
        rows: Rows by table.
        blocks: Encoded columns by table.
        inherited: What each table's rows pass on.
        links: Parent row of each row, by relation.
        columns: Finished columns by table.
    """

    rows: dict[str, int] = field(default_factory=dict)
    blocks: dict[str, Blocks] = field(default_factory=dict)
    inherited: dict[str, Encoded] = field(default_factory=dict)
    links: dict[str, Ints] = field(default_factory=dict)
    columns: dict[str, dict[str, pa.Array]] = field(default_factory=dict)


class Sampler:
    """Samples all tables of a fitted hierarchy once.

    Args:
        metadata: The schema.
        parts: A part for each table.
        order: Tables, parents first.
        scale: Rows asked for, as a share of the rows trained on.
        seed: Of every draw.
    """

    def __init__(
        self,
        metadata: Metadata,
        parts: Mapping[str, TablePart],
        order: tuple[str, ...],
        scale: float,
        seed: int,
    ) -> None:
        self.metadata, self.parts, self.order = metadata, parts, order
        self.scale, self.seed = scale, seed
        self.relations = {r.name: r for r in metadata.relationships}
        self.drawn = Sample()

    def tables(self) -> dict[str, pa.Table]:
        """Sample every table.

        Raises:
            SynthesisError: A parent table has too few rows for its children, or a key no room.
        """
        for name in self.order:
            self._rows(name)
        for name in self.order:
            self._late_links(name)
        fill_keys(self.metadata, self.parts, self.order, self.drawn, self.seed)
        return {name: self._table(name) for name in self.metadata.tables}

    def _rows(self, name: str) -> None:
        part = self.parts[name]
        rng = stream(self.seed, "sample", name)
        if part.kept is not None:
            self._keep(part)
            return
        rows = self._target(part)
        context = self._structure(part, rows, rng)
        self.drawn.rows[name] = rows
        blocks = split(part.row_model.sample(context, rng), part)
        self.drawn.blocks[name] = blocks
        self.drawn.columns[name] = part.codec.decode(blocks.own, stream(self.seed, "values", name))
        self._inherit(part, rng)
        for relation, codec in part.levels.items():
            level = np.rint(codec.decode(blocks.levels[relation])[:, 0]).astype(np.int64)
            self.drawn.links[relation] = assign_by_level(level, self._wanted(relation), rng)
        for relation, layout in part.references.items():
            piece = blocks.references[relation].pieces[:, 0]
            self.drawn.links[relation] = piece - int(layout.has_null)

    def _keep(self, part: TablePart) -> None:
        assert part.kept is not None  # noqa: S101 - asked by the caller
        self.drawn.rows[part.name] = part.rows
        self.drawn.blocks[part.name] = split(part.kept.encoded, part)
        self.drawn.columns[part.name] = dict(part.kept.columns)
        self.drawn.inherited[part.name] = Encoded.empty(part.rows)

    def _target(self, part: TablePart) -> int:
        """Rows to make: as asked, at least one of what was there, at most one a parent if so."""
        rows = max(round(part.rows * self.scale), min(part.rows, 1))
        for relation in part.one_to_one:
            parent = self.relations[relation].parent
            if parent in self.drawn.rows and part.nulls[relation] == 0 and parent != part.name:
                rows = min(rows, self.drawn.rows[parent])
        for first, second in self._pairs(part):
            rows = min(rows, self._parents(first) * self._parents(second))
        return rows

    def _pairs(self, part: TablePart) -> list[tuple[str, str]]:
        """Pairs of relations that together are a unique key: a parent meets another but once."""
        pairs = []
        for key in part.unique:
            used = [r for r in self.metadata.parents(part.name) if set(r.child_columns) & set(key)]
            covered = {c for r in used for c in r.child_columns} >= set(key)
            if len(used) == 2 and covered and all(r.parent in self.drawn.rows for r in used):
                pairs.append((used[0].name, used[1].name))
        return pairs

    def _parents(self, relation: str) -> int:
        return self.drawn.rows[self.relations[relation].parent]

    def _structure(self, part: TablePart, rows: int, rng: np.random.Generator) -> Encoded:
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
        nulls = round(part.nulls[relation] * rows)
        counts = self._counts(part, relation, rows - nulls, rng)
        link = np.repeat(np.arange(len(counts)), counts)
        return np.concatenate([link, np.full(nulls, -1, np.int64)])

    def _assigned(
        self, part: TablePart, relation: str, known: Encoded, rng: np.random.Generator
    ) -> Ints:
        model = part.structure[relation]
        wanted = model.codec.decode(model.row_model.sample(known, rng))
        null = self._nulls(part, relation, wanted, len(known), rng)
        link = np.full(len(known), -1, np.int64)
        parent = self.drawn.blocks[self.relations[relation].parent].for_child(relation)
        shared = self._shared(part, self.relations[relation])
        if shared is not None:
            link[~null] = match_within(shared[0][~null], shared[1], self._wanted(relation), rng)
            return link
        counts = self._counts(part, relation, int((~null).sum()), rng)
        slots = np.repeat(np.arange(len(counts)), counts)
        link[~null] = match(wanted[~null], slots, model.traits.of(parent), rng)
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

    def _shared(self, part: TablePart, relation: Relationship) -> tuple[Ints, Ints] | None:
        """Row numbers of a grandparent that both keys name, where two foreign keys overlap.

        Returns:
            For each row here, and for each row of the parent, the row of the common forebear; None
            where the relation shares no column with an earlier one.
        """
        for earlier in self.metadata.parents(part.name):
            common = set(earlier.child_columns) & set(relation.child_columns)
            if earlier.name == relation.name or not common or earlier.name not in self.drawn.links:
                continue
            here = self._forebear(earlier, common)
            there = self._forebear(relation, common)
            if here is not None and there is not None:
                link = self.drawn.links[earlier.name]
                return np.where(link >= 0, here[np.maximum(link, 0)], -1), there
        return None

    def _forebear(self, relation: Relationship, common: set[str]) -> Ints | None:
        """Which row of the table that owns the common columns each parent row belongs to."""
        columns = {
            p
            for c, p in zip(relation.child_columns, relation.parent_columns, strict=True)
            if c in common
        }
        for up in self.metadata.parents(relation.parent):
            if set(up.child_columns) == columns and up.name in self.drawn.links:
                return self.drawn.links[up.name]
        if columns == set(self.metadata.tables[relation.parent].primary_key):
            return np.arange(self.drawn.rows[relation.parent])
        return None

    def _late_links(self, name: str) -> None:
        """Close the cycles, now that every table has its rows."""
        part = self.parts[name]
        for relation in part.plan.deferred:
            rng = stream(self.seed, "late", relation)
            rows = self.drawn.rows[name]
            nulls = round(part.nulls[relation] * rows)
            counts = self._counts(part, relation, rows - nulls, rng)
            slots = np.repeat(np.arange(len(counts)), counts)
            link = np.concatenate([slots, np.full(nulls, -1, np.int64)])
            self.drawn.links[relation] = rng.permutation(link)

    def _counts(self, part: TablePart, relation: str, total: int, rng: np.random.Generator) -> Ints:
        partners = [
            self._parents(b if relation == a else a)
            for a, b in self._pairs(part)
            if relation in (a, b)
        ]
        most = 1 if relation in part.one_to_one else min(partners, default=None)
        try:
            return calibrate(self._wanted(relation), total, rng, most)
        except ValueError as error:
            raise SynthesisError(
                f"Table '{part.name}' cannot be sampled through '{relation}': {error}. "
                "Ask for a scale at which the parent table has rows."
            ) from error

    def _wanted(self, relation: str) -> Floats:
        """Children that each parent row should have by what it was drawn with, [parents]."""
        parent = self.relations[relation].parent
        codec = self.parts[parent].relations[relation]
        return codec.counts.decode(self.drawn.blocks[parent].relations[relation].columns(0, 1))[
            :, 0
        ]

    def _inherit(self, part: TablePart, rng: np.random.Generator) -> None:
        self.drawn.inherited[part.name] = inherit(
            self.metadata,
            part.plan.primary,
            self.drawn.links,
            self.drawn.blocks,
            self.drawn.inherited,
            self.drawn.rows[part.name],
            rng,
        )

    def _table(self, name: str) -> pa.Table:
        schema = self.parts[name].schema
        columns = self.drawn.columns[name]
        return pa.Table.from_arrays([columns[f.name] for f in schema], schema=schema)
