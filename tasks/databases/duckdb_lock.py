"""Opening a DuckDB file: DuckDB lets one process in, and here one feed of that process."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from prefect_synth.tasks.databases.duckdb_errors import told
from prefect_synth.tasks.databases.errors import TargetConnectionError

_SECONDS_TO_WAIT = 60.0
_FEEDING: dict[Path, threading.Lock] = defaultdict(threading.Lock)
_HOLDS_NOTHING = """
SELECT (SELECT count(*) FROM duckdb_tables() WHERE database_name = current_database())
    + (SELECT count(*) FROM duckdb_views() WHERE NOT internal)
    + (SELECT count(*) FROM duckdb_sequences() WHERE database_name = current_database()) = 0
"""


@contextmanager
def locked(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Connect; a file that is not there is made, and taken away if nothing came of it.

    Args:
        path: The database's file.

    Raises:
        TargetConnectionError: Somebody else has the file open, or feeds it.
    """
    feeding = _FEEDING[path.resolve()]
    if not feeding.acquire(timeout=_SECONDS_TO_WAIT):
        raise TargetConnectionError(
            f"Another feed of the DuckDB file '{path}' is going on. Wait for its end, then feed "
            "again."
        )
    try:
        is_new = not path.exists()
        with told(path, "it is opened"):
            connection = duckdb.connect(str(path))
        try:
            yield connection
        finally:
            # before it is closed: then another process may open the file and fill it
            if is_new:
                _take_away_if_empty(path, connection)
            connection.close()
    finally:
        feeding.release()


def _take_away_if_empty(path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    with suppress(duckdb.Error, OSError):
        found = connection.execute(_HOLDS_NOTHING).fetchone()
        if found and found[0]:
            path.unlink()
