"""An engine whose every change is undone: the code under test may commit as it likes.

There is one connection, in one transaction that is rolled back in the end. What the code under
test commits releases a savepoint and sets the next; what it rolls back goes back to the last one.
This is done where SQLAlchemy calls the driver, so it makes no difference whether the code has
engines, connections or sessions, and whether it begins blocks or not.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.pool import StaticPool

from prefect_synth.tasks.databases.errors import TargetUrlError

_SAVEPOINT = "synth_committed"
_CHECK = "synth_check"

# what a commit would check at last; the savepoint brings back which constraints are deferred
_POSTGRES_COMMIT = (
    f"SAVEPOINT {_CHECK}",
    "SET CONSTRAINTS ALL IMMEDIATE",
    f"ROLLBACK TO SAVEPOINT {_CHECK}",
    f"RELEASE SAVEPOINT {_CHECK}",
)
_COMMIT = (f"RELEASE SAVEPOINT {_SAVEPOINT}", f"SAVEPOINT {_SAVEPOINT}")


@contextmanager
def undone(url: str) -> Iterator[Engine]:
    """An engine on a database that is afterwards as it was before.

    Numbers that PostgreSQL's sequences have given out stay given out.

    Args:
        url: An SQLite file or a PostgreSQL database, as SQLAlchemy reads it.

    Raises:
        TargetUrlError: The database has no savepoints, or its driver is asynchronous or missing.
    """
    address = _with_driver(make_url(url))
    dialect = address.get_backend_name()
    if dialect not in ("sqlite", "postgresql"):
        raise TargetUrlError(
            f"{dialect} has no savepoints, so what a test commits cannot be undone. Use the "
            "fixture synth_db_copy, which gives each test a database of its own."
        )
    engine = _one_connection(address)
    try:
        with closing(engine.raw_connection()) as checked_out:
            raw = checked_out.dbapi_connection
        _begin(raw, dialect)
        roll_back = engine.dialect.do_rollback
        _keep_open(engine, dialect)
        try:
            yield engine
        finally:
            if not getattr(raw, "closed", False):  # psycopg knows when the server hung up
                roll_back(raw)  # type: ignore[arg-type]  # the driver's own connection will do
    finally:
        engine.dispose()


def _with_driver(address: URL) -> URL:
    """SQLAlchemy's own choice for PostgreSQL is psycopg2; ours is psycopg."""
    if address.drivername in ("postgres", "postgresql"):
        driver = "psycopg" if importlib.util.find_spec("psycopg2") is None else "psycopg2"
        return address.set(drivername=f"postgresql+{driver}")
    return address


def _one_connection(address: URL) -> Engine:
    arguments: dict[str, Any] = {}
    if address.get_backend_name() == "sqlite":
        # without Python's own idea of when a transaction begins; threads take turns
        arguments = {"isolation_level": None, "check_same_thread": False}
    try:
        engine = create_engine(address, poolclass=StaticPool, connect_args=arguments)
    except ModuleNotFoundError as error:
        raise TargetUrlError(
            f"{address.drivername} needs the module '{error.name}', which is not installed. "
            "Install it, or name another driver in the database's URL."
        ) from None
    if engine.dialect.is_async:
        raise TargetUrlError(
            f"{address.drivername} is asynchronous, so what a test commits cannot be undone. Use "
            "the fixture synth_db_copy, which gives each test a database of its own."
        )
    return engine


def _begin(raw: Any, dialect: str) -> None:
    before = ("PRAGMA foreign_keys = ON", "BEGIN") if dialect == "sqlite" else ()
    _run(raw, (*before, f"SAVEPOINT {_SAVEPOINT}"))


def _keep_open(engine: Engine, dialect: str) -> None:
    """Let commits and roll-backs of this engine stay within the one transaction."""
    checked = _POSTGRES_COMMIT if dialect == "postgresql" else ()

    def commit(raw: Any) -> None:
        _run(raw, (*checked, *_COMMIT))

    def roll_back(raw: Any) -> None:
        _run(raw, (f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}",))

    engine.dialect.do_commit = commit  # type: ignore[assignment,method-assign]
    engine.dialect.do_rollback = roll_back  # type: ignore[assignment,method-assign]


def _run(raw: Any, statements: tuple[str, ...]) -> None:
    with closing(raw.cursor()) as cursor:
        for statement in statements:
            cursor.execute(statement)
