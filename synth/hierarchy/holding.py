"""What a plan holds of a table's drawn rows: what children are told, and what keys depend on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Encoded
from prefect_synth.synth.hierarchy.blocks import BlockDrawer
from prefect_synth.synth.hierarchy.cohorts import NOTHING
from prefect_synth.synth.hierarchy.context import inherit
from prefect_synth.synth.hierarchy.contexts import new_blocks
from prefect_synth.synth.hierarchy.encoded_rows import EncodedRows
from prefect_synth.synth.hierarchy.links import parent_rows
from prefect_synth.synth.hierarchy.own_parts import tied_columns
from prefect_synth.synth.hierarchy.part import Blocks, TablePart
from prefect_synth.synth.hierarchy.spill import Rows
from prefect_synth.synth.hierarchy.structure import Structure
from prefect_synth.synth.randomness import stream


class Holding:
    """Draws tables whose parents are chosen, and holds what others need of their rows.

    Args:
        drawer: Draws blocks of rows; it has the sample.
        structure: Chooses parents of rows that refer to their own table.
    """

    def __init__(self, drawer: BlockDrawer, structure: Structure) -> None:
        self.drawer, self.structure = drawer, structure
        self.metadata, self.drawn = drawer.metadata, drawer.drawn
        self.keys, self.seed = drawer.keys, drawer.seed

    def columns(self, part: TablePart) -> list[str]:
        """Own columns that other rows depend on: parts of unique keys, and what children refer to.

        What those are computed from is held with them, since a repair changes both together.
        Columns that row numbers and links tell are none of them.
        """
        made = {*self.keys.names(part.name), *part.counters}
        referred = [c for r in self.metadata.children(part.name) for c in r.parent_columns]
        wanted = dict.fromkeys((*(c for key in part.unique for c in key), *referred))
        held = [c for c in wanted if c not in made]
        return [c for group in tied_columns(part.rules, held) for c in group if c not in made]

    def draw(self, part: TablePart, columns: Mapping[str, pa.Array | None], children: bool) -> None:
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

    def inherit(self, part: TablePart) -> None:
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

    def keep(self, part: TablePart) -> None:
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

    def _empty(self, part: TablePart) -> Blocks:
        """No rows of a table, encoded."""
        return self.drawer.draw_rows(part, 0, 0, 0).blocks


def _whole(values: list[pa.Array], field: pa.Field) -> pa.Array:
    """One array of a column's blocks."""
    return pa.chunked_array(values, field.type).combine_chunks()
