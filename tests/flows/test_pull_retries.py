"""A refresh outlives a warehouse that breaks connections off."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg
import pytest

SHOP = """
CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL);
INSERT INTO t SELECT i, i % 7 FROM generate_series(1, 300) i;
CREATE VIEW slow AS SELECT id, v + length((SELECT pg_sleep(2))::text) AS v FROM t;
"""
READERS, ALL = "%slow%", "%"


class Breaker(Thread):
    """Ends connections, once, as soon as somebody reads the slow view."""

    def __init__(self, uri: str, whose: str) -> None:
        super().__init__(daemon=True)
        self.uri, self.whose, self.ended = uri, whose, 0

    def run(self) -> None:
        with psycopg.connect(self.uri, autocommit=True) as admin:
            reading = "query LIKE '%%slow%%' AND wait_event = 'PgSleep'"
            while not self._count(admin, f"count(*) FILTER (WHERE {reading})"):
                time.sleep(0.05)
            self.ended = self._count(admin, "count(pg_terminate_backend(pid))", self.whose)

    def _count(self, admin: psycopg.Connection, what: str, whose: str = ALL) -> int:
        sql = (
            f"SELECT {what} FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND query LIKE %s"
        )
        return int(admin.execute(sql, [whose]).fetchone()[0])


@pytest.fixture
def project(postgres_database: str, tmp_path: Path) -> Path:
    """A project with a table, and a view that is read for two seconds."""
    with psycopg.connect(postgres_database) as connection:
        connection.execute(SHOP)
    (tmp_path / "synth.yaml").write_text(
        f"project: shop\nwarehouse: {{url: '{postgres_database}', include: [t, slow],\n"
        "  allow_writable: true}\nsandbox: {url: sandbox}\nrun: {retries: 1}\n"
    )
    return tmp_path


@pytest.mark.usefixtures("prefect_url")
@pytest.mark.parametrize(
    ("whose", "ended"), [pytest.param(READERS, 1, marks=pytest.mark.slow), (ALL, 2)]
)
def test_a_pull_is_tried_again(
    whose: str, ended: int, project: Path, postgres_database: str, caplog: Any
) -> None:
    """A lost reader joins the snapshot again; a lost snapshot is followed by a new one."""
    from prefect_synth.flows.refresh import refresh

    breaker = Breaker(postgres_database, whose)
    breaker.start()
    state = refresh(str(project), return_state=True)
    assert (state.name, breaker.ended) == ("Published", ended), state.message
    assert ("from a new snapshot" in caplog.text) == (whose == ALL)
