"""A sample of a fitted hierarchy: a plan of all tables, then any block of them, in any order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa

from prefect_synth.synth.generation.keys import Keys
from prefect_synth.synth.hierarchy.blocks import BlockDrawer
from prefect_synth.synth.hierarchy.contexts import block_rows
from prefect_synth.synth.hierarchy.keys import KeyColumns
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.planning import Planner
from prefect_synth.synth.hierarchy.spill import Spill
from prefect_synth.synth.hierarchy.structure import Sample
from prefect_synth.synth.metadata import Metadata

Shard = tuple[int, int]
"""Which of how many parts of a sample: (0, 4) is the first of four."""


class Sampler:
    """Samples all tables of a fitted hierarchy once.

    Args:
        metadata: The schema.
        parts: A part for each table.
        order: Tables, parents first.
        scale: Rows asked for, as a share of the rows trained on.
        seed: Of every draw.
        keys: Whether minted keys are fresh or stable.
        memory: Bytes that may be used; without end where None.

    Raises:
        SynthesisError: A parent table has too few rows for its children, or a key no room.
    """

    def __init__(
        self,
        metadata: Metadata,
        parts: Mapping[str, TablePart],
        order: tuple[str, ...],
        scale: float,
        seed: int,
        keys: Keys = "fresh",
        memory: int | None = None,
    ) -> None:
        self.metadata, self.parts = metadata, parts
        self.drawn = Sample()
        made = KeyColumns(metadata, parts, self.drawn, seed, keys)
        self.spill = Spill(None if memory is None else memory // 4)
        Planner(metadata, parts, order, scale, made, self.spill).plan()
        self.drawer = BlockDrawer(metadata, parts, self.drawn, made)

    def batches(self, shard: Shard = (0, 1)) -> Iterator[tuple[str, pa.RecordBatch]]:
        """The blocks of a shard, table by table; those of all shards make the whole sample."""
        for name, part in self.parts.items():
            for block in self._blocks(part, shard):
                yield name, self.drawer.finish(name, block)

    def tables(self) -> dict[str, pa.Table]:
        """All tables, whole."""
        found: dict[str, list[pa.RecordBatch]] = {name: [] for name in self.metadata.tables}
        for name, batch in self.batches():
            found[name].append(batch)
        return {
            name: pa.Table.from_batches(batches, self.parts[name].schema).combine_chunks()
            for name, batches in found.items()
        }

    def _blocks(self, part: TablePart, shard: Shard) -> range:
        """The blocks of a table that belong to a shard: a run of them, in their order."""
        at, shards = shard
        blocks = -(-self.drawn.rows[part.name] // block_rows(part))
        return range(blocks * at // shards, blocks * (at + 1) // shards)
