"""A project made from a PostgreSQL catalogue keeps the password out of its file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from typer.testing import CliRunner

from prefect_synth.flows.cli import app

PASSWORD = "hush-hush"


@pytest.fixture
def reader(postgres_database: str) -> Iterator[str]:
    """The name of a role that may read the database's one table."""
    role = f"reader_{urlsplit(postgres_database).path[1:]}"
    with psycopg.connect(postgres_database, autocommit=True) as admin:
        admin.execute(f"CREATE TABLE t (id int PRIMARY KEY); CREATE ROLE {role} LOGIN")
        admin.execute(f"GRANT SELECT ON t TO {role}")
        yield role
        admin.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.parametrize(
    "form",
    [
        "postgresql://{role}:{password}@{path}?{query}",
        "postgresql://{path}?user={role}&password={password}&{query}",
    ],
)
def test_init_writes_no_password(
    form: str, reader: str, postgres_database: str, tmp_path: Path
) -> None:
    """In whichever part of the URL it stands, a variable takes its place."""
    parts = urlsplit(postgres_database)
    url = form.format(role=reader, password=PASSWORD, path=parts.path, query=parts.query)
    result = CliRunner().invoke(app, ["init", "--from", url, "--project", str(tmp_path)])
    assert result.exit_code == 0, result.output
    text = (tmp_path / "synth.yaml").read_text()
    assert (PASSWORD in text + result.output, "${SYNTH_WAREHOUSE_URL}" in text) == (False, True)
