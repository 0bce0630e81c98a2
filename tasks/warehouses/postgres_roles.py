"""What a PostgreSQL role may change; a warehouse role must be able to change nothing."""

from __future__ import annotations

from sqlalchemy import Connection, text

from prefect_synth.tasks.warehouses.catalogue import quote
from prefect_synth.tasks.warehouses.errors import WritableRoleError
from prefect_synth.tasks.warehouses.postgres_reflection import USER_SCHEMA

_SUPERUSER = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
_DATABASE = "SELECT has_database_privilege(current_database(), 'CREATE')"
_SCHEMAS = f"""
SELECT n.nspname FROM pg_namespace n
WHERE {USER_SCHEMA} AND has_schema_privilege(n.oid, 'CREATE') ORDER BY n.nspname
"""
_TABLES = f"""
SELECT n.nspname || '.' || c.relname AS name, concat_ws(', ',
    CASE WHEN pg_has_role(c.relowner, 'USAGE') THEN 'OWNER' END,
    CASE WHEN has_any_column_privilege(c.oid, 'INSERT') THEN 'INSERT' END,
    CASE WHEN has_any_column_privilege(c.oid, 'UPDATE') THEN 'UPDATE' END,
    CASE WHEN has_table_privilege(c.oid, 'DELETE') THEN 'DELETE' END,
    CASE WHEN has_table_privilege(c.oid, 'TRUNCATE') THEN 'TRUNCATE' END) AS rights
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {USER_SCHEMA}
ORDER BY n.nspname, c.relname
"""
_READ_SCHEMAS = f"""
SELECT DISTINCT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND {USER_SCHEMA} ORDER BY n.nspname
"""


def refuse_writable_role(connection: Connection) -> None:
    """Refuse the connection's role if it could change anything.

    Raises:
        WritableRoleError: It can; the message names what, and the grants of a role that cannot.
    """
    rights = list(_rights(connection))
    if not rights:
        return
    role, database = connection.execute(text("SELECT current_user, current_database()")).one()
    schemas = [row[0] for row in connection.execute(text(_READ_SCHEMAS))] or ["public"]
    shown = "; ".join(rights[:5]) + (f"; and {len(rights) - 5} more" if len(rights) > 5 else "")
    raise WritableRoleError(
        f"The warehouse role '{role}' can write: {shown}. Only a read-only role is accepted. "
        f"Make one, as an administrator, and use it in warehouse.url:\n"
        f"{least_privileges(database, schemas)}\n"
        "Or set warehouse.allow_writable to true; the connection itself never writes."
    )


def _rights(connection: Connection) -> list[str]:
    """What the role may change, in words; the widest right alone where it covers the rest."""
    if connection.execute(text(_SUPERUSER)).scalar_one():
        return ["it is a superuser"]
    rights = []
    if connection.execute(text(_DATABASE)).scalar_one():
        rights.append("CREATE on the database")
    rights += [f"CREATE on schema {row[0]}" for row in connection.execute(text(_SCHEMAS))]
    tables = connection.execute(text(_TABLES)).all()
    return rights + [f"{row.rights} on {row.name}" for row in tables if row.rights]


def least_privileges(database: str, schemas: list[str]) -> str:
    """The statements that make a role which can read `schemas` and change nothing."""
    lines = [
        "  CREATE ROLE synth_reader LOGIN PASSWORD '...';",
        "  ALTER ROLE synth_reader SET default_transaction_read_only = on;",
        f"  GRANT CONNECT ON DATABASE {quote(database)} TO synth_reader;",
    ]
    for schema in map(quote, schemas):
        lines += [
            f"  GRANT USAGE ON SCHEMA {schema} TO synth_reader;",
            f"  GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO synth_reader;",
            f"  ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES "
            "TO synth_reader;",
        ]
    if "public" in schemas:  # open to everyone up to PostgreSQL 14
        lines.append("  REVOKE CREATE ON SCHEMA public FROM PUBLIC;")
    return "\n".join(lines)
