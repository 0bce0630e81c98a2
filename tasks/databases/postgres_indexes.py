"""Indexes that a deletion needs, for as long as it takes.

For each deleted row PostgreSQL looks for rows that refer to it; without an index on the foreign
key's columns it reads the whole table each time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import psycopg

from prefect_synth.tasks.databases.existing import TargetKey
from prefect_synth.tasks.warehouses.catalogue import quote

_PREFIX = "prefect_synth_feed_"
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


class HelperIndexes:
    """Indexes on foreign keys that have none, in tables of some size that this role owns.

    Args:
        connection: The database.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._made: list[str] = []

    def create(self, keys: Iterable[TargetKey]) -> None:
        """Create what is missing; writers wait until the end of the transaction, readers do not."""
        for key in keys:
            table = f"{quote(str(key.child.schema))}.{quote(key.child.name)}"
            wanted = {"table": table, "columns": list(key.columns), "worth": _WORTH_IT}
            row = self._connection.execute(_HAS_NO_INDEX, wanted).fetchone()
            if row is not None and row[0]:
                columns = ", ".join(map(quote, key.columns))
                digest = hashlib.sha256(f"{table} {columns}".encode()).hexdigest()[:16]
                name = f"{_PREFIX}{digest}"
                self._connection.execute(
                    f"CREATE INDEX IF NOT EXISTS {name} ON {table} ({columns})".encode()
                )
                self._made.append(f"{quote(str(key.child.schema))}.{name}")

    def drop(self) -> None:
        """Drop them again without blocking anybody, after the transaction.

        One that somebody's long transaction keeps is left: it does no harm, and the next feed uses
        it.
        """
        if not self._made:
            return
        with suppress(psycopg.Error):
            self._connection.autocommit = True
            self._connection.execute("SET lock_timeout = '10s'")
            for name in self._made:
                self._connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}".encode())
