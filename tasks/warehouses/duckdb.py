"""A DuckDB file as a warehouse, through DuckDB's own API."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from prefect_synth.synth.metadata import Metadata
from prefect_synth.tasks.warehouses.catalogue import Catalogue, CatalogueTable
from prefect_synth.tasks.warehouses.choice import choose_tables
from prefect_synth.tasks.warehouses.duckdb_reflection import read_catalogue
from prefect_synth.tasks.warehouses.errors import ConnectionFailed, QueryFailed, without_values
from prefect_synth.tasks.warehouses.reader import SAMPLE_SEED, SqlSnapshot
from prefect_synth.tasks.warehouses.selection import Selection
from prefect_synth.tasks.warehouses.url import duckdb_path

MEMORY_MB = 128
"""What DuckDB may keep in memory at first; larger sorts spill to the staging folder. Rows too wide
for that (a sort keeps some 100,000 of them) get twice as much until they fit."""
BATCH_ROWS = 8_192
THREADS = 2


class DuckDBWarehouse:
    """A DuckDB file, opened read only: while it is open, nobody can write to it.

    Args:
        url: `duckdb:///path.duckdb`.

    Raises:
        InvalidUrl: The URL names no file.
        ConnectionFailed: The file is missing, is no database, or is open for writing elsewhere.
    """

    def __init__(self, url: str) -> None:
        self._connection = _connect(duckdb_path(url))
        self._lock = threading.Lock()
        self._known: Catalogue | None = None
        self._accepted: Catalogue | None = None

    def reflect(
        self,
        schemas: Sequence[str] | None = None,
        include: Sequence[str] = ("*",),
        exclude: Sequence[str] = (),
    ) -> Metadata:
        """What the catalogue says of tables, keys and relationships."""
        catalogue = self._in_force()
        return catalogue.metadata(choose_tables(catalogue, schemas, include, exclude))

    def schemas(self, metadata: Metadata) -> dict[str, pa.Schema]:
        """The exact Arrow schema of each table."""
        return self._in_force().schemas(metadata)

    def check_read_only(self) -> None:
        """Nothing to refuse: the file is opened read only, always."""

    @contextmanager
    def snapshot(self) -> Iterator[DuckDBSnapshot]:
        """One consistent state: the open file is locked against writers."""
        yield DuckDBSnapshot(self._in_force(), self._connection)

    def close(self) -> None:
        """Close the file, and let writers in."""
        self._connection.close()

    def catalogue(self) -> Catalogue:
        """All that the catalogue says, system schemas apart; read once."""
        with self._lock:
            if self._known is None:
                self._known = read_catalogue(self._connection.cursor())
            return self._known

    def go_by(self, catalogue: Catalogue) -> None:
        """Reflect and read by another catalogue from now on; `catalogue` stays what it is."""
        self._accepted = catalogue

    def _in_force(self) -> Catalogue:
        return self._accepted or self.catalogue()


class DuckDBSnapshot(SqlSnapshot):
    """A DuckDB file that nobody writes to; every query has a cursor of its own."""

    def __init__(self, catalogue: Catalogue, connection: duckdb.DuckDBPyConnection) -> None:
        super().__init__(catalogue)
        self._connection = connection
        self._lock = threading.Lock()
        self._spills = False
        self._memory_mb = MEMORY_MB
        connection.execute(f"SET memory_limit = '{MEMORY_MB}MB'")

    def pull(
        self,
        table: str,
        schema: pa.Schema,
        path: Path,
        *,
        selection: Selection | None = None,
        on_batch: Callable[[int], None] | None = None,
    ) -> int:
        """Stream a table to a Parquet file, in the order of its primary key."""
        while True:
            granted = self._memory_mb
            try:
                return super().pull(table, schema, path, selection=selection, on_batch=on_batch)
            except QueryFailed as error:
                if "Out of Memory" not in str(error) or granted * 2 > _machine_mb():
                    raise
                self._grant(granted * 2)

    def _grant(self, memory_mb: int) -> None:
        with self._lock:
            self._memory_mb = max(memory_mb, self._memory_mb)
            self._connection.execute(f"SET memory_limit = '{self._memory_mb}MB'")

    @contextmanager
    def _query(
        self, sql: str, about: str, spill: Path | None = None
    ) -> Iterator[Iterator[pa.RecordBatch]]:
        cursor = self._connection.cursor()
        try:
            if spill is not None:
                self._spill_to(spill)
            yield iter(cursor.sql(sql).to_arrow_reader(BATCH_ROWS))
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            # not `from` the error: its text may quote real values
            reason = without_values(str(error))
            raise QueryFailed(f"DuckDB could not read {about}: {reason}") from None
        finally:
            cursor.close()

    def _sampled(self, sql: str, table: CatalogueTable, share: float) -> str:
        return f"{sql} USING SAMPLE {share * 100:.6f} PERCENT (bernoulli, {SAMPLE_SEED})"

    def _spill_to(self, folder: Path) -> None:
        """Keep spilled rows in private staging; DuckDB takes one place per connection."""
        with self._lock:
            if not self._spills:
                folder.mkdir(parents=True, exist_ok=True)
                spill = str(folder / ".spill").replace("'", "''")
                self._connection.execute(f"SET temp_directory = '{spill}'")
                self._spills = True


def _machine_mb() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20


def _connect(path: Path) -> duckdb.DuckDBPyConnection:
    if not path.is_file():
        slash = "" if path.is_absolute() else " An absolute path takes four slashes (duckdb:////)."
        raise ConnectionFailed(
            f"The DuckDB file '{path}' does not exist (looked in '{Path.cwd()}'). "
            f"Check warehouse.url.{slash}"
        )
    try:
        connection = duckdb.connect(path, read_only=True)
        connection.execute(f"SET threads = {THREADS}")
        # uuid and json keep their types
        connection.execute("SET arrow_lossless_conversion = true")
        connection.execute("SET TimeZone = 'UTC'")
    except duckdb.Error as error:
        raise ConnectionFailed(_why_not(path, str(error))) from error
    return connection


def _why_not(path: Path, reason: str) -> str:
    if "lock" in reason or "different configuration" in reason:
        return (
            f"The DuckDB file '{path}' is open for writing elsewhere. Close the writer, or read a "
            f"copy of the file. DuckDB says: {reason}"
        )
    return f"The DuckDB file '{path}' cannot be opened. Check warehouse.url. DuckDB says: {reason}"
