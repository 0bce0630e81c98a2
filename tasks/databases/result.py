"""What a feeding came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class FedTable:
    """A table that was fed.

    Args:
        name: Its name in the snapshot.
        place: Its name in the database.
        rows: How many rows of the snapshot went there.
        created: Whether it was created.
        seconds: How long its rows took, with those of its cycle.
    """

    name: str
    place: str
    rows: int
    created: bool
    seconds: float


@dataclass(frozen=True)
class FeedResult:
    """A database that holds a snapshot.

    Args:
        snapshot_id: The snapshot.
        target: The database's address, without its password.
        mode: What became of rows that were there.
        tables: The tables, in the order of loading.
        seconds: How long it took in all, keys and checks included.
        left_out: Columns that the database lacks, as `table.column`.
    """

    snapshot_id: str
    target: str
    mode: str
    tables: tuple[FedTable, ...]
    seconds: float
    left_out: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows were fed."""
        return sum(table.rows for table in self.tables)

    def to_dict(self) -> Mapping[str, Any]:
        """The result as plain JSON values."""
        return {**asdict(self), "rows": self.rows}
