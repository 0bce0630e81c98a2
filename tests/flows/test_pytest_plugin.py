"""The pytest plugin, as tests of its users see it: run by pytest itself, with real databases."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from loaded import LOADED
from shops import publish_shop

from prefect_synth.tasks.snapshots.store import open_store

pytest_plugins = ["pytester"]

# A run within this process forgets the modules that it was the first to import, and SQLAlchemy
# does not bear being imported twice: what such runs need is imported here.
NEEDED = (
    "duckdb",
    "pandas",
    "prefect_synth.tasks.databases.duckdb",
    "prefect_synth.tasks.databases.postgres",
    "prefect_synth.tasks.databases.sqlite",
    "prefect_synth.tasks.testing.databases",
    "prefect_synth.tasks.testing.isolation",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "sqlalchemy.orm",
)
for needed in NEEDED:
    importlib.import_module(needed)

TESTS = """
from sqlalchemy import text
from sqlalchemy.orm import Session

COUNT = text("SELECT count(*) FROM orders")


def test_snapshot(synth_snapshot):
    assert synth_snapshot.tables[0] == "customers"


def test_arrow(synth_tables):
    assert synth_tables["orders"].num_rows == 180
    assert list(synth_tables) == ["customers", "orders", "lines", "notes"]
    assert "order" not in synth_tables


def test_pandas(synth_tables):
    frame = synth_tables.pandas("orders")
    frame["status"] = "changed"
    assert set(synth_tables.pandas("orders")["status"]) == {"open", "paid", "sent"}


def test_connection(synth_connection):
    synth_connection.execute(text("DELETE FROM lines"))
    synth_connection.execute(text("DELETE FROM orders"))
    synth_connection.commit()
    assert synth_connection.scalar(COUNT) == 0


def test_engine(synth_engine):
    with Session(synth_engine) as session:
        assert session.scalar(COUNT) == 180
        session.execute(text("DELETE FROM lines"))
        session.execute(text("DELETE FROM orders"))
        session.commit()
    with Session(synth_engine) as session:
        assert session.scalar(COUNT) == 0


def test_undone(synth_connection):
    assert synth_connection.scalar(COUNT) == 180
"""

COPIES = """
import pytest
from sqlalchemy import create_engine, text


@pytest.mark.parametrize("again", [1, 2])
def test_copy(synth_db, synth_db_copy, again):
    assert synth_db != synth_db_copy
    engine = create_engine(synth_db_copy.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT count(*) FROM lines")) == 360
        connection.execute(text("DROP TABLE lines"))
    engine.dispose()
"""

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    """A sandbox with the shop in it."""
    publish_shop(tmp_path / "sandbox" / "shop", tmp_path / "files")
    return tmp_path / "sandbox" / "shop"


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest in a fresh folder, within this process."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)

    def start(*arguments: object) -> pytest.RunResult:
        return pytester.runpytest_inprocess(*LOADED, "-W", "error", *map(str, arguments))

    return start


@pytest.fixture
def run_apart(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest in a fresh folder, in a process of its own."""
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_TESTRUNUID"):
        monkeypatch.delenv(name, raising=False)
    repository = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", str(repository / ".typing"))

    def start(*arguments: object) -> pytest.RunResult:
        return pytester.runpytest_subprocess(*LOADED, "-W", "error", *map(str, arguments))

    return start


def test_tables_and_a_database_are_fixtures(
    run: Run, sandbox: Path, pytester: pytest.Pytester
) -> None:
    """SQLite needs nothing: tables, and changes that the next test does not see."""
    pytester.makepyfile(TESTS)
    result = run(f"--synth-sandbox={sandbox}")
    result.assert_outcomes(passed=6)
    result.stdout.re_match_lines([r"synth: shop run-1-\w{8} \(latest\), sqlite"])


def test_postgresql_is_the_same(
    run: Run, sandbox: Path, pytester: pytest.Pytester, postgres_database: str
) -> None:
    """A database on that server is made for the run and dropped; the one named is not touched."""
    before = databases(postgres_database)
    pytester.makepyfile(TESTS, test_copies=COPIES)
    result = run(f"--synth-sandbox={sandbox}", f"--synth-database={postgres_database}")
    result.assert_outcomes(passed=8)
    assert databases(postgres_database) == before
    with psycopg.connect(postgres_database) as connection:
        count = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert count.fetchone() == (0,)


def test_each_test_can_have_a_copy(run: Run, sandbox: Path, pytester: pytest.Pytester) -> None:
    """What one test drops the next one has, and no file is left."""
    pytester.makepyfile(
        COPIES,
        test_files="""
import pathlib

def test_files(synth_db, synth_db_copy):
    files = [pathlib.Path(url.removeprefix("sqlite:///")) for url in (synth_db, synth_db_copy)]
    assert all(file.is_file() for file in files)
    pathlib.Path("places").write_text("\\n".join(map(str, files)))
""",
    )
    run(f"--synth-sandbox={sandbox}").assert_outcomes(passed=3)
    files = [Path(place) for place in (pytester.path / "places").read_text().splitlines()]
    assert not any(file.parent.exists() for file in files)


def test_duckdb_gives_copies(run: Run, sandbox: Path, pytester: pytest.Pytester) -> None:
    """DuckDB has no savepoints: a copy for each test, and a clear word about the rest."""
    pytester.makepyfile(
        """
import duckdb

def test_copy(synth_db_copy):
    with duckdb.connect(synth_db_copy.removeprefix("duckdb:///")) as connection:
        assert connection.sql("SELECT count(*) FROM orders").fetchall() == [(180,)]

def test_engine(synth_engine):
    pass
"""
    )
    result = run(f"--synth-sandbox={sandbox}", "--synth-database", "duckdb")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*duckdb has no savepoints*synth_db_copy*"])


def test_settings_come_from_a_file(
    run: Run, sandbox: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside pytest's own file: the sandbox, the tables; the snapshot in a file of its own."""
    [pinned] = [info.snapshot_id for info in open_store(str(sandbox)).list()]
    publish_shop(sandbox, sandbox.parent, "run-2", customers=9)
    shutil.copytree(sandbox, pytester.path / "tests" / "data")
    pytester.makeini("[pytest]\nsynth_sandbox = tests/data\nsynth_tables = orders\n")
    (pytester.path / "synth-snapshot.txt").write_text(f"# the night of the 27th\n{pinned}\n")
    pytester.makepyfile(
        """
from sqlalchemy import inspect

def test_it(synth_tables, synth_engine):
    assert synth_tables["orders"].num_rows == 180
    assert inspect(synth_engine).get_table_names() == ["customers", "orders"]
"""
    )
    monkeypatch.chdir(pytester.path / "tests")
    result = run(pytester.path)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"synth: shop {pinned} (pinned by synth-snapshot.txt), sqlite"])


def test_the_command_line_wins(
    run: Run, sandbox: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the environment, then pytest's file."""
    [first] = [info.snapshot_id for info in open_store(str(sandbox)).list()]
    second = publish_shop(sandbox, sandbox.parent, "run-2", customers=9)
    pytester.makeini("[pytest]\nsynth_sandbox = nowhere\nsynth_snapshot = nothing\n")
    monkeypatch.setenv("PREFECT_SYNTH_SANDBOX", str(sandbox))
    monkeypatch.setenv("PREFECT_SYNTH_SNAPSHOT", first)
    pytester.makepyfile("def test_it(synth_snapshot): print(synth_snapshot.snapshot_id)")
    for arguments, found in (((), first), (("--synth-snapshot", second), second)):
        result = run("-s", *arguments)
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines([f"synth: shop {found} (pinned by *), sqlite", f"*{found}*"])


def test_a_folder_on_the_command_line_is_no_folder_of_tests(
    run: Run, sandbox: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `=`, pytest finds its own file all the same; a relative one starts where we are."""
    [pinned] = [info.snapshot_id for info in open_store(str(sandbox)).list()]
    pytester.makeini("[pytest]\nsynth_database = duckdb\n")
    (pytester.path / "synth-snapshot.txt").write_text(pinned)
    pytester.makepyfile("def test_it(synth_snapshot): pass")
    result = run(f"--synth-sandbox={os.path.relpath(sandbox, pytester.path)}")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"synth: shop {pinned} (pinned by synth-snapshot.txt), duckdb"])


def test_without_a_sandbox_nothing_changes(run: Run, pytester: pytest.Pytester) -> None:
    """No line in the report; a test that asks for a fixture is told what is missing."""
    pytester.makepyfile("def test_plain(): pass\n\ndef test_synth(synth_tables): pass")
    result = run()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*UsageError: No sandbox is named*synth_sandbox*"])
    result.stdout.no_fnmatch_line("synth:*")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--synth-snapshot", "run-9-12345678"), "has no snapshot 'run-9-12345678'"),
        (("--synth-snapshot", "run-9-12345678"), "pinned by --synth-snapshot: pin another"),
        (("--synth-sandbox=empty",), "Nothing was published"),
        (("--synth-sandbox=s3:///shop",), "is not a sandbox's address"),
    ],
)
def test_a_missing_snapshot_is_told(
    arguments: tuple[str, ...], said: str, run: Run, sandbox: Path, pytester: pytest.Pytester
) -> None:
    """In a sentence, with what to do; not in a hundred lines of ours."""
    pytester.makepyfile("def test_it(synth_tables): pass")
    result = run(f"--synth-sandbox={sandbox}", *arguments)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*UsageError:*{said}*"])
    assert len(result.outlines) < 30


def test_a_table_that_is_not_there_is_told(
    run: Run, sandbox: Path, pytester: pytest.Pytester
) -> None:
    """Of the tables to load, and of a table asked for; with the name that was meant."""
    pytester.makeini("[pytest]\nsynth_tables = order\n")
    pytester.makepyfile(
        """
def test_db(synth_db): pass

def test_tables(synth_tables): synth_tables["order"]
"""
    )
    result = run(f"--synth-sandbox={sandbox}")
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*UsageError: Table 'order' is not in the snapshot.*orders*", "*KeyError:*'orders'*"]
    )


@pytest.mark.parametrize(
    ("database", "said"),
    [
        ("oracle://scott:tiger@host/db", "cannot be of the kind 'oracle'"),
        ("sqlite:///my.db", "kind 'sqlite' with an address"),
        ("postgresql", "postgresql://user:password@host/database"),
    ],
)
def test_a_database_that_cannot_be_is_refused_at_once(
    database: str, said: str, run: Run, sandbox: Path, pytester: pytest.Pytester
) -> None:
    """Before any test, and without repeating a password."""
    pytester.makepyfile("def test_it(): pass")
    result = run(f"--synth-sandbox={sandbox}", f"--synth-database={database}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in result.stderr.str()
    assert "tiger" not in result.stderr.str() + result.stdout.str()


def test_a_user_who_may_not_make_databases_is_told(
    run: Run, sandbox: Path, pytester: pytest.Pytester, postgres_database: str
) -> None:
    """With the statement that an administrator has to run."""
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS modest")
        connection.execute("CREATE ROLE modest LOGIN PASSWORD 'hidden-word'")
    url = re.sub(r"//[^@]*@", "//modest:hidden-word@", postgres_database)
    pytester.makepyfile("def test_it(synth_db): pass")
    result = run(f"--synth-sandbox={sandbox}", f"--synth-database={url}")
    result.stdout.fnmatch_lines(["*UsageError:*modest may not create databases*CREATEDB*"])
    assert "hidden-word" not in result.stdout.str()


def test_a_server_that_is_not_there_is_told(
    run: Run, sandbox: Path, pytester: pytest.Pytester
) -> None:
    """The address without its password."""
    pytester.makepyfile("def test_it(synth_db): pass")
    url = "postgresql://ann:hidden-word@127.0.0.1:9/db"
    result = run(f"--synth-sandbox={sandbox}", f"--synth-database={url}")
    result.stdout.fnmatch_lines(["*UsageError:*ann:*@127.0.0.1:9/db: no connection*"])
    assert "hidden-word" not in result.stdout.str()


def test_an_unrelated_run_imports_nothing(run_apart: Run, pytester: pytest.Pytester) -> None:
    """Every pytest in the environment loads the plugin: it must cost nothing."""
    pytester.makepyfile(
        """
import sys

def test_it():
    ours = {name for name in sys.modules if name.startswith("prefect_synth")}
    assert ours == {"prefect_synth", "prefect_synth.flows", "prefect_synth.flows.pytest_plugin"}
    heavy = {"prefect", "pyarrow", "pandas", "numpy", "duckdb", "sqlalchemy", "pydantic", "yaml"}
    assert heavy & set(sys.modules) == set()
"""
    )
    run_apart("-p", "no:hypothesispytest", "-p", "no:faker").assert_outcomes(passed=1)


def test_pytest_may_be_without_its_own_plugins(
    run_apart: Run, sandbox: Path, pytester: pytest.Pytester
) -> None:
    """No temporary folders, no cache, no capturing, no assertion rewriting, warnings as errors."""
    pytester.makepyfile(TESTS)
    without = [f"no:{name}" for name in ("tmpdir", "cacheprovider", "capture", "warnings", "xdist")]
    options = [part for name in without for part in ("-p", name)]
    result = run_apart(*options, "--assert=plain", f"--synth-sandbox={sandbox}")
    result.assert_outcomes(passed=6)


def test_workers_have_databases_of_their_own(
    run_apart: Run, sandbox: Path, pytester: pytest.Pytester, postgres_database: str
) -> None:
    """With pytest-xdist each process loads its own database of the same snapshot."""
    before = databases(postgres_database)
    pytester.makepyfile(
        """
import time
import pathlib
import pytest

@pytest.mark.parametrize("number", range(4))
def test_it(synth_db, synth_snapshot, synth_connection, worker_id, number):
    from sqlalchemy import text
    synth_connection.execute(text("DELETE FROM lines"))
    synth_connection.commit()
    seen = pathlib.Path("seen")
    seen.mkdir(exist_ok=True)
    (seen / str(number)).write_text(f"{worker_id} {synth_db} {synth_snapshot.snapshot_id}")
    deadline = time.monotonic() + 60
    while len(list(seen.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)  # until the other process has had its turn
"""
    )
    run_apart(
        "-n2", f"--synth-sandbox={sandbox}", f"--synth-database={postgres_database}"
    ).assert_outcomes(passed=4)
    seen = [file.read_text().split() for file in (pytester.path / "seen").iterdir()]
    places = {(worker, url) for worker, url, _ in seen}
    assert len(places) == len({worker for worker, _ in places}) == 2
    assert len({name for _, _, name in seen}) == 1
    assert databases(postgres_database) == before


def test_a_snapshot_read_before_needs_no_network(
    run_apart: Run,
    pytester: pytest.Pytester,
    s3_server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pinned, it is read from the cache; the latest known is too, and the report says so."""
    url = f"s3://{s3_server.fresh_bucket()}/shop"
    name = publish_shop(open_store(url, **s3_server.storage_options), tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.read_only.key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.read_only.secret)
    monkeypatch.setenv("PREFECT_SYNTH_CACHE", str(tmp_path / "cache"))
    pytester.makepyfile(
        "def test_it(synth_db, synth_tables): assert len(synth_tables['notes']) == 60"
    )
    with network_to(s3_server.ports[0]) as endpoint:
        options = ("--synth-sandbox", url, "--synth-endpoint-url", endpoint)
        run_apart(*options).assert_outcomes(passed=1)
    pinned = run_apart(*options, "--synth-snapshot", name)
    pinned.assert_outcomes(passed=1)
    pinned.stdout.fnmatch_lines([f"synth: shop {name} (pinned by --synth-snapshot), sqlite"])
    latest = run_apart(*options)
    latest.assert_outcomes(passed=1)
    latest.stdout.fnmatch_lines([f"synth: *nobody answers*{name}*"])


@pytest.mark.slow
def test_no_network_and_nothing_cached_is_told(
    run: Run, pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the ten seconds that a read is patient, with two ways out."""
    monkeypatch.setenv("PREFECT_SYNTH_CACHE", str(tmp_path / "empty"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden-word")
    pytester.makepyfile("def test_it(synth_tables): pass")
    dead = ("--synth-endpoint-url", "http://127.0.0.1:9")
    result = run("--synth-sandbox", "s3://bucket/shop", *dead)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*UsageError:*nobody answers*prefect-synth fixture*"])
    assert "hidden-word" not in result.stdout.str()


@contextmanager
def network_to(port: int) -> Iterator[str]:
    """The address of a server on this machine, as long as the network is there."""

    class Wire(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", port)) as upstream:
                back = threading.Thread(target=pour, args=(upstream, self.request), daemon=True)
                back.start()
                pour(self.request, upstream)
                back.join()

    def pour(source: socket.socket, target: socket.socket) -> None:
        try:
            while block := source.recv(65_536):
                target.sendall(block)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other side is gone

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Wire) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def databases(url: str) -> set[str]:
    """The databases on a server."""
    with psycopg.connect(url) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}


def test_the_head_of_the_report_needs_no_whole_sandbox(
    run: Run, sandbox: Path, pytester: pytest.Pytester
) -> None:
    """What is wrong in a sandbox is told when a test asks for it, not before."""
    (sandbox / "latest.json").write_text(json.dumps({"format": 1}))
    pytester.makepyfile("def test_it(): pass")
    result = run(f"--synth-sandbox={sandbox}")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"synth: shop latest ({sandbox}), sqlite"])
