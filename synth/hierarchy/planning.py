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
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.hierarchy.appending import CROWDED, is_ordered
from prefect_synth.synth.hierarchy.blocks import BlockDrawer, Drawn
from prefect_synth.synth.hierarchy.cohorts import NOTHING
from prefect_synth.synth.hierarchy.context import inherit
from prefect_synth.synth.hierarchy.contexts import new_blocks
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
from prefect_synth.synth.scenarios.scenario import Scenarios, bound_tables


class Planner:
    """Plans one stage of a sample of a fitted hierarchy: its base, or rows to append to it.

    Args:
        metadata: The schema.
        parts: A part for each table.
        order: Tables, parents first.
        scales: By table, rows asked for as a share of the rows trained on, those of earlier stages
            included.
        keys: Makes the key columns; it holds the sample that is planned.
        scenarios: What must occur, by table: in the base, and rows that are appended later leave it
            as it is.
        fixed: Parents whose number of children the base has fixed; None where this is the base.
    """

    def __init__(
        self,
        metadata: Metadata,
        parts: Mapping[str, TablePart],
        order: tuple[str, ...],
        scales: Mapping[str, float],
        keys: KeyColumns,
        scenarios: Scenarios | None = None,
        fixed: FixedChildren | None = None,
    ) -> None:
        self.metadata, self.parts, self.order, self.scales = metadata, parts, order, scales
        self.keys, self.drawn, self.seed = keys, keys.drawn, keys.seed
        self.relations = {r.name: r for r in metadata.relationships}
        scenarios = scenarios or {}
        self.bound = bound_tables(metadata, scenarios)
        fixed = fixed or FixedChildren.of(metadata, scenarios, keys.seed)
        self.structure = Structure(metadata, parts, self.drawn, keys.seed, scales, fixed)
        self.drawer = BlockDrawer(metadata, parts, self.drawn, keys)
        scenarios = {} if self.drawn.cohorts.stage else scenarios
        self.quotas = Quotas(scenarios, parts, self.drawer, fixed)
        self.anew: set[str] = set()

    def plan(self) -> None:
        """Plan every table.

        Raises:
            SynthesisError: A parent table has too few rows for its children, or a key no room.
            ContractError: A scenario is out of reach.
        """
        for name in self.order:
            if self.parts[name].kept is None:
                self._plan_table(self.parts[name])
            elif not self.drawn.cohorts.stage:
                self._keep(self.parts[name])
            else:
                self.drawn.fresh[name] = self.drawn.rows[name]
        self._check_parents()
        for name in self._growing():
            for relation in self.parts[name].plan.deferred:  # every table has its rows now
                words = self.drawn.cohorts.words(name)
                rng = stream(self.seed, "late", relation, *words)
                link = self.structure.late(self.parts[name], relation, rng)
                self.drawn.append(name, relation, link)
        repair_keys(self.keys, self._growing())
        self.quotas.confirm()
        self.drawn.end_stage()

    def _check_parents(self) -> None:
        """Refuse to leave rows as they are whose parents, planned after them, are others now."""
        if not self.drawn.cohorts.stage:
            return
        for relation in self.metadata.relationships:
            if relation.parent in self.anew and relation.child not in self.anew:
                raise SynthesisError(
                    f"Table '{relation.child}' cannot be appended to, for '{relation.parent}' is "
                    "drawn anew and refers to it."
                )

    def _growing(self) -> list[str]:
        """The tables that have rows of this stage."""
        fresh, rows = self.drawn.fresh, self.drawn.rows
        return [n for n in self.order if fresh.get(n, 0) < rows[n] or not self.drawn.cohorts.stage]

    def _plan_table(self, part: TablePart) -> None:
        name = part.name
        before = self.drawn.rows.pop(name, 0)
        rows = self._target(part)
        anew = not self.drawn.cohorts.stage or self._is_drawn_anew(part, before, rows)
        if rows == before and not anew:
            self.drawn.rows[name] = self.drawn.fresh[name] = rows
            return
        first = self.drawn.fresh[name] = 0 if anew else before
        if anew and self.drawn.cohorts.stage and name in self.bound:
            raise SynthesisError(
                f"Table '{name}' cannot be drawn anew beside rows that stay: scenarios hold by it."
            )
        self.anew |= {name} if anew else set()
        self.drawn.cohorts.begin(name, rows, anew=anew)
        held = {} if anew else self.drawn.columns[name]
        self.structure.choose(part, rows - first)
        self.drawn.rows[name], self.drawn.columns[name] = rows, {}
        self.quotas.reach(part)
        children = bool(self.metadata.children(name))
        columns = self._held_columns(part)
        if children or columns or part.levels or (part.references and part.unique):
            self._draw(part, {c: held.get(c) for c in columns}, children)
        if children:
            self._inherit(part)

    def _is_drawn_anew(self, part: TablePart, before: int, rows: int) -> bool:
        """Whether a later stage cannot leave a table's rows as they are.

        It has fewer rows than before, or rows of it would lose their parents, or its families
        stand in an order and there are too few new parents for new ones.
        """
        parents = {r.parent for r in self.metadata.parents(part.name)} - {part.name}
        if rows < before or parents & self.anew:
            return True
        if rows == before or not is_ordered(part) or part.plan.primary is None:
            return False
        above = self.relations[part.plan.primary].parent
        first, now = self.drawn.fresh[above], self.drawn.rows[above]
        return (rows - before) * first > CROWDED * (now - first) * before

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

    def _draw(
        self, part: TablePart, columns: Mapping[str, pa.Array | None], children: bool
    ) -> None:
        """Draw the newest rows of a table, and hold what is needed of them.

        Args:
            part: The table's part.
            columns: Columns that are held, with the values of the rows before.
            children: Whether other tables refer to it.
        """
        rows, name = self.drawn.rows[part.name], part.name
        first = self.drawn.fresh.get(name, 0)
        encoded = EncodedRows(self.drawn.spill, rows)
        if children and first:
            encoded.keep(self.drawn.blocks[name])
        levels = {relation: np.zeros(rows - first, np.int64) for relation in part.levels}
        references = {relation: np.zeros(rows - first, np.int32) for relation in part.references}
        held = {c: [v] if first and v is not None else list[pa.Array]() for c, v in columns.items()}
        for block, _ in new_blocks(part, self.drawn):
            drawn = self.drawer.draw(part, block)
            start, stop = drawn.start - first, drawn.stop - first
            if children:
                encoded.write(drawn)
            for relation, codec in part.levels.items():
                level = codec.decode(drawn.blocks.levels[relation])[:, 0]
                levels[relation][start:stop] = np.rint(level)
            for relation, link in drawn.links.items():
                references[relation][start:stop] = link
            if columns:
                own = self.drawer.own_columns(part, drawn)
                for column in columns:
                    held[column].append(own[column])
        for relation, link in references.items():
            self.drawn.append(name, relation, link)
        self.drawn.columns[name] = {c: _whole(v, part.schema.field(c)) for c, v in held.items()}
        if children:
            self.drawn.blocks[name] = encoded.blocks(self._empty(part))
        for relation, level in levels.items():
            rng = stream(self.seed, "level", relation, *self.drawn.cohorts.words(name))
            self.drawn.append(name, relation, self.structure.by_level(part, relation, level, rng))

    def _empty(self, part: TablePart) -> Blocks:
        """No rows of a table, encoded."""
        return self.drawer.draw_rows(part, 0, 0, 0).blocks

    def _inherit(self, part: TablePart) -> None:
        """What the rows pass on to their children of what they are told themselves."""
        primary, rows = part.plan.primary, self.drawn.rows[part.name]
        first = self.drawn.fresh.get(part.name, 0)
        if primary is None:
            self.drawn.inherited[part.name] = Encoded.empty(rows)
            return
        passed: Rows | None = None
        for block in [b for _, b in new_blocks(part, self.drawn)] or [NOTHING]:
            some = inherit(
                self.metadata,
                primary,
                {primary: self.drawn.told[primary][block.start : block.stop]},
                self.drawn.blocks,
                self.drawn.inherited,
                block.stop - block.start,
                stream(self.seed, "inherit", part.name, block.name),
            )
            if passed is None:
                passed = Rows(self.drawn.spill, rows, some.layouts)
                if first:
                    passed.write(0, self.drawn.inherited[part.name])
            passed.write(block.start, some)
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
        self._write(drawn.blocks, drawn.start)

    def keep(self, blocks: Blocks) -> None:
        """Take over the first rows, which an earlier stage has drawn."""
        self._write(blocks, 0)

    def _write(self, blocks: Blocks, start: int) -> None:
        for place, some in _seen(blocks).items():
            if place not in self.parts:
                self.parts[place] = Rows(self.spill, self.rows, some.layouts)
            self.parts[place].write(start, some)

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
