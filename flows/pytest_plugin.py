"""The pytest plugin: a snapshot's tables, and databases that hold it, as fixtures.

It is loaded by every pytest in the environment, so it imports nothing of ours until a sandbox is
named or a fixture is asked for.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from prefect_synth.flows.pytest_settings import SynthRun
    from prefect_synth.tasks.snapshots.reading_snapshot import Snapshot
    from prefect_synth.tasks.testing.databases import LoadedDatabase
    from prefect_synth.tasks.testing.source import Found
    from prefect_synth.tasks.testing.tables import SynthTables

Result = TypeVar("Result")

_told = pytest.StashKey[dict[str, None]]()
"""What the end of the report says; a dictionary, since many workers say the same."""

_WORKER_OUTPUT = "prefect_synth"


OPTIONS = {
    "sandbox": ("URL", "sandbox to read: s3://bucket/prefix, or a folder, as fixture makes it"),
    "endpoint_url": ("URL", "S3 server of the sandbox, if not Amazon's"),
    "snapshot": ("ID", "snapshot to read, or latest; by default what synth-snapshot.txt says"),
    "database": ("URL", "where synth_db is: sqlite (the default), duckdb, or postgresql://..."),
}
"""Each is `--synth-NAME`, `PREFECT_SYNTH_NAME`, or `synth_NAME` in pytest's own file."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options `--synth-…` and the keys `synth_…`."""
    group = parser.getgroup("synth", "synthetic snapshots (prefect-synth)")
    for name, (shown, told) in OPTIONS.items():
        option = f"--synth-{name.replace('_', '-')}"
        group.addoption(option, dest=f"synth_{name}", metavar=shown, default=None, help=told)
        parser.addini(f"synth_{name}", told, default="")
    parser.addini("synth_tables", "tables that synth_db has; all by default", "args", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Refuse at once what can be seen to be wrong at once."""
    config.stash[_told] = {}
    _named(config)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say which snapshot is read, where one is."""
    run = _named(config)
    return run.headline if run else None


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what a person should know of the snapshot that was read."""
    for line in config.stash[_told]:
        terminalreporter.write_line(f"synth: {line}", yellow=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what is to be said to the process that reports, where pytest-xdist has several."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_WORKER_OUTPUT] = [*session.config.stash[_told]]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what a worker of pytest-xdist has to say."""
    for line in getattr(node, "workeroutput", {}).get(_WORKER_OUTPUT, ()):
        node.config.stash[_told][line] = None


@pytest.fixture(scope="session")
def synth_snapshot(request: pytest.FixtureRequest) -> Snapshot:
    """The snapshot: its name, manifest, metadata, tables and files."""
    __tracebackhide__ = True
    run = _run(request.config)

    def find() -> Found:
        from prefect_synth.tasks.testing.source import find_snapshot

        return find_snapshot(run.sandbox, run.endpoint_url, run.snapshot.text, _shared(request))

    found = _clearly(run, find)
    for note in found.notes:
        request.config.stash[_told][note] = None
    return found.snapshot


@pytest.fixture(scope="session")
def synth_tables(synth_snapshot: Snapshot) -> SynthTables:
    """The tables by name, as Arrow; `synth_tables.pandas("orders")` as pandas."""
    from prefect_synth.tasks.testing.tables import SynthTables

    return SynthTables(synth_snapshot)


@pytest.fixture(scope="session")
def _synth_loaded(
    request: pytest.FixtureRequest, synth_snapshot: Snapshot
) -> Iterator[LoadedDatabase]:
    run = _run(request.config)
    worker = getattr(request.config, "workerinput", {}).get("workerid", "main")

    def load(folder: str) -> AbstractContextManager[LoadedDatabase]:
        from prefect_synth.tasks.testing.databases import loaded_database

        tables = run.tables or None
        return loaded_database(run.database, synth_snapshot, Path(folder), tables, worker)

    with tempfile.TemporaryDirectory(prefix="synth-") as folder:
        yield from _opened(run, lambda: load(folder))


@pytest.fixture(scope="session")
def synth_db(request: pytest.FixtureRequest, _synth_loaded: LoadedDatabase) -> Iterator[str]:
    """The URL of a database that holds the snapshot; one for all tests of a process."""
    __tracebackhide__ = True
    yield from _opened(_run(request.config), _synth_loaded.copy)


@pytest.fixture
def synth_db_copy(request: pytest.FixtureRequest, _synth_loaded: LoadedDatabase) -> Iterator[str]:
    """The URL of a database that this test has for itself, and may change from anywhere."""
    __tracebackhide__ = True
    yield from _opened(_run(request.config), _synth_loaded.copy)


@pytest.fixture
def synth_engine(request: pytest.FixtureRequest, synth_db: str) -> Iterator[Engine]:
    """An SQLAlchemy engine on `synth_db`; code may commit, and all is undone after the test."""

    def open_engine() -> AbstractContextManager[Engine]:
        from prefect_synth.tasks.testing.isolation import undone

        return undone(synth_db)

    yield from _opened(_run(request.config), open_engine)


@pytest.fixture
def synth_connection(synth_engine: Engine) -> Iterator[Connection]:
    """A connection of `synth_engine`; code may commit, and all is undone after the test."""
    with synth_engine.connect() as connection:
        yield connection


def _named(config: pytest.Config) -> SynthRun | None:
    """What this run was told; where it names no sandbox, nothing of ours is imported."""
    told = (config.getoption("synth_sandbox"), config.getini("synth_sandbox"))
    if not any(told) and not os.environ.get("PREFECT_SYNTH_SANDBOX"):
        return None
    from prefect_synth.flows.pytest_settings import read_run

    return read_run(config)


def _run(config: pytest.Config) -> SynthRun:
    __tracebackhide__ = True
    run = _named(config)
    if run is None:
        raise pytest.UsageError(
            "No sandbox is named, so there is no snapshot to test with. Put `synth_sandbox = "
            "s3://bucket/prefix` (or the folder that `prefect-synth fixture` wrote) into pytest's "
            "configuration, or give --synth-sandbox or PREFECT_SYNTH_SANDBOX. synth-snapshot.txt "
            "or --synth-snapshot pins a snapshot."
        )
    return run


def _shared(request: pytest.FixtureRequest) -> Path | None:
    """A folder that the workers of pytest-xdist share."""
    if not hasattr(request.config, "workerinput"):
        return None
    folders: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
    return folders.getbasetemp().parent


def _opened(
    run: SynthRun, open_it: Callable[[], AbstractContextManager[Result]]
) -> Iterator[Result]:
    """Open something for tests, and close it afterwards, with clear errors both times."""
    __tracebackhide__ = True
    with ExitStack() as stack:
        opened = _clearly(run, lambda: stack.enter_context(open_it()))
        yield opened
        _clearly(run, stack.close)


def _clearly(run: SynthRun, work: Callable[[], Result]) -> Result:
    """Do something of ours, and tell what is wrong as pytest tells a mistake of its user.

    Warnings of libraries are theirs: they are no errors here even where tests make them errors.
    """
    __tracebackhide__ = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return work()
    except Exception as error:
        from prefect_synth.flows.failures import explain, is_ours

        if not is_ours(error):
            raise
        raise pytest.UsageError(f"{explain(error)}{_remedy(run, error)}") from None


def _remedy(run: SynthRun, error: Exception) -> str:
    names = {kind.__name__ for kind in type(error).__mro__}
    if "SnapshotNotFoundError" in names and run.snapshot.text != "latest":
        return f" It is pinned by {run.snapshot.place}: pin another one there."
    if "SandboxUnreachableError" in names:
        return (
            " A snapshot that was read on this machine before needs no network when it is pinned; "
            "`prefect-synth fixture --out tests/data` makes a small one to commit."
        )
    return ""
