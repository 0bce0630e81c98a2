"""Types that a database has: names that are taken, and those of ours that nothing uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from prefect_synth.tasks.databases.plan import Place
from prefect_synth.tasks.databases.postgres_ddl import OUR_TYPE
from prefect_synth.tasks.warehouses.catalogue import quote

# every table has a type of its name too
_TYPES = """
SELECT n.nspname, t.typname,
       ARRAY (SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid
              ORDER BY e.enumsortorder)
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema')
"""
_UNUSED = """
SELECT n.nspname, t.typname
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype = 'e' AND n.nspname = ANY (%s) AND pg_has_role(t.typowner, 'USAGE')
  AND obj_description(t.oid, 'pg_type') = %s
  AND NOT EXISTS (
      SELECT FROM pg_depend d
      WHERE d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray)
        AND d.deptype <> 'i')
"""


def known_types(connection: psycopg.Connection[Any]) -> dict[Place, tuple[str, ...]]:
    """The labels of all enumerated types by place, and none for all other types."""
    found = connection.execute(_TYPES).fetchall()
    return {Place(schema, name): tuple(labels) for schema, name, labels in found}


def drop_unused(connection: psycopg.Connection[Any], schemas: Sequence[str]) -> None:
    """Drop the enumerated types that were made here and that no column has any more.

    Args:
        connection: The database.
        schemas: Where to look.
    """
    for schema, name in connection.execute(_UNUSED, [list(schemas), OUR_TYPE]).fetchall():
        connection.execute(f"DROP TYPE {quote(schema)}.{quote(name)}".encode())
