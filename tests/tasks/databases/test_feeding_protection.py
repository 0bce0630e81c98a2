"""The warehouse is never fed, by whatever address, and no address tells its password."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from prefect_synth.synth.metadata import Column, Metadata, Table
from prefect_synth.tasks.databases.errors import ProtectedTargetError, TargetUrlError
from prefect_synth.tasks.databases.feeding import feed_snapshot
from prefect_synth.tasks.databases.postgres_identity import Identity, is_same
from prefect_synth.tasks.databases.same_database import same_database


@pytest.fixture(scope="module")
def small(publish: Any) -> Any:
    """A snapshot of one row."""
    metadata = Metadata({"people": Table("people", {"id": Column("id", "id", False)}, ("id",))})
    return publish(metadata, {"people": pa.table({"id": [1]})})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("postgresql://a:x@localhost/shop", "postgres://b:y@127.0.0.1:5432/shop", True),
        ("postgresql://a@localhost/shop", "postgresql:///shop?host=/var/run/postgresql", True),
        ("postgresql://a@localhost/shop", "postgresql://a@localhost/test", False),
        ("postgresql://a@localhost:5433/shop", "postgresql://a@localhost/shop", False),
        ("postgresql:///shop?host=/tmp/a", "postgresql:///shop?host=/tmp/b", False),
        ("postgresql://a@localhost/shop", "mysql://a@localhost/shop", False),
        ("mysql://a@localhost/shop", "mariadb://b@127.0.0.1:3306/shop", True),
        ("duckdb:///x/../shop.duckdb", "duckdb:///shop.duckdb", True),
        ("duckdb:///shop.duckdb", "sqlite:///shop.duckdb", False),
        ("nonsense", "duckdb:///shop.duckdb", False),
        ("postgresql://u@10.0.0.1/shop", "postgresql://u@/shop?hostaddr=10.0.0.1", True),
        ("postgresql://u@10.0.0.1/shop", "postgresql://u@x/shop?hostaddr=10.0.0.1", True),
        ("postgresql://localhost/?user=shop", "postgresql://a@localhost/shop", True),
        ("postgresql://a@localhost/x?dbname=shop", "postgresql://a@localhost/shop", True),
        ("postgresql:///shop?host=10.0.0.1,10.0.0.2", "postgresql://a@10.0.0.2/shop", True),
        (
            "postgresql:///shop?host=10.0.0.1,10.0.0.2&port=1,2",
            "postgresql://a@10.0.0.2:1/shop",
            False,
        ),
        ("mysql://a@/shop?unix_socket=/run/a", "mysql://a@/shop?unix_socket=/run/b", False),
    ],
)
def test_the_same_database_is_known(one: str, other: str, same: bool) -> None:
    """By file, or by server, port and name; users do not matter."""
    assert (same_database(one, other), same_database(other, one)) == (same, same)


def test_the_environment_of_libpq_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a URL does not say, libpq takes from there."""
    monkeypatch.setenv("PGHOST", "10.0.0.1")
    monkeypatch.setenv("PGPORT", "5433")
    assert same_database("postgresql:///shop", "postgresql://u@10.0.0.1:5433/shop")
    assert not same_database("postgresql:///shop", "postgresql://u@localhost/shop")
    monkeypatch.setenv("PGDATABASE", "shop")
    assert same_database("postgresql://", "postgresql://u@10.0.0.1:5433/shop")


def test_a_hard_link_is_the_same_file(tmp_path: Path) -> None:
    """Two names, one database."""
    (tmp_path / "a.db").touch()
    (tmp_path / "b.db").hardlink_to(tmp_path / "a.db")
    assert same_database(f"sqlite:///{tmp_path}/a.db", f"sqlite:///{tmp_path}/b.db")


def test_the_server_is_asked_who_it_is(
    small: Any, postgres_database: str, tmp_path_factory: Any
) -> None:
    """Its socket in another folder looks like another server; another database there is fed."""
    head, _, folder = postgres_database.partition("?host=")
    other = tmp_path_factory.mktemp("s")
    (other / ".s.PGSQL.5432").symlink_to(Path(folder) / ".s.PGSQL.5432")
    warehouse = f"{head}?host={other}"
    assert not same_database(postgres_database, warehouse)
    with pytest.raises(ProtectedTargetError, match="by another address"):
        feed_snapshot(small, postgres_database, protect=warehouse)
    with psycopg.connect(postgres_database) as connection:
        assert connection.execute("SELECT to_regclass('people')").fetchall() == [(None,)]
    elsewhere = f"postgresql://postgres@/postgres?host={other}"
    assert feed_snapshot(small, postgres_database, protect=elsewhere).rows == 1


def test_a_warehouse_that_does_not_answer_is_no_hindrance(
    small: Any, postgres_database: str
) -> None:
    """Then its address is all that is known."""
    away = "postgresql://u@127.0.0.1:1/shop"
    assert feed_snapshot(small, postgres_database, protect=away).rows == 1


def test_the_primary_of_a_warehouse_that_is_a_replica_is_protected() -> None:
    """But not a physical copy of the warehouse that runs on its own."""
    warehouse = Identity("shop", datetime(2026, 1, 1, tzinfo=UTC), is_replica=False, system=7)
    later = replace(warehouse, started=datetime(2026, 1, 2, tzinfo=UTC))
    assert is_same(warehouse, warehouse)
    assert not is_same(replace(warehouse, database="test"), warehouse)
    assert not is_same(later, warehouse)
    assert is_same(later, replace(warehouse, is_replica=True))
    for system in (8, None):
        other = replace(later, system=system)
        assert not is_same(other, replace(warehouse, is_replica=True))
    unknown = replace(warehouse, is_replica=True, system=None)
    assert not is_same(replace(later, system=None), unknown)


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
@pytest.mark.parametrize("password", ["hunter2#x", "hunter2/x", "hunter2[x", "hunter2℀x"])
def test_a_password_that_is_not_encoded_is_not_told(small: Any, scheme: str, password: str) -> None:
    """Beside a warehouse of the same kind, whose address is compared first."""
    url = f"{scheme}://tester:{password}@127.0.0.1:1/test"
    with pytest.raises(Exception, match=r"\S") as caught:
        feed_snapshot(small, url, protect=f"{scheme}://u@127.0.0.1:1/prod")
    assert "hunter2" not in str(caught.value)
    assert type(caught.value).__module__ == TargetUrlError.__module__


def test_a_role_that_may_not_know_the_system_is_known_all_the_same(
    small: Any, postgres_database: str, tmp_path_factory: Any
) -> None:
    """By the moment when its server was started."""
    head, _, folder = postgres_database.partition("?host=")
    other = tmp_path_factory.mktemp("t")
    (other / ".s.PGSQL.5432").symlink_to(Path(folder) / ".s.PGSQL.5432")
    with psycopg.connect(postgres_database) as connection:
        connection.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
        connection.execute("CREATE ROLE watcher LOGIN")
    warehouse = f"{head}?host={other}".replace("//postgres", "//watcher")
    with pytest.raises(ProtectedTargetError, match="by another address"):
        feed_snapshot(small, postgres_database, protect=warehouse)
    with psycopg.connect(postgres_database) as connection:
        connection.execute("DROP ROLE watcher")
