"""The top-down pass: roots first, then children given their parents."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Encoded, Ints
from prefect_synth.synth.generation.keys import Keys
from prefect_synth.synth.hierarchy.context import inherit
from prefect_synth.synth.hierarchy.keys import KeyColumns
from prefect_synth.synth.hierarchy.links import parent_rows
from prefect_synth.synth.hierarchy.part import TablePart, split
from prefect_synth.synth.hierarchy.relations import NAMED
from prefect_synth.synth.hierarchy.repairs import fill_keys
from prefect_synth.synth.hierarchy.structure import Sample, Structure
from prefect_synth.synth.hierarchy.unique_keys import room
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.randomness import stream
from prefect_synth.synth.rules.applying import own_codes, parent_codes


class Sampler:
    """Samples all tables of a fitted hierarchy once.

    Args:
        metadata: The schema.
        parts: A part for each table.
        order: Tables, parents first.
        scale: Rows asked for, as a share of the rows trained on.
        seed: Of every draw.
        keys: Whether minted keys are fresh or stable.
    """

    def __init__(
        self,
        metadata: Metadata,
        parts: Mapping[str, TablePart],
        order: tuple[str, ...],
        scale: float,
        seed: int,
        keys: Keys = "fresh",
    ) -> None:
        self.metadata, self.parts, self.order = metadata, parts, order
        self.scale, self.seed, self.keys = scale, seed, keys
        self.relations = {r.name: r for r in metadata.relationships}
        self.drawn = Sample()
        self.structure = Structure(metadata, parts, self.drawn)

    def tables(self) -> dict[str, pa.Table]:
        """Sample every table.

        Raises:
            SynthesisError: A parent table has too few rows for its children, or a key no room.
        """
        for name in self.order:
            self._rows(name)
        for name in self.order:
            self._late_links(name)
        keys = KeyColumns(self.metadata, self.parts, self.drawn, self.seed, self.keys)
        fill_keys(keys, self.order)
        return {name: self._table(name) for name in self.metadata.tables}

    def _rows(self, name: str) -> None:
        part = self.parts[name]
        rng = stream(self.seed, "sample", name)
        if part.kept is not None:
            self._keep(part)
            return
        rows = self._target(part)
        context = self.structure.choose(part, rows, rng)
        self.drawn.rows[name] = rows
        styles, context = self._styles(part, context, rng)
        blocks = split(part.row_model.sample(context, rng), part, styles)
        self.drawn.blocks[name] = blocks
        self.drawn.columns[name] = part.codec.decode(blocks.own, stream(self.seed, "values", name))
        self._inherit(part, rng)
        for relation, codec in part.levels.items():
            level = np.rint(codec.decode(blocks.levels[relation])[:, 0]).astype(np.int64)
            self.drawn.links[relation] = self.structure.by_level(part, relation, level, rng)
        for relation, layout in part.references.items():
            piece = blocks.references[relation].pieces[:, 0]
            self.drawn.links[relation] = piece - int(layout.has_null)
        self.drawn.columns[name] = self._restored(part)

    @staticmethod
    def _styles(
        part: TablePart, context: Encoded, rng: np.random.Generator
    ) -> tuple[dict[str, Encoded], Encoded]:
        """Draw the styles of the rows; they join the context."""
        styles = {}
        for name, model in part.styles.items():
            styles[name] = model.row_model.sample(context, rng)
            context = Encoded.beside([context, styles[name]], len(context))
        return styles, context

    def _restored(self, part: TablePart) -> dict[str, pa.Array]:
        """The columns with what rules determine."""
        codes = parent_codes(self.metadata, part.plan, self.drawn.links, self._codes())
        rng = stream(self.seed, "rules", part.name)
        columns, rows = self.drawn.columns[part.name], self.drawn.rows[part.name]
        return part.rules.backward(columns, codes, rng, rows)

    def _codes(self) -> dict[str, Ints]:
        """What stands for the rows of the tables that are drawn, for rules."""
        codes = {}
        for name, blocks in self.drawn.blocks.items():
            part = self.parts[name]
            if part.kept is not None:
                codes[name] = np.arange(part.rows)
            elif NAMED in part.styles:
                shares = part.styles[NAMED].codec.layout.probabilities
                codes[name] = own_codes(blocks.styles[NAMED].pieces[:, 0], shares, part.rows)
        return codes

    def _keep(self, part: TablePart) -> None:
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

    def _target(self, part: TablePart) -> int:
        """Rows to make: as asked, at least one of what was there, at most one a parent if so."""
        rows = max(round(part.rows * self.scale), min(part.rows, 1))
        for relation in part.one_to_one:
            parent = self.relations[relation].parent
            if parent in self.drawn.rows and part.nulls[relation] == 0 and parent != part.name:
                rows = min(rows, self.drawn.rows[parent])
        for sizes in room(self.metadata, part, self.drawn.rows):
            rows = min(rows, math.prod(sizes.values()))
        return rows

    def _late_links(self, name: str) -> None:
        """Close the cycles, now that every table has its rows."""
        part = self.parts[name]
        for relation in part.plan.deferred:
            rng = stream(self.seed, "late", relation)
            self.drawn.links[relation] = self.structure.late(part, relation, rng)

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
