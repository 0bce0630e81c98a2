"""Indexes that a deletion needs, for as long as it takes.

For each deleted row PostgreSQL looks for rows that refer to it; without an index on the foreign
key's columns it reads the whole table each time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from itertools import count
from typing import Any

import psycopg

from prefect_synth.tasks.databases.existing import TargetKey
from prefect_synth.tasks.warehouses.catalogue import quote

_PREFIX = "prefect_synth_feed_"
_OURS = f"^{_PREFIX}[0-9a-f]{{16}}(_[0-9]+)?$"
_WORTH_IT = 2**20

_HAS_NO_INDEX = """
WITH wanted AS (
    SELECT array_agg(attnum) AS columns FROM pg_attribute
    WHERE attrelid = %(table)s::regclass AND attname = ANY (%(columns)s)
)
SELECT pg_has_role(c.relowner, 'USAGE') AND pg_relation_size(c.oid) > %(worth)s
   AND c.relkind = 'r' AND NOT EXISTS (
       SELECT FROM pg_index i, wanted w
       WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL
         AND (i.indkey::int2[])[0:cardinality(w.columns) - 1] @> w.columns)
FROM pg_class c WHERE c.oid = %(table)s::regclass
"""
_LEFT = """
SELECT n.nspname, c.relname
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.indrelid = ANY (%s::text[]::regclass[]) AND c.relname ~ %s
  AND pg_has_role(c.relowner, 'USAGE')
"""


class HelperIndexes:
    """Indexes on foreign keys that have none, in tables of some size that this role owns.

    Args:
        connection: The database.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._tables: set[str] = set()

    def create(self, keys: Iterable[TargetKey]) -> None:
        """Create what is missing; writers wait until the end of the transaction, readers do not."""
        for key in keys:
            table = f"{quote(str(key.child.schema))}.{quote(key.child.name)}"
            self._tables.add(table)
            wanted = {"table": table, "columns": list(key.columns), "worth": _WORTH_IT}
            row = self._connection.execute(_HAS_NO_INDEX, wanted).fetchone()
            if row is not None and row[0]:
                columns = ", ".join(map(quote, key.columns))
                name = self._free_name(str(key.child.schema), f"{table} {columns}")
                self._connection.execute(f"CREATE INDEX {name} ON {table} ({columns})".encode())

    def drop(self) -> None:
        """Drop them again without blocking anybody, after the transaction.

        One that somebody's long transaction keeps is left. It may be invalid then, which no query
        uses; the next feed makes another one and drops both.
        """
        with suppress(psycopg.Error):
            self._connection.autocommit = True
            self._connection.execute("SET lock_timeout = '10s'")
            found = self._connection.execute(_LEFT, [list(self._tables), _OURS]).fetchall()
            for schema, name in found:
                index = f"{quote(schema)}.{quote(name)}"
                self._connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index}".encode())

    def _free_name(self, schema: str, what: str) -> str:
        """A name that no index has, not even one that could not be dropped."""
        digest = hashlib.sha256(what.encode()).hexdigest()[:16]
        for number in count(1):
            name = f"{_PREFIX}{digest}" + (f"_{number}" if number > 1 else "")
            taken = self._connection.execute(
                "SELECT to_regclass(%s) IS NOT NULL", [f"{quote(schema)}.{name}"]
            ).fetchone()
            if taken is None or not taken[0]:
                break
        return name
