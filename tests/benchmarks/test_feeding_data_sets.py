"""Whole data sets in real databases: every row accepted, every constraint on, numbering goes on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pymysql
import pytest
from feeds import demo_snapshot, synthetic_snapshot
from places import SHARED

from prefect_synth.synth.metadata import Metadata
from prefect_synth.tasks.databases.feeding import feed_snapshot

pytestmark = pytest.mark.slow
SHARED_ONLY = pytest.mark.skipif(
    not (SHARED / "data" / "chinook").exists(), reason="needs the data sets in ../shared/data"
)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("chinook", marks=SHARED_ONLY),
        pytest.param("sakila", marks=SHARED_ONLY),
        "demo",
    ],
)
def snapshot(request: Any, postgres_uri: str, tmp_path_factory: Any) -> Any:
    """A synthetic copy of each data set."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "demo":
        return demo_snapshot(folder)
    return synthetic_snapshot(postgres_uri, request.param, folder)


@pytest.fixture(params=["postgres", "sqlite", "mariadb", "duckdb"])
def place(request: Any, tmp_path: Path) -> tuple[str, Any]:
    """A database's URL, and how it is connected to."""
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_database")
        return url, lambda: psycopg.connect(url, autocommit=True)
    if request.param == "sqlite":
        file = tmp_path / "test.db"
        return f"sqlite:///{file}", lambda: _strict(sqlite3.connect(file, isolation_level=None))
    if request.param == "duckdb":
        file = tmp_path / "test.duckdb"
        return f"duckdb:///{file}", lambda: duckdb.connect(str(file))
    url = request.getfixturevalue("mariadb_database")
    head, _, socket = url.partition("?unix_socket=")
    name = head.rpartition("/")[2]
    return url, lambda: pymysql.connect(
        unix_socket=socket, user="root", database=name, autocommit=True, sql_mode="ANSI_QUOTES"
    )


def _strict(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def test_every_row_is_accepted_and_numbering_goes_on(snapshot: Any, place: Any) -> None:
    """Twice: into an empty database, and over what is there."""
    url, connect = place
    for _ in range(2):
        result = feed_snapshot(snapshot, url)
        assert {t.name: t.rows for t in result.tables} == {
            name: snapshot.manifest["tables"][name]["rows"] for name in snapshot.tables
        }
        with closing(connect()) as connection, closing(connection.cursor()) as cursor:
            for table in snapshot.tables:
                cursor.execute(f'SELECT count(*) FROM "{table}"')
                [(count,)] = cursor.fetchall()
                assert count == snapshot.manifest["tables"][table]["rows"]
            numbered = _insert_everywhere(cursor, snapshot.metadata)
    assert len(numbered) >= 4


def test_all_foreign_keys_are_declared(snapshot: Any, place: Any) -> None:
    """As many as the snapshot has; DuckDB has none that close a cycle."""
    url, connect = place
    feed_snapshot(snapshot, url)
    query = {
        "postgresql": "SELECT count(*) FROM pg_constraint WHERE contype = 'f'",
        "mysql": "SELECT count(*) FROM information_schema.referential_constraints "
        "WHERE constraint_schema = database()",
        "duckdb": "SELECT count(*) FROM duckdb_constraints() WHERE constraint_type = 'FOREIGN KEY'",
        "sqlite": "SELECT count(DISTINCT m.name || f.id) FROM sqlite_master m "
        "JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'",
    }[url.partition(":")[0]]
    with closing(connect()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(query)
        [(count,)] = cursor.fetchall()
    keys = len(snapshot.metadata.relationships)
    cycles = url.startswith("duckdb") and "store" in snapshot.tables
    assert count == keys - cycles


OTHER = {
    "store": {"manager_staff_id": "(SELECT max(staff_id) FROM staff)"},
    "rental": {"rental_date": "'2099-01-01 00:00:00'"},
}
"""What a second row may not have in common with the first, by table and column."""


def _insert_everywhere(cursor: Any, metadata: Metadata) -> list[str]:
    """Insert a row without a number into every table that numbers its rows."""
    done = []
    for name, table in metadata.tables.items():
        for number in [c.name for c in table.columns.values() if c.identity]:
            others = {c: OTHER.get(name, {}).get(c, f'"{c}"') for c in table.columns if c != number}
            into = ", ".join(f'"{column}"' for column in others)
            row = ", ".join(others.values())
            cursor.execute(f'SELECT max("{number}") FROM "{name}"')
            [(before,)] = cursor.fetchall()
            cursor.execute(f'INSERT INTO "{name}" ({into}) SELECT {row} FROM "{name}" LIMIT 1')
            cursor.execute(f'SELECT max("{number}") FROM "{name}"')
            [(after,)] = cursor.fetchall()
            assert after > before
            done.append(name)
    return done
