"""Database files: made, shared, and never taken away from anybody."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from prefect_synth.synth.metadata import Column, Metadata, Table
from prefect_synth.tasks.databases.errors import (
    RowsRefusedError,
    TargetConnectionError,
    TargetUrlError,
)
from prefect_synth.tasks.databases.feeding import feed_snapshot
from prefect_synth.tasks.databases.target import open_target
from prefect_synth.tasks.snapshots.reading_snapshot import Snapshot

CONNECT: dict[str, Callable[[Path], Any]] = {"sqlite": sqlite3.connect, "duckdb": duckdb.connect}
METADATA = Metadata({"t": Table("t", {"id": Column("id", "id", False)}, ("id",))})


@pytest.fixture(scope="module")
def three(publish: Any) -> Any:
    """A snapshot of three rows."""
    return publish(METADATA, {"t": pa.table({"id": pa.array([1, 2, 3], pa.int32())})})


@pytest.fixture(params=["sqlite", "duckdb"])
def dialect(request: pytest.FixtureRequest) -> str:
    """A database that is a file."""
    return str(request.param)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database's file that is not there yet."""
    return tmp_path / "test.db"


def held(dialect: str, file: Path) -> int:
    """How many rows the table has."""
    with closing(CONNECT[dialect](file)) as connection:
        return int(connection.execute("SELECT count(*) FROM t").fetchone()[0])


class Meeting(Snapshot):
    """A snapshot whose reader stops in the middle, until it is told to go on or to fail."""

    def wait(self, fails: bool) -> None:
        """Prepare to stop."""
        self.fails, self.reached, self.go_on = fails, threading.Event(), threading.Event()

    def batches(self, name: str, columns: Sequence[str] | None = None) -> Any:
        self.reached.set()
        self.go_on.wait(30)
        if self.fails:
            raise RowsRefusedError("told to fail")
        return super().batches(name, columns)


@pytest.mark.parametrize("first_fails", [True, False])
def test_feeds_of_a_new_file_come_one_after_the_other(
    three: Any, dialect: str, file: Path, first_fails: bool
) -> None:
    """Whether the first succeeds or fails, what the second filled stays."""
    first = Meeting(three.manifest, three.local, three.store)
    first.wait(first_fails)
    url = f"{dialect}:///{file}"
    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(feed_snapshot, first, url)
        assert first.reached.wait(30)
        other = threads.submit(feed_snapshot, three, url)
        with pytest.raises(TimeoutError):
            other.result(timeout=0.5)
        first.go_on.set()
        assert other.result(timeout=30).rows == 3
        assert (one.exception(timeout=30) is not None) == first_fails
    assert held(dialect, file) == 3


def test_a_failed_feed_takes_its_empty_file_away(three: Any, dialect: str, file: Path) -> None:
    """As if nothing had been."""
    broken = Meeting(three.manifest, three.local, three.store)
    broken.wait(True)
    broken.go_on.set()
    with pytest.raises(RowsRefusedError, match="told to fail"):
        feed_snapshot(broken, f"{dialect}:///{file}")
    assert list(file.parent.iterdir()) == []


def test_what_somebody_else_filled_is_left(dialect: str, file: Path) -> None:
    """The file was new when it was opened, and is no longer empty when the feed gives up."""
    with suppress(RowsRefusedError), open_target(f"{dialect}:///{file}") as target:
        raw: Any = target.raw  # type: ignore[attr-defined]
        if dialect == "sqlite":
            raw.execute("ROLLBACK")
        with closing(CONNECT[dialect](file)) as connection:
            connection.execute("CREATE TABLE t (id INTEGER)")
        raise RowsRefusedError("told to fail")
    assert held(dialect, file) == 0


def test_a_file_that_is_no_database_is_told(three: Any, dialect: str, file: Path) -> None:
    """By its name, without any SQL, and it is left as it is."""
    file.write_text("no database at all " * 100)
    with pytest.raises(TargetUrlError, match=r"test\.db' is not an? \w+ database\. Name another,"):
        feed_snapshot(three, f"{dialect}:///{file}")
    assert file.read_text().startswith("no database")


def test_an_sqlite_file_that_others_write_is_told(three: Any, file: Path, monkeypatch: Any) -> None:
    """When the time to wait is over."""
    monkeypatch.setattr("prefect_synth.tasks.databases.sqlite_lock._SECONDS_TO_WAIT", 0.1)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TargetConnectionError, match="Somebody else holds"):
            feed_snapshot(three, f"sqlite:///{file}")
    feed_snapshot(three, f"sqlite:///{file}")
    assert held("sqlite", file) == 3


def test_a_time_stamp_of_any_zone_is_the_same_instant(publish: Any, file: Path) -> None:
    """Text with +00:00."""
    metadata = Metadata({"t": Table("t", {"at": Column("at", "datetime")})})
    berlin = pa.array([1577836800000000], pa.timestamp("us", "Europe/Berlin"))
    feed_snapshot(publish(metadata, {"t": pa.table({"at": berlin})}), f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as connection:
        found = connection.execute("SELECT at FROM t").fetchall()
    assert found == [("2020-01-01 00:00:00.000000+00:00",)]
