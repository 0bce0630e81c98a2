"""The plan of a sample: rows, parents, and what children are told, top-down over the schema.

What is held for a table is a few integers for each row, and its encoded columns where it has
children; its blocks are finished later, each alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Encoded
from prefect_synth.synth.hierarchy.blocks import BlockDrawer, Drawn
from prefect_synth.synth.hierarchy.context import inherit
from prefect_synth.synth.hierarchy.contexts import blocks_of
from prefect_synth.synth.hierarchy.fixed_children import FixedChildren
from prefect_synth.synth.hierarchy.keys import KeyColumns
from prefect_synth.synth.hierarchy.links import parent_rows
from prefect_synth.synth.hierarchy.own_parts import tied_columns
from prefect_synth.synth.hierarchy.part import Blocks, TablePart
from prefect_synth.synth.hierarchy.quotas import Quotas
from prefect_synth.synth.hierarchy.repairs import repair_keys
from prefect_synth.synth.hierarchy.spill import Rows, Spill
from prefect_synth.synth.hierarchy.structure import Structure
from prefect_synth.synth.hierarchy.unique_keys import room
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.randomness import stream
from prefect_synth.synth.scenarios.scenario import Scenarios


class Planner:
    """Plans one sample of a fitted hierarchy.

    Args:
        metadata: The schema.
        parts: A part for each table.
        order: Tables, parents first.
        scales: By table, rows asked for as a share of the rows trained on.
        keys: Makes the key columns; it holds the sample that is planned.
        scenarios: What must occur, by table.
    """

    def __init__(
        self,
        metadata: Metadata,
        parts: Mapping[str, TablePart],
        order: tuple[str, ...],
        scales: Mapping[str, float],
        keys: KeyColumns,
        scenarios: Scenarios | None = None,
    ) -> None:
        self.metadata, self.parts, self.order, self.scales = metadata, parts, order, scales
        self.keys, self.drawn, self.seed = keys, keys.drawn, keys.seed
        self.relations = {r.name: r for r in metadata.relationships}
        fixed = FixedChildren.of(metadata, scenarios or {}, keys.seed)
        self.structure = Structure(metadata, parts, self.drawn, keys.seed, scales, fixed)
        self.drawer = BlockDrawer(metadata, parts, self.drawn, keys)
        self.quotas = Quotas(scenarios or {}, parts, self.drawer, fixed)

    def plan(self) -> None:
        """Plan every table.

        Raises:
            SynthesisError: A parent table has too few rows for its children, or a key no room.
            ContractError: A scenario is out of reach.
        """
        for name in self.order:
            if self.parts[name].kept is None:
                self._plan_table(self.parts[name])
            else:
                self._keep(self.parts[name])
        for name in self.order:
            for relation in self.parts[name].plan.deferred:  # every table has its rows now
                rng = stream(self.seed, "late", relation)
                self.drawn.links[relation] = self.structure.late(self.parts[name], relation, rng)
        repair_keys(self.keys, self.order)
        self.quotas.confirm()

    def _plan_table(self, part: TablePart) -> None:
        rows = self._target(part)
        self.structure.choose(part, rows)
        self.drawn.rows[part.name], self.drawn.columns[part.name] = rows, {}
        self.quotas.reach(part)
        children = bool(self.metadata.children(part.name))
        columns = self._held_columns(part)
        if children or columns or part.levels or (part.references and part.unique):
            self._draw(part, columns, children)
        if children:
            self._inherit(part)

    def _target(self, part: TablePart) -> int:
        """Rows to make: as asked, at least one of what was there, at most one a parent if so."""
        rows = max(round(part.rows * self.scales[part.name]), min(part.rows, 1))
        for relation in part.one_to_one:
            parent = self.relations[relation].parent
            if parent in self.drawn.rows and part.nulls[relation] == 0 and parent != part.name:
                rows = min(rows, self.drawn.rows[parent])
        for sizes in room(self.metadata, part, self.drawn.rows):
            rows = min(rows, math.prod(sizes.values()))
        return rows

    def _held_columns(self, part: TablePart) -> list[str]:
        """Own columns that other rows depend on: parts of unique keys, and what children refer to.

        What those are computed from is held with them, since a repair changes both together.
        Columns that row numbers and links tell are none of them.
        """
        made = {*self.keys.names(part.name), *part.counters}
        referred = [c for r in self.metadata.children(part.name) for c in r.parent_columns]
        wanted = dict.fromkeys((*(c for key in part.unique for c in key), *referred))
        held = [c for c in wanted if c not in made]
        return [c for group in tied_columns(part.rules, held) for c in group if c not in made]

    def _draw(self, part: TablePart, columns: list[str], children: bool) -> None:
        """Draw all rows of a table, and hold what is needed of them."""
        rows, name = self.drawn.rows[part.name], part.name
        encoded = EncodedRows(self.drawn.spill, rows)
        levels = {relation: np.zeros(rows, np.int64) for relation in part.levels}
        references = {relation: np.zeros(rows, np.int32) for relation in part.references}
        held: dict[str, list[pa.Array]] = {column: [] for column in columns}
        for block, _, _ in blocks_of(part, rows):
            drawn = self.drawer.draw(part, block)
            start, stop = drawn.start, drawn.stop
            if children:
                encoded.write(drawn)
            for relation, codec in part.levels.items():
                level = codec.decode(drawn.blocks.levels[relation])[:, 0]
                levels[relation][start:stop] = np.rint(level)
            for relation, link in drawn.links.items():
                references[relation][start:stop] = link
            if columns:
                own = self.drawer.own_columns(part, block, drawn)
                for column in columns:
                    held[column].append(own[column])
        self.drawn.links.update(references)
        self.drawn.columns[name] = {c: _whole(v, part.schema.field(c)) for c, v in held.items()}
        if children:
            self.drawn.blocks[name] = encoded.blocks(self._empty(part))
        for relation, level in levels.items():
            rng = stream(self.seed, "level", relation)
            self.drawn.links[relation] = self.structure.by_level(part, relation, level, rng)

    def _empty(self, part: TablePart) -> Blocks:
        """No rows of a table, encoded."""
        return self.drawer.draw_rows(part, 0, 0, 0).blocks

    def _inherit(self, part: TablePart) -> None:
        """What the rows pass on to their children of what they are told themselves."""
        primary, rows = part.plan.primary, self.drawn.rows[part.name]
        if primary is None:
            self.drawn.inherited[part.name] = Encoded.empty(rows)
            return
        passed: Rows | None = None
        for block, start, stop in [*blocks_of(part, rows)] or [(0, 0, 0)]:
            some = inherit(
                self.metadata,
                primary,
                {primary: self.drawn.told[primary][start:stop]},
                self.drawn.blocks,
                self.drawn.inherited,
                stop - start,
                stream(self.seed, "inherit", part.name, str(block)),
            )
            passed = passed or Rows(self.drawn.spill, rows, some.layouts)
            passed.write(start, some)
        assert passed is not None  # noqa: S101 - there is one block at least
        self.drawn.inherited[part.name] = passed.encoded

    def _keep(self, part: TablePart) -> None:
        """A table that is published as it is: its rows are known."""
        assert part.kept is not None  # noqa: S101 - asked by the caller
        self.drawn.rows[part.name] = part.rows
        self.drawn.blocks[part.name] = part.kept.blocks
        self.drawn.columns[part.name] = dict(part.kept.columns)
        self.drawn.inherited[part.name] = Encoded.empty(part.rows)
        for relation in self.metadata.parents(part.name):  # its parents are kept too
            child, parent = (
                pa.table(self.drawn.columns[side]) for side in (part.name, relation.parent)
            )
            self.drawn.links[relation.name] = parent_rows(child, parent, relation)


class EncodedRows:
    """A table's encoded rows as children see them, written block by block.

    Args:
        spill: Where large arrays go.
        rows: Rows of the table.
    """

    def __init__(self, spill: Spill, rows: int) -> None:
        self.spill, self.rows = spill, rows
        self.parts: dict[tuple[str, str], Rows] = {}

    def write(self, drawn: Drawn) -> None:
        """Keep what children may see of a block."""
        for place, some in _seen(drawn.blocks).items():
            if place not in self.parts:
                self.parts[place] = Rows(self.spill, self.rows, some.layouts)
            self.parts[place].write(drawn.start, some)

    def blocks(self, empty: Blocks) -> Blocks:
        """All rows; `empty` is what a table without rows looks like."""
        made = {
            place: self.parts[place].encoded if place in self.parts else some
            for place, some in _seen(empty).items()
        }
        of = {
            kind: {name: some for (k, name), some in made.items() if k == kind}
            for kind in ("relations", "styles")
        }
        return Blocks(of["relations"], {}, made["own", ""], {}, of["styles"], empty.style_of)


def _seen(blocks: Blocks) -> dict[tuple[str, str], Encoded]:
    found = {("own", ""): blocks.own}
    found |= {("relations", name): some for name, some in blocks.relations.items()}
    return found | {("styles", name): some for name, some in blocks.styles.items()}


def _whole(values: list[pa.Array], field: pa.Field) -> pa.Array:
    """One array of a column's blocks."""
    return pa.chunked_array(values, field.type).combine_chunks()
