"""A database that can be fed, whatever its dialect, and how it is opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from prefect_synth.tasks.databases.address import dialect_of
from prefect_synth.tasks.databases.errors import TargetUrlError
from prefect_synth.tasks.databases.existing import Existing, TargetKey
from prefect_synth.tasks.databases.job import Job
from prefect_synth.tasks.databases.plan import Place, PlannedTable


class Target(Protocol):
    """An open database.

    The steps are called in this order, all of them inside `whole`; how much of the work each does
    is up to the dialect, as long as readers see all of it or nothing.
    """

    def places(self, names: Sequence[str], schema: str | None) -> Mapping[str, Place]:
        """Where each table of a snapshot goes."""

    def reflect(self, places: Sequence[Place]) -> Existing:
        """What the database has."""

    def check_rights(self, job: Job) -> None:
        """See that this user may do what feeding needs; nothing is changed.

        Raises:
            TargetPermissionError: A right is missing.
        """

    def whole(self, job: Job) -> AbstractContextManager[None]:
        """Make everything that is done inside visible at once, or nothing of it."""

    def empty(self, job: Job) -> None:
        """Take the rows out of the tables that are there."""

    def create(self, job: Job) -> None:
        """Create the tables that are missing."""

    def fill(self, job: Job, tables: Sequence[PlannedTable]) -> None:
        """Load the rows of one table, or of the tables of one cycle."""

    def finish(self, job: Job) -> None:
        """Add and check all keys, and let the numbering go on after the highest number."""

    def count(self, place: Place) -> int:
        """How many rows a table has now."""

    def refers(self, key: TargetKey) -> bool:
        """Whether any row of a table refers to another one by a foreign key."""


@contextmanager
def open_target(url: str) -> Iterator[Target]:
    """Open a database.

    Args:
        url: `postgresql://`, `mysql://`, `sqlite:///` or `duckdb:///`.

    Raises:
        TargetUrlError: The URL cannot be read, or the driver is not installed.
        TargetConnectionError: There is no connection.
    """
    dialect = dialect_of(url)
    try:
        opened = _open(dialect, url)
    except ModuleNotFoundError as error:
        extra = {"postgresql": "postgres", "mysql": "mysql"}.get(dialect)
        if extra is None:
            raise
        raise TargetUrlError(
            f"Feeding {dialect} needs the module '{error.name}', which is not installed. Run: "
            f"pip install 'prefect-synth[{extra}]'."
        ) from None
    with opened as target:
        yield target


def _open(dialect: str, url: str) -> AbstractContextManager[Target]:
    # the drivers of the others need not be installed
    if dialect == "postgresql":
        from prefect_synth.tasks.databases.postgres import opened as postgres

        return postgres(url)
    if dialect == "mysql":
        from prefect_synth.tasks.databases.mysql import opened as mysql

        return mysql(url)
    if dialect == "duckdb":
        from prefect_synth.tasks.databases.duckdb import opened as duckdb

        return duckdb(url)
    from prefect_synth.tasks.databases.sqlite import opened as sqlite

    return sqlite(url)
