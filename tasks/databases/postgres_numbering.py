"""Sequences: after the rows are loaded, numbering goes on after the highest number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from prefect_synth.tasks.databases.plan import Place
from prefect_synth.tasks.warehouses.catalogue import quote

# identity columns own their sequence; other defaults name one in their expression
_SEQUENCES = """
WITH drawn AS (
    SELECT d.refobjid AS sequence, f.adrelid AS relation, f.adnum AS number
    FROM pg_depend d JOIN pg_attrdef f ON f.oid = d.objid
    WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass
    UNION
    SELECT d.objid, d.refobjid, d.refobjsubid FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
      AND d.deptype = 'i' AND d.refobjsubid > 0
), used AS (
    SELECT s.oid AS sequence, n.nspname, c.relname, a.attname,
           (n.nspname, c.relname) IN (
               SELECT * FROM unnest(%(schemas)s::name[], %(names)s::name[])) AS is_fed
    FROM drawn d
    JOIN pg_class s ON s.oid = d.sequence AND s.relkind = 'S'
    JOIN pg_class c ON c.oid = d.relation
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.number
)
SELECT sequence::regclass::text,
       array_agg(array[nspname, relname, attname]::text[]) FILTER (WHERE is_fed) AS columns,
       bool_and(is_fed) AS is_ours
FROM used GROUP BY sequence HAVING bool_or(is_fed)
"""
_SETTINGS = """
SELECT q.seqstart, q.seqincrement, q.seqmin, q.seqmax, pg_has_role(c.relowner, 'USAGE'),
       has_sequence_privilege(c.oid, 'SELECT')
FROM pg_sequence q JOIN pg_class c ON c.oid = q.seqrelid WHERE c.oid = %s::regclass
"""


def go_on_numbering(
    connection: psycopg.Connection[Any], places: Sequence[Place], *, replaced: bool
) -> None:
    """Let every sequence of these tables go on after the highest number.

    One that numbers rows that stay never goes back: those of tables that are not fed, or, where
    rows are added, those that may have been drawn and are not in a table.

    Args:
        connection: The database.
        places: The tables.
        replaced: Whether these tables have no other rows than those fed.
    """
    wanted = {"schemas": [p.schema for p in places], "names": [p.name for p in places]}
    for sequence, columns, is_ours in connection.execute(_SEQUENCES, wanted).fetchall():
        _go_on(connection, sequence, columns, may_go_back=replaced and is_ours)


def _go_on(
    connection: psycopg.Connection[Any], sequence: str, columns: list[Any], *, may_go_back: bool
) -> None:
    """Restart a sequence, if need be.

    `ALTER SEQUENCE` can be rolled back, `setval` cannot; it is for a role that owns the tables'
    rows and not the sequence.
    """
    start, step, least, most, is_owner, may_look = _row(connection, _SETTINGS, sequence)
    last = _last(connection, columns, "max" if step > 0 else "min")
    following = min(max(start if last is None else last + step, least), most)
    if not may_go_back:
        upcoming = _upcoming(connection, sequence, step, may_look)
        if last is None or (upcoming - following) * step >= 0:
            return
    if is_owner:
        connection.execute(f"ALTER SEQUENCE {sequence} RESTART WITH {following}".encode())
    else:
        connection.execute("SELECT setval(%s::regclass, %s, false)", (sequence, following))


def _last(connection: psycopg.Connection[Any], columns: list[Any], extreme: str) -> int | None:
    """The highest number, or the lowest of a sequence that counts down."""
    tables = " UNION ALL ".join(
        f"SELECT {extreme}({quote(column)}) AS n FROM {quote(schema)}.{quote(name)}"
        for schema, name, column in columns
    )
    (last,) = _row(connection, f"SELECT {extreme}(n) FROM ({tables}) numbers")
    return None if last is None else int(last)


def _upcoming(connection: psycopg.Connection[Any], sequence: str, step: int, may_look: bool) -> int:
    """The number that comes next; a role that may not look has to draw one."""
    if not may_look:
        (drawn,) = _row(connection, "SELECT nextval(%s::regclass)", sequence)
        return int(drawn) + step
    last, is_called = _row(connection, f"SELECT last_value, is_called FROM {sequence}")
    return int(last) + (step if is_called else 0)


def _row(connection: psycopg.Connection[Any], query: str, *values: object) -> Any:
    return connection.execute(query.encode(), values or None).fetchone()
