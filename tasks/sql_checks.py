"""A user's own checks: SQL over the synthetic tables that must return no row.

The queries run in DuckDB, in memory, over views of the synthetic Parquet files. They can read
nothing else and write nothing, and all that is told of their results is how many rows they had.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow.dataset as ds

from prefect_synth.expectations.suite_settings import SqlCheck
from prefect_synth.expectations.verdict import Check
from prefect_synth.synth.hierarchy.spill import parse_size

_SECONDS = 300.0
_MEMORY = "1GB"
_SOURCE = "synthetic source "
_RESERVED = frozenset({"information_schema", "pg_catalog", "memory", "system", "temp"})
_SETTINGS = (
    "threads = 2",
    "temp_directory = ''",  # nothing is written, not even to spill
    "autoinstall_known_extensions = false",
    "autoload_known_extensions = false",
    "enable_external_access = false",
    "lock_configuration = true",
)


def run_sql_checks(
    checks: Mapping[str, SqlCheck],
    synthetic: Mapping[str, Path],
    memory: str | None = None,
    *,
    seconds: float = _SECONDS,
) -> list[Check]:
    """Run SQL checks on synthetic tables.

    Args:
        checks: The checks by name.
        synthetic: The synthetic tables: files, or folders of Parquet parts. A table named
            `crm.customers` is reached as `crm.customers`.
        memory: What a query may use, as `2GB`.
        seconds: How long a query may take before it is interrupted.

    Returns:
        A check for each query with the number of rows that it returned, never a value of them. A
        query that broke is `crashed`, by the kind of its error; one that names a table that SQL
        cannot reach says so.
    """
    barred = _barred(synthetic)
    return [_run(name, check, synthetic, barred, memory, seconds) for name, check in checks.items()]


def _run(
    name: str,
    check: SqlCheck,
    synthetic: Mapping[str, Path],
    barred: Mapping[str, str],
    memory: str | None,
    seconds: float,
) -> Check:
    found = Check(name, None, None, "expectation", None, "the query returns no row", "passed")
    try:
        # a connection for each: a query that was interrupted or ran out of memory harms no other
        tables = {table: path for table, path in synthetic.items() if table not in barred}
        with closing(_confined(tables, memory)) as database:
            _refuse_barred(database, check.sql, barred)
            rows = _count(database, check.sql, seconds)
    except UnreachableTableError as error:
        return replace(found, status="crashed", detail=str(error))
    except Exception as error:
        kind = type(error).__name__
        detail = f"the check itself broke ({kind}); the data may be good"
        return replace(found, status="crashed", detail=detail)
    if rows == 0:
        return replace(found, observed=0)
    return replace(found, observed=rows, status="warned" if check.on_fail == "warn" else "failed")


class NotOneQueryError(ValueError):
    """The text of a check is not one SELECT."""


class UnreachableTableError(ValueError):
    """A check names a table that SQL cannot reach; the message names tables, reason and cure."""


def _barred(tables: Iterable[str]) -> dict[str, str]:
    """Why some tables cannot be reached in SQL, by table."""
    alike: dict[str, list[str]] = {}
    for table in tables:
        alike.setdefault(_folded(table), []).append(table)
    found: dict[str, str] = {}
    for folded, named in alike.items():
        shown = ", ".join(f"'{table}'" for table in named)
        if len(named) > 1:
            reason = f"the tables {shown} are one to SQL, which does not tell cases apart"
            found |= dict.fromkeys(named, reason)
        elif folded.rpartition(".")[0] in _RESERVED:
            found |= {named[0]: f"the table {shown} lies in a schema that DuckDB keeps for itself"}
    return found


def _refuse_barred(
    database: duckdb.DuckDBPyConnection, sql: str, barred: Mapping[str, str]
) -> None:
    try:
        named = database.get_table_names(sql, qualified=True) if barred else ()
    except duckdb.Error:  # of a query that is wrong; running it tells how
        named = ()
    asked = {_folded(name.replace('"', "")) for name in named}
    # DuckDB has views of its own in its schemas, and names what these read instead
    text = sql.lower().replace('"', "")
    asked |= {table.lower() for table in barred if "." in table and table.lower() in text}
    reasons = [why for table, why in barred.items() if _folded(table.replace('"', "")) in asked]
    if reasons:
        raise UnreachableTableError(
            f"{'; '.join(dict.fromkeys(reasons))}: write this check as an expectation of a suite"
        )


def _folded(table: str) -> str:
    """A name as DuckDB compares it; its own schema and database need not be said."""
    return table.lower().removeprefix("memory.").removeprefix("main.")


def _count(database: duckdb.DuckDBPyConnection, sql: str, seconds: float) -> int:
    statements = database.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise NotOneQueryError
    # a comment at the end must not swallow the bracket
    query = f"SELECT count(*) FROM (\n{sql.strip().rstrip(';')}\n)"
    with _interrupted_after(database, seconds):
        (rows,) = database.execute(query).fetchall()[0]
    return int(rows)


@contextmanager
def _interrupted_after(database: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    timer = threading.Timer(seconds, database.interrupt)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _confined(synthetic: Mapping[str, Path], memory: str | None) -> duckdb.DuckDBPyConnection:
    """A database in memory that reads the synthetic tables and no file at all.

    The tables are handed over as Arrow datasets: a path would be a pattern to DuckDB, and would
    have to be allowed.
    """
    database = duckdb.connect(":memory:", config={"python_enable_replacements": False})
    try:
        for number, (table, path) in enumerate(synthetic.items()):
            database.register(f"{_SOURCE}{number}", ds.dataset(path, format="parquet"))
            database.execute(_view(table, f"{_SOURCE}{number}"))
        limit = f"{parse_size(memory or _MEMORY) // 2**20} MiB"
        for setting in (f"memory_limit = '{limit}'", *_SETTINGS):
            database.execute(f"SET {setting}")
    except BaseException:
        database.close()
        raise
    return database


def _view(table: str, source: str) -> str:
    schema, _, name = table.rpartition(".")
    made = f"CREATE SCHEMA IF NOT EXISTS {_identifier(schema)}; " if schema else ""
    target = f"{_identifier(schema)}.{_identifier(name)}" if schema else _identifier(name)
    return f"{made}CREATE VIEW {target} AS SELECT * FROM {_identifier(source)}"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
