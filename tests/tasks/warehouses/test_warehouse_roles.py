"""A role that can write is refused, and the statements in the refusal make one that cannot."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from prefect_synth.tasks.warehouses.errors import TableNotFound, WritableRoleError
from prefect_synth.tasks.warehouses.postgres_roles import least_privileges
from prefect_synth.tasks.warehouses.selection import plan_selection
from prefect_synth.tasks.warehouses.warehouse import open_warehouse

TABLES = "CREATE TABLE t (a int, b int); CREATE SCHEMA crm; CREATE TABLE crm.u (a int);"


@pytest.fixture
def reader(postgres_database: str) -> str:
    """The URI of a role made by the documented grants, in a database with two schemas."""
    name = re.search(r"/(\w+)\?", postgres_database)[1]
    role = f"reader_{name}"
    grants = least_privileges(name, ["public", "crm"]).replace("synth_reader", role)
    with psycopg.connect(postgres_database) as admin:
        admin.execute(TABLES + grants)
    yield postgres_database.replace("postgres:@", f"{role}:@")
    with psycopg.connect(postgres_database, autocommit=True) as admin:
        admin.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_the_documented_role_is_accepted(reader: str) -> None:
    """A role with the documented grants reads every table and passes the check."""
    warehouse = open_warehouse(reader)
    with warehouse.snapshot() as snapshot:
        assert sorted(warehouse.reflect(["public", "crm"]).tables) == ["crm.u", "public.t"]
        assert snapshot.count("crm.u") == 0


def test_tables_made_later_are_readable(reader: str, postgres_database: str) -> None:
    """The default privileges reach tables that the same owner makes afterwards."""
    with psycopg.connect(postgres_database) as admin:
        admin.execute("CREATE TABLE later (a int)")
    assert "later" in open_warehouse(reader).reflect().tables


def test_a_superuser_is_refused(postgres_database: str) -> None:
    """A superuser is refused with the grants of a better role, before any row is read."""
    warehouse = open_warehouse(postgres_database)
    with pytest.raises(WritableRoleError, match=r"(?s)it is a superuser.*GRANT SELECT ON ALL"):
        warehouse.check_read_only()
    with pytest.raises(WritableRoleError), warehouse.snapshot():
        pass


def test_a_superuser_is_accepted_when_allowed(postgres_database: str) -> None:
    """With allow_writable the check passes."""
    open_warehouse(postgres_database, allow_writable=True).check_read_only()


@pytest.mark.parametrize(
    ("grant", "named"),
    [
        ("GRANT INSERT ON t TO {}", r"INSERT on public\.t"),
        ("GRANT UPDATE (b) ON t TO {}", r"UPDATE on public\.t"),
        ("GRANT DELETE, TRUNCATE ON crm.u TO {}", r"DELETE, TRUNCATE on crm\.u"),
        ("GRANT CREATE ON SCHEMA crm TO {}", "CREATE on schema crm"),
        ("ALTER TABLE t OWNER TO {}", r"OWNER, INSERT, UPDATE, DELETE, TRUNCATE on public\.t"),
        ("GRANT pg_write_all_data TO {}", r"INSERT, UPDATE, DELETE on crm\.u"),
        ("DO $$ BEGIN EXECUTE 'GRANT CREATE ON DATABASE ' || current_database() || ' TO {}'; "
         "END $$", "CREATE on the database"),
    ],
)  # fmt: skip
def test_each_right_to_write_is_refused(
    reader: str, postgres_database: str, grant: str, named: str
) -> None:
    """Every way of writing is found and named."""
    role = re.search(r"//(\w+):", reader)[1]
    with psycopg.connect(postgres_database) as admin:
        admin.execute(grant.format(role))
    with pytest.raises(WritableRoleError, match=f"The warehouse role '{role}' can write: {named}"):
        open_warehouse(reader).check_read_only()


def test_a_table_without_grant_is_not_seen(reader: str, postgres_database: str) -> None:
    """A table that the role may not read is left out, and refused when it is named."""
    role = re.search(r"//(\w+):", reader)[1]
    with psycopg.connect(postgres_database) as admin:
        admin.execute(f"CREATE TABLE secret (a int); REVOKE SELECT ON secret FROM {role}")
    warehouse = open_warehouse(reader)
    assert "secret" not in warehouse.reflect().tables
    with pytest.raises(TableNotFound, match=r"may not read table 'public\.secret'.*GRANT SELECT"):
        warehouse.reflect(include=["secret"])


def test_columns_without_grant_are_not_read(
    reader: str, postgres_database: str, tmp_path: Path
) -> None:
    """Where a role may read some columns, only these are in the metadata and in every query."""
    role = re.search(r"//(\w+):", reader)[1]
    with psycopg.connect(postgres_database) as admin:
        admin.execute(f"REVOKE SELECT ON t FROM {role}; GRANT SELECT (b) ON t TO {role}")
        admin.execute("INSERT INTO t SELECT i, i FROM generate_series(1, 300) AS i")
    warehouse = open_warehouse(reader)
    metadata = warehouse.reflect()
    selection = plan_selection(metadata, {"t": 300}, rows=9)
    with warehouse.snapshot() as snapshot:
        schema, path = warehouse.schemas(metadata)["t"], tmp_path / "t.parquet"
        assert (schema.names, snapshot.pull("t", schema, path, selection=selection)) == (["b"], 9)
