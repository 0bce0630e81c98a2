"""One feeding: what goes where, into which tables, and how."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import pyarrow as pa

from prefect_synth.tasks.databases.errors import FeedRequestError
from prefect_synth.tasks.databases.existing import Existing, TargetKey, TargetTable, lacking
from prefect_synth.tasks.databases.plan import Place, Plan, PlannedTable

Mode = Literal["replace", "append", "upsert"]
Create = Literal["missing", "never", "always"]


class Rows(Protocol):
    """Where the rows come from: a snapshot."""

    def batches(self, name: str, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield a table in pieces."""

    def files(self, name: str) -> list[Path]:
        """The local Parquet files of a table."""


@dataclass(frozen=True)
class Job:
    """One feeding.

    Args:
        rows: The snapshot's rows.
        plan: The tables, in order.
        mode: What becomes of rows that are there already.
        existing: What the database has.
        columns: For each table, the snapshot's columns and the database's names of them.
        remade: Tables that go in the end, because they are made anew; `existing` lacks them.
    """

    rows: Rows
    plan: Plan
    mode: Mode
    existing: Existing
    columns: Mapping[str, Mapping[str, str]]
    remade: tuple[Place, ...] = ()

    def target(self, table: PlannedTable) -> TargetTable | None:
        """The table that the database has already."""
        return self.existing.find(table.place)

    def place(self, table: PlannedTable) -> Place:
        """Where a table lies, as the database spells it."""
        target = self.target(table)
        return table.place if target is None else target.place

    def present(self) -> tuple[PlannedTable, ...]:
        """The tables that the database has already."""
        return tuple(t for t in self.plan.tables if self.target(t) is not None)

    def missing(self) -> tuple[PlannedTable, ...]:
        """The tables that are to be created."""
        return tuple(t for t in self.plan.tables if self.target(t) is None)

    def batches(self, table: PlannedTable) -> Iterable[pa.RecordBatch]:
        """The columns that are written, in pieces."""
        return self.rows.batches(table.name, list(self.columns[table.name]))

    def written(self, table: PlannedTable) -> tuple[str, ...]:
        """The database's names of the columns that are written."""
        return tuple(self.columns[table.name].values())

    def key(self, table: PlannedTable) -> tuple[str, ...]:
        """The primary key, as the database spells it.

        Raises:
            FeedRequestError: There is none, and rows cannot be told apart without.
        """
        target = self.target(table)
        names = self.columns[table.name]
        if target is not None and target.primary_key:
            return target.primary_key
        if target is None and table.meaning.primary_key:
            return tuple(names[column] for column in table.meaning.primary_key)
        raise FeedRequestError(
            f"Table '{table.place}' has no primary key, so it cannot be told which rows to update. "
            "Use the mode replace or append, or give the table a primary key."
        )

    def left_out(self) -> tuple[str, ...]:
        """The snapshot's columns that existing tables lack, as `table.column`."""
        found = ((table, self.target(table)) for table in self.plan.tables)
        return tuple(
            f"{table.name}.{column}"
            for table, target in found
            if target is not None
            for column in lacking(table, target, folds_case=self.existing.folds_case)
        )

    def places(self) -> frozenset[Place]:
        """The places that are fed."""
        return frozenset(table.place for table in self.plan.tables)

    def foreign_keys(self, *, outside: bool = False) -> tuple[TargetKey, ...]:
        """The database's own foreign keys between fed tables, or into them from `outside`."""
        places = {t.place for table in self.present() if (t := self.target(table))}
        return tuple(
            key
            for key in self.existing.foreign_keys
            if key.parent in places and (key.child in places) != outside
        )

    def touched_keys(self) -> tuple[TargetKey, ...]:
        """The database's own foreign keys with a fed table on either side: they might break."""
        places = {t.place for table in self.present() if (t := self.target(table))}
        return tuple(k for k in self.existing.foreign_keys if {k.child, k.parent} & places)
