"""What differs between two snapshots: schema, rows, distributions, and the judgement."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from prefect_synth.tasks.snapshots.difference_columns import ColumnDrift, column_drift
from prefect_synth.tasks.snapshots.difference_rows import RowChanges, TableFiles, row_changes
from prefect_synth.tasks.snapshots.difference_schema import (
    SchemaChange,
    primary_key,
    schema_changes,
)
from prefect_synth.tasks.snapshots.difference_scores import (
    CheckChange,
    ScoreChange,
    check_changes,
    score_changes,
)
from prefect_synth.tasks.snapshots.errors import SnapshotContentError
from prefect_synth.tasks.snapshots.reading_snapshot import Snapshot
from prefect_synth.tasks.warehouses.errors import did_you_mean


@dataclass(frozen=True)
class SnapshotDifference:
    """Everything that differs, in counts and shares; no value of a row.

    Args:
        before: Name of the one snapshot.
        after: Name of the other.
        rows: What became of the rows, by table that both have.
        schema: What differs in the schema.
        columns: How columns moved, the most moved first; none of tables whose files are the same.
        scores: The figures, the most moved first.
        checks: The checks whose verdict is another.
    """

    before: str
    after: str
    rows: Mapping[str, RowChanges]
    schema: tuple[SchemaChange, ...]
    columns: tuple[ColumnDrift, ...]
    scores: tuple[ScoreChange, ...]
    checks: tuple[CheckChange, ...]

    @property
    def unchanged_share(self) -> float | None:
        """The share of all rows before that are there after, unchanged."""
        before = sum(changes.before for changes in self.rows.values())
        unchanged = sum(changes.unchanged for changes in self.rows.values())
        return unchanged / before if before else None

    def to_dict(self) -> dict[str, Any]:
        """The difference as plain JSON values."""
        return {
            "before": self.before,
            "after": self.after,
            "unchanged_share": self.unchanged_share,
            "tables": {name: _rows(changes) for name, changes in self.rows.items()},
            "schema": [asdict(change) for change in self.schema],
            "columns": [{**asdict(c), "moved": c.moved} for c in self.columns],
            "scores": [{**asdict(c), "difference": c.difference} for c in self.scores],
            "checks": [asdict(change) for change in self.checks],
        }


def compare_snapshots(
    before: Snapshot, after: Snapshot, tables: Collection[str] = ()
) -> SnapshotDifference:
    """Compare two snapshots.

    Args:
        before: The older one.
        after: The newer one.
        tables: Only these tables; all of them where none is named.

    Raises:
        SnapshotContentError: If neither snapshot has a table of that name.
    """
    _check(before, after, tables)
    chosen = [t for t in after.tables if t in before.tables and (not tables or t in tables)]
    files = {
        table: tuple(TableFiles(s.files(table), s.schema(table)) for s in (before, after))
        for table in chosen
    }
    schemas = {table: (old.schema, new.schema) for table, (old, new) in files.items()}
    changed = schema_changes(before, after, schemas)
    if tables:
        changed = [change for change in changed if change.table in tables]
    drift = [d for table in chosen for d in _drift(table, before, after, *files[table])]
    return SnapshotDifference(
        before.snapshot_id,
        after.snapshot_id,
        {table: _row_changes(table, before, after, *files[table]) for table in chosen},
        tuple(changed),
        tuple(sorted(drift, key=lambda one: -one.moved)),
        tuple(score_changes(before.manifest, after.manifest)),
        tuple(check_changes(before.manifest, after.manifest)),
    )


def _row_changes(
    table: str, before: Snapshot, after: Snapshot, old: TableFiles, new: TableFiles
) -> RowChanges:
    key = primary_key(after, table)
    if _same_files(table, before, after):
        rows = after.manifest["tables"][table]["rows"]
        return RowChanges(rows, rows, 0, 0, 0, bool(key))
    return row_changes(old, new, key)


def _drift(
    table: str, before: Snapshot, after: Snapshot, old: TableFiles, new: TableFiles
) -> list[ColumnDrift]:
    if _same_files(table, before, after):
        return []
    known = after.metadata.tables if "metadata" in after.manifest else {}
    return column_drift(table, old, new, known.get(table))


def _same_files(table: str, before: Snapshot, after: Snapshot) -> bool:
    old, new = (
        [file["sha256"] for file in side.manifest["tables"][table]["files"]]
        for side in (before, after)
    )
    return old == new


def _check(before: Snapshot, after: Snapshot, tables: Collection[str]) -> None:
    known = {*before.tables, *after.tables}
    for table in tables:
        if table not in known:
            raise SnapshotContentError(
                f"Neither {before.snapshot_id!r} nor {after.snapshot_id!r} has a table {table!r}. "
                f"{did_you_mean(table, known)}"
            )


def _rows(changes: RowChanges) -> dict[str, Any]:
    return {
        **asdict(changes),
        "unchanged": changes.unchanged,
        "unchanged_share": changes.unchanged_share,
    }
