"""Whether a role may feed: asked before anything is touched."""

from __future__ import annotations

from typing import Any

import psycopg

from prefect_synth.tasks.databases.errors import TargetPermissionError
from prefect_synth.tasks.databases.job import Job, Mode
from prefect_synth.tasks.warehouses.catalogue import quote

_NEEDED: dict[Mode, tuple[str, ...]] = {
    "replace": ("SELECT", "INSERT", "DELETE"),
    "append": ("SELECT", "INSERT"),
    "upsert": ("SELECT", "INSERT", "UPDATE"),
}
_WHO = """
SELECT current_user, current_database(), current_setting('transaction_read_only')
"""
_OWNS = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = %s::regclass"
_SCHEMA = """
SELECT CASE WHEN n.oid IS NULL
            THEN has_database_privilege(current_database(), 'CREATE')
            ELSE has_schema_privilege(n.oid, 'USAGE') AND has_schema_privilege(n.oid, 'CREATE') END,
       n.oid IS NULL
FROM (SELECT %s::name AS wanted) w LEFT JOIN pg_namespace n ON n.nspname = w.wanted
"""


def check_rights(connection: psycopg.Connection[Any], job: Job) -> None:
    """See that the role may write to the tables that exist and create those that do not.

    Raises:
        TargetPermissionError: A right is missing; the message names it.
    """
    role, database, read_only = _first(
        connection,
        "SELECT current_user, current_database(), current_setting('transaction_read_only')",
    )
    if read_only == "on":
        raise TargetPermissionError(
            f"Role '{role}' can only read in database '{database}', or it is a replica. Feed "
            "another database, or a role without default_transaction_read_only."
        )
    if job.remade:
        _check_remade(connection, job, str(role), str(database))
    _check_tables(connection, job, str(role))
    _check_schemas(connection, job, str(role), str(database))


def _check_remade(connection: psycopg.Connection[Any], job: Job, role: str, database: str) -> None:
    (held,) = _first(connection, "SELECT has_database_privilege(current_database(), 'CREATE')")
    if not held:
        raise TargetPermissionError(
            f"Role '{role}' may not make tables anew in a schema of its own. Run as an "
            f"administrator: GRANT CREATE ON DATABASE {quote(database)} TO {quote(role)};"
        )
    for place in job.remade:
        name = f"{quote(str(place.schema))}.{quote(place.name)}"
        (owns,) = _first(connection, _OWNS, name)
        if not owns:
            raise TargetPermissionError(
                f"Role '{role}' does not own table '{place}', so it cannot make it anew. Run as "
                f"its owner: ALTER TABLE {name} OWNER TO {quote(role)}; or use create: missing."
            )


def _check_tables(connection: psycopg.Connection[Any], job: Job, role: str) -> None:
    needed = _NEEDED[job.mode]
    for table in job.present():
        name = f"{quote(str(table.place.schema))}.{quote(table.place.name)}"
        for right in needed:
            (held,) = _first(connection, "SELECT has_table_privilege(%s, %s)", name, right)
            if not held:
                raise TargetPermissionError(
                    f"Role '{role}' may not {right} in table '{table.place}'. Run as its owner: "
                    f"GRANT {', '.join(needed)} ON {name} TO {quote(role)};"
                )


def _check_schemas(connection: psycopg.Connection[Any], job: Job, role: str, database: str) -> None:
    for schema in dict.fromkeys(str(table.place.schema) for table in job.missing()):
        held, is_new = _first(connection, _SCHEMA, schema)
        on_schema = f"USAGE, CREATE ON SCHEMA {quote(schema)}"
        wanted = f"CREATE ON DATABASE {quote(database)}" if is_new else on_schema
        if not held:
            raise TargetPermissionError(
                f"Role '{role}' may not create what is missing in schema '{schema}'. Run as an "
                f"administrator: GRANT {wanted} TO {quote(role)};"
            )


def _first(connection: psycopg.Connection[Any], query: str, *values: object) -> Any:
    return connection.execute(query.encode(), values or None).fetchone()
