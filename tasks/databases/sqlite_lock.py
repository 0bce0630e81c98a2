"""Opening an SQLite file and holding its lock, so that two feeds come one after the other."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from prefect_synth.tasks.databases.sqlite_errors import told

_SECONDS_TO_WAIT = 30.0
_HOLDS_NOTHING = "SELECT NOT EXISTS (SELECT 1 FROM sqlite_master)"


@contextmanager
def locked(path: Path) -> Iterator[tuple[sqlite3.Connection, Connection]]:
    """Connect and begin a transaction that writes; it is undone unless it is committed inside.

    A file that is not there is made, and taken away if nothing came of it.

    Args:
        path: The database's file.

    Returns:
        The driver's connection, and the same for SQLAlchemy's inspector.

    Raises:
        TargetUrlError: The file is not a database.
        TargetPermissionError: It cannot be written.
        TargetConnectionError: Somebody else keeps it locked.
    """
    is_new = not path.exists()
    while True:
        with told(path, "it is opened"):
            raw = sqlite3.connect(path, timeout=_SECONDS_TO_WAIT, isolation_level=None)
        engine = create_engine("sqlite://", creator=lambda raw=raw: raw, poolclass=StaticPool)
        try:
            # SQLAlchemy rolls back when it connects, so that comes before the transaction
            with engine.connect() as connection:
                with told(path, "its lock is taken"):
                    journal = _begun(path, raw)
                if journal is None:
                    continue
                try:
                    yield raw, connection
                    return
                finally:
                    _end(raw, journal)
                    if is_new:
                        _take_away_if_empty(path, raw)
        finally:
            engine.dispose()
            raw.close()


def _begun(path: Path, raw: sqlite3.Connection) -> str | None:
    """Begin; None where whoever held the lock took the empty file away, so it is made once more."""
    with suppress(FileNotFoundError):
        opened = path.stat()
        try:
            journal = _begin(raw)
        except sqlite3.Error:  # SQLite may see for itself that the file is gone
            if os.path.samestat(path.stat(), opened):
                raise
        else:
            return journal if os.path.samestat(path.stat(), opened) else None
    return None


def _begin(raw: sqlite3.Connection) -> str:
    """Begin, in a write-ahead log where there is something to be seen meanwhile.

    Returns the kind of journal that the file had.
    """
    raw.execute("PRAGMA foreign_keys = OFF")
    journal = str(raw.execute("PRAGMA journal_mode").fetchone()[0])
    raw.execute("BEGIN IMMEDIATE")
    if journal != "wal" and not raw.execute(_HOLDS_NOTHING).fetchone()[0]:
        raw.execute("ROLLBACK")
        raw.execute("PRAGMA journal_mode = wal")
        raw.execute("BEGIN IMMEDIATE")
    return journal


def _end(raw: sqlite3.Connection, journal: str) -> None:
    """Undo what is not committed; give the file its journal back, unless others read it."""
    if raw.in_transaction:
        raw.execute("ROLLBACK")
    with suppress(sqlite3.OperationalError):
        raw.execute(f"PRAGMA journal_mode = {journal}")


def _take_away_if_empty(path: Path, raw: sqlite3.Connection) -> None:
    """Take the file away if it holds nothing, under its lock: another feed may have filled it."""
    with suppress(sqlite3.Error, OSError):
        raw.execute("BEGIN IMMEDIATE")
        if raw.execute(_HOLDS_NOTHING).fetchone()[0]:
            path.unlink()
        raw.execute("ROLLBACK")
