"""Sequences: after the rows are loaded, numbering goes on after the highest number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from prefect_synth.tasks.databases.plan import Place
from prefect_synth.tasks.warehouses.catalogue import quote

# identity columns own their sequence; other defaults name one in their expression
_SEQUENCES = """
SELECT s.oid::regclass::text AS sequence, n.nspname AS schema, c.relname AS name, a.attname,
       q.seqstart, q.seqincrement, q.seqmin, q.seqmax, pg_has_role(s.relowner, 'USAGE') AS is_owner
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef f ON f.adrelid = c.oid AND f.adnum = a.attnum
JOIN pg_depend d
  ON (d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid
      AND d.refclassid = 'pg_class'::regclass)
  OR (a.attidentity <> '' AND d.classid = 'pg_class'::regclass AND d.deptype = 'i'
      AND d.refobjid = c.oid AND d.refobjsubid = a.attnum AND d.refclassid = 'pg_class'::regclass)
JOIN pg_class s ON s.relkind = 'S'
  AND s.oid = CASE WHEN a.attidentity <> '' THEN d.objid ELSE d.refobjid END
JOIN pg_sequence q ON q.seqrelid = s.oid
WHERE n.nspname = ANY (%(schemas)s) AND c.relname = ANY (%(names)s)
"""


def go_on_numbering(connection: psycopg.Connection[Any], places: Sequence[Place]) -> None:
    """Set every sequence of these tables to the next free number.

    `ALTER SEQUENCE` can be rolled back, `setval` cannot; it is for a role that owns the tables'
    rows and not the sequence.

    Args:
        connection: The database.
        places: The tables.
    """
    wanted = {"schemas": [p.schema for p in places], "names": [p.name for p in places]}
    found = connection.execute(_SEQUENCES, wanted).fetchall()
    users: dict[str, list[Any]] = {}
    for row in found:
        users.setdefault(row[0], []).append(row)
    for sequence, rows in users.items():
        _restart(connection, sequence, rows)


def _restart(connection: psycopg.Connection[Any], sequence: str, rows: list[Any]) -> None:
    start, step, least, most, is_owner = rows[0][4:]
    extreme = "max" if step > 0 else "min"
    tables = " UNION ALL ".join(
        f"SELECT {extreme}({quote(column)}) AS n FROM {quote(schema)}.{quote(name)}"
        for _, schema, name, column, *_ in rows
    )
    row = connection.execute(f"SELECT {extreme}(n) FROM ({tables}) numbers".encode()).fetchone()
    last = row[0] if row else None
    following = min(max(start if last is None else int(last) + step, least), most)
    if is_owner:
        connection.execute(f"ALTER SEQUENCE {sequence} RESTART WITH {following}".encode())
    else:
        connection.execute("SELECT setval(%s::regclass, %s, false)", (sequence, following))
