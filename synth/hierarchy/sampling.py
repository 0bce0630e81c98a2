"""A sample of a fitted hierarchy: a plan of all tables, then any block of them, in any order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from prefect_synth.synth.errors import ContractError, SynthesisError
from prefect_synth.synth.generation.keys import Keys
from prefect_synth.synth.hierarchy.blocks import BlockDrawer
from prefect_synth.synth.hierarchy.contexts import blocks_of
from prefect_synth.synth.hierarchy.fixed_children import FixedChildren
from prefect_synth.synth.hierarchy.keys import KeyColumns
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.planning import Planner
from prefect_synth.synth.hierarchy.sample import Sample
from prefect_synth.synth.hierarchy.spill import Spill
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.scenarios.scenario import Scenarios
from prefect_synth.synth.storage import load_mapped, save_mapped

_SHARE = 8
"""Arrays of a plan may take one in so many bytes of memory."""

Shard = tuple[int, int]
"""Which of how many parts of a sample: (0, 4) is the first of four."""


class Sampler:
    """Samples all tables of a fitted hierarchy once.

    Args:
        metadata: The schema.
        parts: A part for each table.
        order: Tables, parents first.
        stages: Scales by table, rows asked for as a share of the rows trained on: those of earlier
            samples, the first one first, and at last what is asked for. What an earlier stage has
            drawn stays, and what is asked beyond it follows.
        seed: Of every draw.
        keys: Whether minted keys are fresh or stable.
        memory: Bytes that may be used; without end where None.
        pseudonym_key: Secret that personal data are made with; from the seed where None.
        scenarios: What must occur, by table.

    Attributes:
        anew: Tables whose rows of the stage before could not stay.

    Raises:
        ContractError: A scenario is out of reach.
        SynthesisError: A parent table has too few rows for its children, or a key no room.
    """

    def __init__(
        self,
        metadata: Metadata,
        parts: Mapping[str, TablePart],
        order: tuple[str, ...],
        stages: Sequence[Mapping[str, float]],
        seed: int,
        keys: Keys = "fresh",
        memory: int | None = None,
        pseudonym_key: bytes | None = None,
        scenarios: Scenarios | None = None,
    ) -> None:
        def empty() -> KeyColumns:
            drawn = Sample(spill=Spill(None if memory is None else memory // _SHARE))
            return KeyColumns(metadata, parts, drawn, seed, keys, pseudonym_key)

        def planner(number: int, columns: KeyColumns, fixed: FixedChildren | None) -> Planner:
            return Planner(metadata, parts, order, stages[number], columns, scenarios, fixed)

        columns, last = _in_stages(len(stages), empty, planner)
        self.anew = tuple(sorted(last.anew)) if len(stages) > 1 else ()
        self._take(metadata, parts, columns)

    def _take(self, metadata: Metadata, parts: Mapping[str, TablePart], keys: KeyColumns) -> None:
        self.metadata, self.parts, self.keys = metadata, parts, keys
        self.drawn = keys.drawn
        self.drawer = BlockDrawer(metadata, parts, self.drawn, keys)

    @property
    def rows(self) -> dict[str, int]:
        """Rows of each table."""
        return {name: self.drawn.rows[name] for name in self.metadata.tables}

    def save(self, folder: Path) -> None:
        """Write the plan, so that other processes can draw their shards without making it."""
        kept = [name for name, part in self.parts.items() if part.kept is not None]
        columns = {n: c for n, c in self.drawn.columns.items() if n not in kept}
        state = {
            "rows": self.drawn.rows,
            "links": self.drawn.links,
            "told": {r: t for r, t in self.drawn.told.items() if t is not self.drawn.links[r]},
            "blocks": self.drawn.blocks,
            "inherited": self.drawn.inherited,
            "columns": columns,
            "placed": self.drawn.placed,
            "cohorts": self.drawn.cohorts,
            "seed": self.keys.seed,
            "stable": self.keys.stable,
        }
        save_mapped(folder, "sample", state)

    @classmethod
    def load(
        cls,
        folder: Path,
        metadata: Metadata,
        parts: Mapping[str, TablePart],
        pseudonym_key: bytes | None = None,
    ) -> Sampler:
        """Read a plan that `save` wrote.

        Args:
            folder: Where it is.
            metadata: The schema.
            parts: The parts of the model that it was made with.
            pseudonym_key: The one that it was made with; it is not stored with the plan.

        Raises:
            StorageError: There is none, or it is of another format.
        """
        state = load_mapped(folder, "sample")
        state["told"] = state["links"] | state["told"]
        seed, stable = state.pop("seed"), state.pop("stable")
        state["columns"] |= {n: dict(p.kept.columns) for n, p in parts.items() if p.kept}
        made = cls.__new__(cls)
        chosen: Keys = "stable" if stable else "fresh"
        drawn = Sample(**state)
        columns = KeyColumns(metadata, parts, drawn, seed, chosen, pseudonym_key)
        made.anew = ()
        made._take(metadata, parts, columns)
        return made

    def batches(self, shard: Shard = (0, 1)) -> Iterator[tuple[str, pa.RecordBatch]]:
        """The blocks of a shard, table by table; those of all shards make the whole sample."""
        for name in self.metadata.tables:
            for batch in self.table_batches(name, shard):
                yield name, batch

    def table_batches(self, name: str, shard: Shard = (0, 1)) -> Iterator[pa.RecordBatch]:
        """The blocks of one table that belong to a shard."""
        for block in self.blocks(name, shard):
            yield self.drawer.finish(name, block)

    def tables(self) -> dict[str, pa.Table]:
        """All tables, whole."""
        found: dict[str, list[pa.RecordBatch]] = {name: [] for name in self.metadata.tables}
        for name, batch in self.batches():
            found[name].append(batch)
        return {
            name: pa.Table.from_batches(batches, self.parts[name].schema).combine_chunks()
            for name, batches in found.items()
        }

    def blocks(self, name: str, shard: Shard) -> range:
        """The blocks of a table that belong to a shard: a run of them, in their order."""
        at, shards = shard
        blocks = len(blocks_of(self.parts[name], self.drawn))
        return range(blocks * at // shards, blocks * (at + 1) // shards)


def _in_stages(
    count: int,
    empty: Callable[[], KeyColumns],
    planner: Callable[[int, KeyColumns, FixedChildren | None], Planner],
) -> tuple[KeyColumns, Planner]:
    """Plan all stages of a sample, one upon the other.

    Where one finds no room to append to the rows before it, nothing of these can stay: then it is
    the base of those that follow. So is the next one where the rows of a base are too few for a
    scenario: what is asked for tonight is tried with the rows of tonight, too.

    Args:
        count: Number of stages.
        empty: Makes a sample without rows.
        planner: Makes the planner of a stage.

    Returns:
        The sample, and the planner of its last stage.

    Raises:
        ContractError: A scenario is out of reach in every stage.
        SynthesisError: A base cannot be planned.
    """
    base, number, columns = 0, 0, empty()
    fixed: FixedChildren | None = None
    while True:
        planned = planner(number, columns, fixed)
        try:
            planned.plan()
        except SynthesisError as error:
            if number == base:
                if number == count - 1 or not isinstance(error, ContractError):
                    raise
                number += 1
            base, columns, fixed = number, empty(), None
            continue
        number, fixed = number + 1, planned.structure.fixed
        if number == count:
            return columns, planned
