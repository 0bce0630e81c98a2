"""A user's checks in SQL: they count rows of the synthetic tables, and can do nothing else."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.expectations.suite_settings import SqlCheck
from prefect_synth.expectations.verdict import Check
from prefect_synth.tasks.sql_checks import run_sql_checks


@pytest.fixture
def synthetic(tmp_path: Path) -> dict[str, Path]:
    """A table of two parts in a schema, a table whose name is no pattern, and one as a file."""
    parts = tmp_path / "synthetic" / "crm.customers"
    parts.mkdir(parents=True)
    for number in (0, 1):
        rows = pa.table({"id": [2 * number, 2 * number + 1], "city": ["Ulm", "s3cret"]})
        pq.write_table(rows, parts / f"part-{number}.parquet")
    odd, file = tmp_path / "synthetic" / "o[d]*d's", tmp_path / "synthetic" / "orders.parquet"
    odd.mkdir()
    pq.write_table(pa.table({"x": [1]}), odd / "part-0.parquet")
    pq.write_table(pa.table({"id": [0, 9]}), file)
    return {"crm.customers": parts, 'o"d': odd, "orders": file}


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """A real table that no check may see."""
    path = tmp_path / "real.parquet"
    pq.write_table(pa.table({"id": [1]}), path)
    return path


def run(sql: str, synthetic: dict[str, Path], on_fail: str = "block", **options: object) -> Check:
    """Run one check."""
    check = SqlCheck.model_validate({"sql": sql, "on_fail": on_fail})
    (found,) = run_sql_checks({"mine": check}, synthetic, **options)
    assert found.name == "mine"
    return found


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT * FROM crm.customers WHERE id > 3", 0),
        ("SELECT * FROM crm.customers WHERE city = 's3cret' -- all of them", 2),
        ("SELECT * FROM orders WHERE id NOT IN (SELECT id FROM crm.customers);", 1),
        ('WITH one AS (SELECT * FROM "o""d") SELECT * FROM one', 1),
    ],
)
def test_a_check_counts_the_rows_that_break_it(sql: str, rows: int, synthetic: dict) -> None:
    """No row is right; of others only the number is told."""
    found = run(sql, synthetic)
    assert (found.observed, found.status) == (rows, "failed" if rows else "passed")
    assert "s3cret" not in str(found)


def test_a_check_may_only_warn(synthetic: dict) -> None:
    """With `on_fail: warn` it does not block."""
    assert run("SELECT 1", synthetic, "warn").status == "warned"


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT nothing FROM orders", "BinderException"),
        ("SELECT * FROM nowhere", "CatalogException"),
        ("SELEC 's3cret'", "ParserException"),
        ("SELECT * FROM crm.customers WHERE CAST(city AS INTEGER) > 1", "ConversionException"),
        ("SELECT 1; SELECT 2", "NotOneQueryError"),
        ("-- nothing", "NotOneQueryError"),
    ],
)
def test_a_query_that_breaks_is_crashed_by_kind(sql: str, kind: str, synthetic: dict) -> None:
    """It says nothing of the data, and its message, which quotes values, is not told."""
    found = run(sql, synthetic)
    assert (found.status, found.observed) == ("crashed", None)
    assert kind in found.detail
    assert "s3cret" not in str(found)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_parquet('{real}')",
        "SELECT * FROM '{real}'",
        "SELECT * FROM read_parquet('{folder}/synthetic/../real.parquet')",
        "SELECT * FROM read_text('{real}')",
        "SELECT * FROM glob('{folder}/*')",
    ],
)
def test_a_check_cannot_read_a_file(sql: str, synthetic: dict, real: Path) -> None:
    """Neither the real tables nor anything else on this machine."""
    found = run(sql.format(real=real, folder=real.parent), synthetic)
    assert (found.status, "PermissionException" in found.detail) == ("crashed", True)


@pytest.mark.parametrize(
    "sql",
    [
        "COPY orders TO '{folder}/out.parquet'",
        "ATTACH '{folder}/out.parquet' AS other",
        "CREATE TABLE t AS SELECT 1",
        "DROP VIEW orders",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "SELECT 1; COPY orders TO '{folder}/out.parquet'",
    ],
)
def test_a_check_can_only_ask(sql: str, synthetic: dict, tmp_path: Path) -> None:
    """It writes no file, attaches no database and loosens no setting."""
    assert run(sql.format(folder=tmp_path), synthetic).status == "crashed"
    assert not (tmp_path / "out.parquet").exists()


def test_a_check_sees_no_variable_of_this_program(synthetic: dict) -> None:
    """DuckDB would take a frame in Python for a table."""
    orders_of_python = pa.table({"x": [1]})
    assert len(orders_of_python) == 1
    assert "CatalogException" in run("SELECT * FROM orders_of_python", synthetic).detail


def test_a_check_that_takes_too_long_is_interrupted(synthetic: dict) -> None:
    """A join of everything with everything does not hold up the night."""
    sql = "SELECT a.range FROM range(10000000) a, range(10000000) b WHERE a.range + b.range < 0"
    found = run(sql, synthetic, seconds=0.2)
    assert (found.status, "InterruptException" in found.detail) == ("crashed", True)


def test_a_check_has_its_memory(synthetic: dict) -> None:
    """What needs more than the setting crashes, and writes nothing to disk."""
    sql = (
        "SELECT range % 7 g, list(random()) l FROM range(5000000) GROUP BY range HAVING len(l) > 9"
    )
    assert "OutOfMemoryException" in run(sql, synthetic, memory="20MB").detail


@pytest.mark.parametrize(
    ("table", "sql", "reason"),
    [
        ("ORDERS", "SELECT * FROM orders", "'orders', 'ORDERS' are one to SQL"),
        ("main.Orders", 'SELECT * FROM "Orders"', "'orders', 'main.Orders' are one to SQL"),
        ("CRM.Customers", "SELECT * FROM crm.customers", "'crm.customers', 'CRM.Customers' are"),
        ("pg_catalog.x", "SELECT * FROM pg_catalog.x", "'pg_catalog.x' lies in a schema that"),
        ("temp.x", "SELECT 1 FROM temp.x", "'temp.x' lies in a schema that"),
        ("information_schema.tables", "FROM Information_Schema.tables", "DuckDB keeps for itself"),
    ],
)
def test_a_table_that_sql_cannot_reach_is_named(
    table: str, sql: str, reason: str, synthetic: dict
) -> None:
    """The check that asks for it says why; the others run."""
    checks = {"bad": SqlCheck(sql=sql), "good": SqlCheck(sql='SELECT * FROM "o""d" WHERE x > 1')}
    bad, good = run_sql_checks(checks, {**synthetic, table: synthetic["orders"]})
    assert (bad.status, reason in bad.detail) == ("crashed", True)
    assert good.status == "passed"


def test_checks_do_not_disturb_each_other(synthetic: dict) -> None:
    """After one that broke the next runs."""
    checks = {"bad": SqlCheck(sql="SELECT x"), "good": SqlCheck(sql="SELECT 1 WHERE false")}
    found = run_sql_checks(checks, synthetic)
    assert [(c.name, c.status) for c in found] == [("bad", "crashed"), ("good", "passed")]
