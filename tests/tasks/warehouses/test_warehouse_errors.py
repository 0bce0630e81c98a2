"""Wrong URLs, hosts, passwords and files: each is named with its cure, and no secret is told."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psycopg
import pytest

from prefect_synth.tasks.warehouses.errors import ConnectionFailed, InvalidUrl
from prefect_synth.tasks.warehouses.url import duckdb_path, redact, scrub
from prefect_synth.tasks.warehouses.warehouse import open_warehouse

SECRET = "Tr0ub4dor"


@pytest.fixture
def password_role(postgres_uri: str) -> Iterator[str]:
    """The URI of a role that the server asks for a password."""
    with psycopg.connect(postgres_uri, autocommit=True) as admin:
        hba = Path(admin.execute("SHOW hba_file").fetchone()[0])
        before = hba.read_text()
        hba.write_text("local all picky scram-sha-256\n" + before)
        admin.execute("CREATE ROLE picky LOGIN PASSWORD 'p@ss/word'; SELECT pg_reload_conf()")
        yield postgres_uri.replace("postgres:@", "picky:{}@")
        hba.write_text(before)
        admin.execute("DROP ROLE picky; SELECT pg_reload_conf()")


def told(error: BaseException) -> str:
    """Everything that a log would show of an error, causes included."""
    texts = []
    seen: BaseException | None = error
    while seen is not None:
        texts.append(str(seen))
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return "\n".join(texts)


def test_an_unknown_scheme_is_refused() -> None:
    """The known schemes are listed, and the password is masked."""
    with pytest.raises(InvalidUrl, match=r"'oracle://ann:\*\*\*@db/x'.*duckdb:///, postgresql://"):
        open_warehouse(f"oracle://ann:{SECRET}@db/x")


@pytest.mark.parametrize("url", ["", "sales.duckdb", "postgresql:db", "duckdb:///", "duckdb://x"])
def test_a_malformed_url_is_refused(url: str) -> None:
    """What is no URL, or names no file, is refused."""
    with pytest.raises(InvalidUrl):
        open_warehouse(url)


def test_an_unreachable_host_is_named() -> None:
    """A host without a server is named with the place, without the password."""
    with pytest.raises(ConnectionFailed, match=r"postgresql://ann:\*\*\*@127.0.0.1:1/x") as caught:
        open_warehouse(f"postgresql://ann:{SECRET}@127.0.0.1:1/x")
    assert SECRET not in told(caught.value)


def test_a_wrong_password_is_not_printed(password_role: str) -> None:
    """A refused password is told as refused and nothing more; the right one opens."""
    open_warehouse(password_role.format("p%40ss%2Fword")).close()
    with pytest.raises(ConnectionFailed, match=r"picky:\*\*\*@.*authentication failed") as caught:
        open_warehouse(password_role.format(SECRET))
    assert SECRET not in told(caught.value)


@pytest.mark.parametrize("password", ["a/b", "a@b/c", "a#b", "a?b", "a:b@c/d"])
def test_an_unquoted_password_is_not_printed(password: str) -> None:
    """A password that breaks the URL is not repeated piece by piece."""
    with pytest.raises((InvalidUrl, ConnectionFailed)) as caught:
        open_warehouse(f"postgresql://ann:{SECRET}{password}{SECRET}@127.0.0.1:1/x")
    assert SECRET not in told(caught.value)


def test_a_missing_database_is_named(postgres_uri: str) -> None:
    """A database that does not exist is named."""
    with pytest.raises(ConnectionFailed, match='database "nowhere" does not exist'):
        open_warehouse(postgres_uri.replace("/postgres?", "/nowhere?"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A DuckDB file that does not exist is named, and is not created."""
    path = tmp_path / "no.duckdb"
    with pytest.raises(ConnectionFailed, match=re.escape(f"'{path}' does not exist")):
        open_warehouse(f"duckdb:///{path}")
    assert not path.exists()


def test_three_slashes_are_explained() -> None:
    """A relative path that does not exist comes with the hint at a fourth slash."""
    with pytest.raises(ConnectionFailed, match="absolute path takes four slashes"):
        open_warehouse("duckdb:///srv/no.duckdb")


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    """A file that is no database is refused."""
    path = tmp_path / "text.duckdb"
    path.write_text("not a database, but long enough to look like one " * 100)
    with pytest.raises(ConnectionFailed, match="not a valid DuckDB database file"):
        open_warehouse(f"duckdb:///{path}")


def test_a_writer_in_this_process_is_explained(tmp_path: Path) -> None:
    """A file that is open for writing here is refused with the cure."""
    path = tmp_path / "w.duckdb"
    with (
        duckdb.connect(path),
        pytest.raises(ConnectionFailed, match=r"open for writing elsewhere\. Close the writer"),
    ):
        open_warehouse(f"duckdb:///{path}")


def test_a_writer_in_another_process_is_explained(tmp_path: Path) -> None:
    """A file that another process has open for writing is refused with the cure."""
    path = tmp_path / "w.duckdb"
    code = f"import duckdb; c = duckdb.connect({str(path)!r}); print(1, flush=True); input()"
    command = [sys.executable, "-c", code]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as writer:
        writer.stdout.readline()
        with pytest.raises(ConnectionFailed, match="open for writing elsewhere"):
            open_warehouse(f"duckdb:///{path}")
        writer.communicate(b"\n")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:x@h/d", "postgresql://ann:***@h/d"),
        ("postgresql://ann:x@y@h/d", "postgresql://ann:***@h/d"),
        ("postgresql://ann@h/d", "postgresql://ann@h/d"),
        ("postgresql://h/d?user=ann&password=x", "postgresql://h/d?user=ann&password=***"),
        ("duckdb:///a.duckdb", "duckdb:///a.duckdb"),
    ],
)
def test_urls_are_shown_without_secrets(url: str, shown: str) -> None:
    """A password is masked wherever a URL may carry it."""
    assert redact(url) == shown


def test_messages_are_scrubbed() -> None:
    """A driver's message loses the password, as written and as decoded."""
    url = "postgresql://ann:p%40ss@h/d?password=other&sslpassword=third"
    assert scrub("p@ss p%40ss other third\nlost", url) == "*** *** *** *** lost"


def test_duckdb_paths_follow_sqlalchemy() -> None:
    """Three slashes are relative, four absolute."""
    paths = ("duckdb:///a/b.duckdb", "duckdb:////a/b.duckdb")
    assert [duckdb_path(url) for url in paths] == [Path("a/b.duckdb"), Path("/a/b.duckdb")]
