"""Blocks of rows of sampled tables: drawn as encoded rows, and finished as columns.

When the plan has chosen the parents, any block of any table is drawn alone, in any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Encoded, Ints
from prefect_synth.synth.hierarchy.around import Around
from prefect_synth.synth.hierarchy.cohorts import NOTHING
from prefect_synth.synth.hierarchy.contexts import (
    Contexts,
    block_rows,
    blocks_of,
    span_of,
    told_of,
)
from prefect_synth.synth.hierarchy.keys import KeyColumns
from prefect_synth.synth.hierarchy.part import Blocks, TablePart, split
from prefect_synth.synth.hierarchy.placed import Placed, overlaid
from prefect_synth.synth.hierarchy.polymorphic import with_owner_types
from prefect_synth.synth.hierarchy.relations import NAMED
from prefect_synth.synth.hierarchy.sample import Sample
from prefect_synth.synth.hierarchy.sequences import draw_sequences
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.randomness import stream
from prefect_synth.synth.rules.applying import own_codes, parent_codes
from prefect_synth.synth.rules.increasing import FAMILY


@dataclass(frozen=True)
class Drawn:
    """A block of rows as its row model drew it.

    Args:
        start: Number of its first row.
        stop: End of its rows.
        blocks: The encoded rows.
        links: Rows of kept parents, by relation, where they are part of the encoded row.
        name: Names the streams of the block's draws.
        before: The block as it was before some rows were drawn anew, where some were.
        placed: Which rows of the block these are.
    """

    start: int
    stop: int
    blocks: Blocks
    links: dict[str, Ints] = field(default_factory=dict)
    name: str = "0"
    before: Drawn | None = None
    placed: Ints | None = None


@dataclass(frozen=True)
class Told:
    """A block of rows, and what they were drawn from.

    Args:
        start: Number of its first row.
        stop: End of its rows.
        styles: Their styles.
        context: What each row was told, styles included.
        parent: Their primary parents, negative where there is none, [n].
        rows: The encoded rows.
        name: Names the streams of the block's draws.
        placed: Rows that are drawn anew in the place of others, by their numbers in the table.
    """

    start: int
    stop: int
    styles: dict[str, Encoded]
    context: Encoded
    parent: Ints
    rows: Encoded
    name: str = "0"
    placed: Placed | None = None

    def now(self) -> Encoded:
        """The encoded rows, with those that are drawn anew."""
        return self.rows if self.placed is None else self.placed.over(self.rows, self.start)

    def drawn(self, part: TablePart) -> Drawn:
        """The rows, taken apart."""
        found = self._drawn(part, self.rows)
        at = None if self.placed is None else self.placed.between(self.start, self.stop)
        if at is None or not len(at):
            return found
        anew = self._drawn(part, self.now())
        if part.rules.increasing is not None:  # the rows of a family follow from each other
            return anew
        return replace(found, blocks=anew.blocks, links=anew.links, before=found, placed=at)

    def _drawn(self, part: TablePart, rows: Encoded) -> Drawn:
        blocks = split(rows, part, self.styles)
        links = {
            relation: blocks.references[relation].pieces[:, 0].astype(np.int64)
            - int(layout.has_null)
            for relation, layout in part.references.items()
        }
        return Drawn(self.start, self.stop, blocks, links, self.name)


class BlockDrawer:
    """Draws blocks of rows of tables whose parents are chosen.

    Args:
        metadata: The schema.
        parts: A part for each table.
        drawn: The plan: rows, links, and what children are told of their parents.
        keys: Makes the key columns.
    """

    def __init__(
        self,
        metadata: Metadata,
        parts: Mapping[str, TablePart],
        drawn: Sample,
        keys: KeyColumns,
    ) -> None:
        self.metadata, self.parts, self.drawn, self.keys = metadata, parts, drawn, keys
        self.seed = keys.seed
        self.contexts = Contexts(metadata, drawn, keys.seed)
        self.around = Around(metadata, parts, drawn, self.finish)
        self._named: dict[str, Ints] = {}

    def draw(self, part: TablePart, block: int) -> Drawn:
        """Draw the encoded rows of one block of a table."""
        return self.draw_rows(part, block, *span_of(part, self.drawn, block))

    def draw_rows(self, part: TablePart, block: int, start: int, stop: int) -> Drawn:
        """Draw rows `start` to `stop`, of which block `block` consists."""
        return self.told(part, block, start, stop).drawn(part)

    def told(self, part: TablePart, block: int, start: int, stop: int) -> Told:
        """The same rows before they are taken apart, and what they were told."""
        name = next((b.name for b in blocks_of(part, self.drawn)[block:]), NOTHING.name)
        return self.told_as(part, name, start, stop)

    def told_as(self, part: TablePart, name: str, start: int, stop: int) -> Told:
        """Rows `start` to `stop`, by the streams of a name."""
        rng = stream(self.seed, "sample", part.name, name)
        context = self.contexts.of(part, told_of(part), start, stop)
        styles, context = _styles(part, context, rng)
        parent = self._families(part, start, stop)
        rows = draw_sequences(part, context, parent, rng)
        placed = self.drawn.placed.get(part.name)
        return Told(start, stop, styles, context, parent, rows, name, placed)

    def own_columns(
        self,
        part: TablePart,
        drawn: Drawn,
        given: Mapping[str, pa.Array] | None = None,
    ) -> dict[str, pa.Array]:
        """The columns of a block that are in no foreign key, with what rules determine.

        Args:
            part: The table's part.
            drawn: The block's rows.
            given: Columns that stand as they are, repaired ones too; others follow them by rule.
        """
        columns = self._own(part, drawn, given)
        if drawn.before is None or drawn.placed is None:
            return columns
        # a draw for one row would move those of the others
        plain = self._own(part, drawn.before, given)
        return {c: overlaid(plain[c], columns[c], drawn.placed) for c in columns}

    def _own(
        self, part: TablePart, drawn: Drawn, given: Mapping[str, pa.Array] | None
    ) -> dict[str, pa.Array]:
        rng = stream(self.seed, "values", part.name, drawn.name)
        pseudonyms = self.keys.pseudonyms
        place = pseudonyms.place(part.name, drawn.start)
        columns = part.codec.decode(drawn.blocks.own, rng, place=place)
        columns |= pseudonyms.shared(part, columns, drawn.start)
        known = [r for r in (*told_of(part), *part.references) if r in self.drawn.links]
        chosen = {r: self.drawn.links[r][drawn.start : drawn.stop] for r in known}
        links = drawn.links | chosen
        columns = with_owner_types(self.metadata, part.name, columns, links)
        codes = parent_codes(self.metadata, part.plan, links, self._codes(part))
        rng = stream(self.seed, "rules", part.name, drawn.name)
        seen = {o.name: self.around.values(o, links, drawn) for o in part.rules.outside}
        if part.rules.increasing is not None:
            seen[FAMILY] = pa.array(self._families(part, drawn.start, drawn.stop))
        rows = drawn.stop - drawn.start
        return part.rules.backward(columns | seen, codes, rng, rows, given)

    def _families(self, part: TablePart, start: int, stop: int) -> Ints:
        """The primary parent that rows were drawn with, negative where there is none, [n]."""
        if part.plan.primary is None:
            return np.full(stop - start, -1, np.int64)
        return self.drawn.told[part.plan.primary][start:stop]

    def _codes(self, part: TablePart) -> dict[str, Ints]:
        """What stands for the rows of a table's parents, for rules."""
        for relation in self.metadata.parents(part.name):
            name, above = relation.parent, self.parts[relation.parent]
            if name in self._named or name not in self.drawn.blocks:
                continue
            if above.kept is not None:
                self._named[name] = np.arange(above.rows)
            elif NAMED in above.styles:
                shares = above.styles[NAMED].codec.layout.probabilities
                styles = self.drawn.blocks[name].styles[NAMED].pieces[:, 0]
                self._named[name] = own_codes(styles, shares, above.rows)
        return self._named

    def finish(self, name: str, block: int) -> pa.RecordBatch:
        """One block of a table, complete.

        Args:
            name: The table.
            block: Number of the block.

        Raises:
            SynthesisError: A key's type cannot hold so many keys.
        """
        part = self.parts[name]
        if part.kept is not None:
            start = block * block_rows(part)
            kept = {c: v.slice(start, block_rows(part)) for c, v in part.kept.columns.items()}
            return _batch(part.schema, kept)
        drawn = self.draw(part, block)
        held, size = self.drawn.columns.get(name, {}), drawn.stop - drawn.start
        given = {c: values.slice(drawn.start, size) for c, values in held.items()}
        columns = self.own_columns(part, drawn, given)
        rows = np.arange(drawn.start, drawn.stop)
        for column in self.keys.names(name):
            columns[column] = self.keys.values(name, column, rows, drawn.links)
        return _batch(part.schema, columns)


def _batch(schema: pa.Schema, columns: Mapping[str, pa.Array]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([columns[f.name] for f in schema], schema=schema)


def _styles(
    part: TablePart, context: Encoded, rng: np.random.Generator
) -> tuple[dict[str, Encoded], Encoded]:
    """Draw the styles of the rows; they join the context."""
    styles = {}
    for name, model in part.styles.items():
        styles[name] = model.row_model.sample(context, rng)
        context = Encoded.beside([context, styles[name]], len(context))
    return styles, context
