"""PostgreSQL says when its schema changed, to whoever listens; on a real server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from threading import Event, Timer

import psycopg
import pytest

from prefect_synth.tasks.warehouses.errors import ConnectionFailed
from prefect_synth.tasks.warehouses.postgres_notice import Notices
from prefect_synth.tasks.warehouses.postgres_trigger import INSTALL, REMOVE

TABLES = "CREATE TABLE people (id int PRIMARY KEY, name text)"
QUIET = 0.3
HOUR = 3600.0


@pytest.fixture
def owner(postgres_database: str) -> Iterator[psycopg.Connection]:
    """A superuser's connection to a database whose changes are notified."""
    with closing(psycopg.connect(postgres_database, autocommit=True)) as connection:
        connection.execute(TABLES)
        connection.execute(INSTALL)
        yield connection


@pytest.fixture
def reader(owner: psycopg.Connection, postgres_database: str) -> str:
    """The URL of a role that may connect, and nothing else."""
    role = f"reader_{owner.info.dbname}"
    owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'reads-only'")
    return postgres_database.replace("postgres:", f"{role}:").replace(
        "postgres@", f"{role}:reads-only@"
    )


def reasons_after(
    url: str, *actions: tuple[psycopg.Connection, str], enough: int | None = None
) -> list[str]:
    """The reasons that a listener hears when statements are run: so many, or those of a second."""
    stop, heard = Event(), []
    for reason in Notices(url, QUIET).reasons(HOUR, stop):
        heard.append(reason)
        if len(heard) == enough:
            stop.set()
        if reason == "start":
            for connection, statement in actions:
                connection.execute(statement)
            if enough is None:
                Timer(1.0, stop.set).start()
    return heard


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE people ADD COLUMN ssn text",
        "CREATE TABLE more (id int)",
        "DROP TABLE people",
        "COMMENT ON COLUMN people.name IS 'as spoken'",
        "CREATE UNIQUE INDEX by_name ON people (name)",
        "GRANT SELECT (id) ON people TO PUBLIC",
    ],
)
def test_a_change_of_the_schema_is_heard(
    owner: psycopg.Connection, reader: str, statement: str
) -> None:
    """A role without any right hears it."""
    assert reasons_after(reader, (owner, statement), enough=2) == ["start", "notified"]


def test_what_is_no_change_of_the_schema_is_not_heard(
    owner: psycopg.Connection, reader: str
) -> None:
    """Rows come and go, temporary tables too, and what was rolled back never was."""
    undone = "BEGIN; ALTER TABLE people ADD COLUMN ssn text; ROLLBACK"
    passing = ("INSERT INTO people VALUES (1, 'Ann')", "CREATE TEMP TABLE passing (id int)", undone)
    assert reasons_after(reader, *[(owner, statement) for statement in passing]) == ["start"]


def test_a_migration_is_heard_once(owner: psycopg.Connection, reader: str) -> None:
    """Statements that follow one another are one reason to look."""
    steps = [(owner, f"ALTER TABLE people ADD COLUMN c{i} int") for i in range(5)]
    assert reasons_after(reader, *steps) == ["start", "notified"]


def test_the_notification_tells_nothing(owner: psycopg.Connection, postgres_database: str) -> None:
    """Every role may listen, so that no name goes out this way."""
    with closing(psycopg.connect(postgres_database, autocommit=True)) as connection:
        connection.execute("LISTEN prefect_synth")
        owner.execute("ALTER TABLE people ADD COLUMN ssn text")
        [notice] = list(connection.notifies(timeout=5, stop_after=1))
    assert notice.payload == ""


def test_time_is_a_reason_too(owner: psycopg.Connection, reader: str) -> None:
    """A look is due after a while in which nothing was heard."""
    heard, stop = [], Event()
    for reason in Notices(reader).reasons(0.1, stop):
        heard.append(reason)
        if len(heard) == 3:
            stop.set()
    assert heard == ["start", "due", "due"]


def test_the_end_comes_at_once(owner: psycopg.Connection, reader: str) -> None:
    """Whoever is told to stop does not wait for a notification."""
    began = time.monotonic()
    assert reasons_after(reader, enough=1) == ["start"]
    assert time.monotonic() - began < 5


def test_a_lost_connection_is_told_without_the_password(
    owner: psycopg.Connection, reader: str
) -> None:
    """The caller connects again; the message can go to a log."""
    others = "pid <> pg_backend_pid() AND datname = current_database()"
    end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"
    with pytest.raises(ConnectionFailed, match="Cannot listen to postgresql://") as caught:
        reasons_after(reader, (owner, end))
    assert "reads-only" not in str(caught.value)


def test_it_is_installed_twice_and_removed_without_a_trace(owner: psycopg.Connection) -> None:
    """The statements may be run again, and those that take it away leave nothing."""
    owner.execute(INSTALL)
    owner.execute(REMOVE)
    left = "SELECT (SELECT count(*) FROM pg_event_trigger), to_regnamespace('prefect_synth')"
    assert owner.execute(left).fetchone() == (0, None)


def test_whoever_changes_the_schema_needs_no_new_right(
    owner: psycopg.Connection, reader: str
) -> None:
    """A role that may alter its tables still may, though it cannot use our schema."""
    role = f"reader_{owner.info.dbname}"
    owner.execute(f"CREATE SCHEMA own AUTHORIZATION {role}")
    with closing(psycopg.connect(reader, autocommit=True)) as connection:
        connection.execute("CREATE TABLE own.things (id int)")
        assert connection.execute("SELECT count(*) FROM own.things").fetchone() == (0,)
