"""Databases for tests: a snapshot is loaded once, and everybody gets a copy of that.

Nobody works in the database that was loaded, so a copy is always as the snapshot is, whatever
tests did to theirs.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlsplit

from prefect_synth.tasks.databases.errors import (
    FeedError,
    TargetConnectionError,
    TargetPermissionError,
    TargetUrlError,
)
from prefect_synth.tasks.databases.feeding import feed_snapshot
from prefect_synth.tasks.snapshots.reading_snapshot import Snapshot
from prefect_synth.tasks.warehouses.url import redact, scheme_of, scrub

FILES = ("sqlite", "duckdb")
"""Databases that are a file, made where nobody has to provide anything."""


class LoadedDatabase(Protocol):
    """A database that holds a snapshot, to be copied."""

    def copy(self) -> AbstractContextManager[str]:
        """The URL of a copy, which is gone afterwards."""


@contextmanager
def loaded_database(
    place: str,
    snapshot: Snapshot,
    folder: Path,
    tables: Collection[str] | None = None,
    worker: str = "main",
) -> Iterator[LoadedDatabase]:
    """Load a snapshot into a database of its own, which is gone afterwards.

    Args:
        place: `sqlite`, `duckdb`, or the URL of a PostgreSQL database whose user may create others.
        snapshot: What to load.
        folder: Where files go.
        tables: Only these tables and all that they refer to.
        worker: Of several processes of a test run, which one this is.

    Raises:
        FeedError: The subclass says what went wrong.
        SandboxError: The snapshot cannot be read.
    """
    if place in FILES:
        loaded = _Files(place, folder)
        feed_snapshot(snapshot, loaded.address(loaded.original), tables=tables)
        yield loaded
        return
    check_place(place)
    server = _Server(place, f"synth_test_{worker}")
    with server.database() as name:
        feed_snapshot(snapshot, _plain(server.url(name)), tables=tables)
        yield _Template(server, name)


def check_place(place: str) -> None:
    """See that tests can have databases there.

    Raises:
        TargetUrlError: They cannot.
    """
    if place not in FILES and scheme_of(place) not in ("postgresql", "postgres"):
        raise TargetUrlError(
            f"Tests cannot have databases at {redact(place)!r}. Say sqlite, duckdb, or the URL of "
            "a PostgreSQL database: postgresql://user:password@host/database."
        )


@dataclass(frozen=True)
class _Files:
    """A database that is a file."""

    kind: str
    folder: Path

    @property
    def original(self) -> Path:
        """The file that was loaded."""
        return self.folder / f"snapshot.{self.kind}"

    def address(self, file: Path) -> str:
        """The URL of a file, as it is fed."""
        return f"{self.kind}:///{quote(str(file))}"

    @contextmanager
    def copy(self) -> Iterator[str]:
        """The URL of a copy, as SQLAlchemy reads it."""
        file = self.folder / f"{uuid.uuid4().hex[:8]}.{self.kind}"
        shutil.copyfile(self.original, file)
        try:
            yield f"{self.kind}:///{file}"
        finally:
            for left in file.parent.glob(f"{file.name}*"):  # with its write-ahead log
                left.unlink()


@dataclass(frozen=True)
class _Server:
    """A PostgreSQL server on which databases are made and dropped."""

    place: str
    prefix: str

    def url(self, database: str) -> str:
        """The place with another database's name."""
        return urlsplit(self.place)._replace(path=f"/{database}").geturl()

    @contextmanager
    def database(self, template: str | None = None) -> Iterator[str]:
        """The name of a new database, dropped afterwards."""
        name = f"{self.prefix}_{uuid.uuid4().hex[:8]}"
        self._execute(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
        try:
            yield name
        finally:
            self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _execute(self, statement: str) -> None:
        try:
            import psycopg
        except ModuleNotFoundError:
            raise TargetUrlError(
                "PostgreSQL needs the module 'psycopg', which is not installed. Run: pip install "
                "'prefect-synth[postgres]'."
            ) from None
        try:
            with psycopg.connect(_plain(self.place), autocommit=True) as connection:
                connection.execute(statement.encode())
        except psycopg.Error as error:
            raise self._explained(error) from None

    def _explained(self, error: Exception) -> FeedError:
        import psycopg

        shown, said = redact(self.place), scrub(str(error), self.place)
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            user = urlsplit(self.place).username or "the user"
            return TargetPermissionError(
                f"{shown}: {user} may not create databases, and tests get one of their own. Let an "
                f"administrator run ALTER ROLE {user} CREATEDB, or use another user."
            )
        if isinstance(error, psycopg.OperationalError):
            return TargetConnectionError(
                f"{shown}: no connection ({said}). Start the server, or correct the address; "
                "without a server, tests can use sqlite."
            )
        return FeedError(f"{shown}: no database could be made for tests ({said}).")


@dataclass(frozen=True)
class _Template:
    """A database on a server, to which nobody is connected, so that it can be copied."""

    server: _Server
    name: str

    @contextmanager
    def copy(self) -> Iterator[str]:
        """The URL of a copy, in the spelling in which the server was given."""
        with self.server.database(self.name) as name:
            yield self.server.url(name)


def _plain(url: str) -> str:
    """The URL without the name of a Python driver."""
    scheme, _, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}://{rest}"
