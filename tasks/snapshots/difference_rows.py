"""Which rows of a table two snapshots share: by primary key, or as bags of rows.

DuckDB compares the values themselves, column by column, and spills to disk beyond its memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa

MEMORY = "1GB"


@dataclass(frozen=True)
class RowChanges:
    """What became of a table's rows.

    Args:
        before: Rows before.
        after: Rows after.
        added: Rows after whose key was not there before; without a key, rows not there before.
        removed: The other way round.
        changed: Rows whose key was there, with another value in a column that both have.
        by_key: Whether rows are told apart by the primary key.
        columns: By column, how many of the changed rows differ in it.
    """

    before: int
    after: int
    added: int
    removed: int
    changed: int
    by_key: bool
    columns: Mapping[str, int] = field(default_factory=dict)

    @property
    def unchanged(self) -> int:
        """Rows that are there before and after, the same."""
        return self.before - self.removed - self.changed

    @property
    def unchanged_share(self) -> float | None:
        """The share of the rows before that are unchanged; None where there were none."""
        return self.unchanged / self.before if self.before else None


@dataclass(frozen=True)
class TableFiles:
    """A table's Parquet files.

    Args:
        files: The files.
        schema: Their Arrow schema.
    """

    files: Sequence[Path]
    schema: pa.Schema

    def columns(self, names: Sequence[str], plainly: Sequence[str]) -> str:
        """SQL for these columns as `c0`, `c1`, ..., some of them as text.

        By position: DuckDB does not tell `Id` from `id`.
        """
        every = ", ".join(f"p{place}" for place in range(len(self.schema)))
        chosen = ", ".join(
            f"{self._value(name, name in plainly)} AS c{place}" for place, name in enumerate(names)
        )
        return f"SELECT {chosen or '0 AS nothing'} FROM {self._source()} AS t({every})"

    def _value(self, name: str, as_text: bool) -> str:
        column = f"p{self.schema.get_field_index(name)}"
        return f"CAST({column} AS VARCHAR)" if as_text else column

    def _source(self) -> str:
        files = ", ".join(_literal(path) for path in self.files)
        return f"read_parquet([{files}], hive_partitioning = false)"


def row_changes(before: TableFiles, after: TableFiles, key: Sequence[str]) -> RowChanges:
    """Compare the rows of a table in two snapshots, in the columns that both have.

    Args:
        before: The files of the one.
        after: The files of the other.
        key: The primary key; empty where there is none. One that is not unique does not count.

    Returns:
        What became of the rows. Columns whose types differ are compared as text.
    """
    shared = [name for name in before.schema.names if name in after.schema.names]
    plainly = [n for n in shared if before.schema.field(n).type != after.schema.field(n).type]
    usable = key if key and set(key) <= set(shared) else ()
    with _engine() as engine:
        if usable and all(_unique(engine, side, usable, plainly) for side in (before, after)):
            rest = [name for name in shared if name not in usable]
            return _by_key(engine, before, after, (usable, rest, plainly))
        return _as_bags(engine, before, after, shared, plainly)


def distinct_and_nulls(table: TableFiles, names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Count distinct values and nulls of columns."""
    found = {}
    with _engine() as engine:
        for name in names:
            sql = (
                "SELECT count(c0), coalesce(sum(n) FILTER (c0 IS NULL), 0) FROM "
                f"(SELECT c0, count(*) AS n FROM ({table.columns([name], ())}) GROUP BY c0)"
            )
            distinct, nulls = _first(engine, sql)
            found[name] = (distinct, nulls)
    return found


def _by_key(
    engine: duckdb.DuckDBPyConnection,
    before: TableFiles,
    after: TableFiles,
    columns: tuple[Sequence[str], Sequence[str], Sequence[str]],
) -> RowChanges:
    key, rest, plainly = columns
    names = [*key, *rest]
    sides = [f"(SELECT *, 1 AS here FROM ({t.columns(names, plainly)}))" for t in (before, after)]
    matched = " AND ".join(f"a.c{place} = b.c{place}" for place in range(len(key)))
    differs = [f"a.c{place} IS DISTINCT FROM b.c{place}" for place in range(len(key), len(names))]
    both = "a.here = 1 AND b.here = 1"
    counted = [
        "count(a.here)",
        "count(b.here)",
        "count(*) FILTER (a.here IS NULL)",
        "count(*) FILTER (b.here IS NULL)",
        f"count(*) FILTER ({both} AND ({' OR '.join(differs) or 'false'}))",
        *(f"count(*) FILTER ({both} AND {one})" for one in differs),
    ]
    sql = f"SELECT {', '.join(counted)} FROM {sides[0]} a FULL JOIN {sides[1]} b ON {matched}"
    rows_before, rows_after, added, removed, changed, *by_column = _first(engine, sql)
    counts = {name: n for name, n in zip(rest, by_column, strict=True) if n}
    return RowChanges(rows_before, rows_after, added, removed, changed, True, counts)


def _as_bags(
    engine: duckdb.DuckDBPyConnection,
    before: TableFiles,
    after: TableFiles,
    names: Sequence[str],
    plainly: Sequence[str],
) -> RowChanges:
    columns = ", ".join(f"c{place}" for place in range(len(names))) or "nothing"
    rows = " UNION ALL ".join(
        f"SELECT *, {side} AS side FROM ({table.columns(names, plainly)})"
        for side, table in enumerate((before, after))
    )
    bags = (
        "SELECT count(*) FILTER (side = 0) AS a, count(*) FILTER (side = 1) AS b "
        f"FROM ({rows}) GROUP BY {columns}"
    )
    sums = ", ".join(f"coalesce(sum({what}), 0)" for what in ("a", "b", "least(a, b)"))
    rows_before, rows_after, shared = _first(engine, f"SELECT {sums} FROM ({bags})")
    return RowChanges(rows_before, rows_after, rows_after - shared, rows_before - shared, 0, False)


def _unique(
    engine: duckdb.DuckDBPyConnection,
    table: TableFiles,
    key: Sequence[str],
    plainly: Sequence[str],
) -> bool:
    columns = [f"c{place}" for place in range(len(key))]
    unknown = " OR ".join(f"{column} IS NULL" for column in columns)
    sql = (
        f"SELECT 1 FROM ({table.columns(key, plainly)}) GROUP BY {', '.join(columns)} "
        f"HAVING count(*) > 1 OR ({unknown}) LIMIT 1"
    )
    return engine.execute(sql).fetchone() is None


@contextmanager
def _engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with (
        tempfile.TemporaryDirectory(prefix="prefect-synth-diff-") as folder,
        duckdb.connect() as engine,
    ):
        engine.execute(f"SET memory_limit = '{MEMORY}'")
        engine.execute(f"SET temp_directory = {_text(folder)}")
        engine.execute("SET preserve_insertion_order = false")
        yield engine


def _first(engine: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, ...]:
    row = engine.execute(sql).fetchone()
    return tuple(int(value) for value in row or ())


def _literal(path: Path) -> str:
    """A path as DuckDB takes it: its own signs for patterns stand for themselves."""
    return _text("".join(f"[{sign}]" if sign in "*?[" else sign for sign in str(path)))


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
