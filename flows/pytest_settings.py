"""What the pytest plugin is told: on the command line, in the environment, or in pytest's own file.

Only Python's own library is needed here: pytest reads this at its start, where a sandbox is named.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

LATEST = "latest"
PINNED = "synth-snapshot.txt"
"""A file beside pytest's own that names the snapshot, to be committed."""

DATABASES = ("sqlite", "duckdb", "postgresql", "postgres")


@dataclass(frozen=True)
class Value:
    """A setting, and where it was found."""

    text: str
    place: str


@dataclass(frozen=True)
class SynthRun:
    """Which snapshot a test run reads, and which database it loads.

    Args:
        sandbox: A folder, or `s3://bucket/prefix`.
        endpoint_url: Address of an S3 server that is not Amazon's.
        snapshot: Name of the snapshot, or `latest`, and who says so.
        database: `sqlite`, `duckdb`, or the URL of a PostgreSQL database.
        tables: The tables to load, with all that they refer to; all where it is empty.
    """

    sandbox: str
    endpoint_url: str | None
    snapshot: Value
    database: str
    tables: tuple[str, ...]

    @property
    def headline(self) -> str:
        """One line for the head of the report; no file but of a local sandbox is read."""
        name, project = _looked_up(self.sandbox, self.snapshot.text)
        kind = self.database.partition(":")[0].partition("+")[0]
        return f"synth: {project} {name} ({self._why(name)}), {kind}"

    def _why(self, name: str) -> str:
        if self.snapshot.text != LATEST:
            return f"pinned by {self.snapshot.place}"
        return LATEST if name != LATEST else self.sandbox


def read_run(config: pytest.Config) -> SynthRun | None:
    """What this run was told; None where nothing names a sandbox.

    Raises:
        pytest.UsageError: A setting cannot be.
    """
    sandbox = _value(config, "sandbox")
    if sandbox is None:
        return None
    database, endpoint = _value(config, "database"), _value(config, "endpoint_url")
    return SynthRun(
        sandbox=_based(config, sandbox),
        endpoint_url=endpoint.text if endpoint else None,
        snapshot=_value(config, "snapshot") or _pinned(config) or Value(LATEST, "default"),
        database=_checked(database.text if database else "sqlite"),
        tables=tuple(config.getini("synth_tables")),
    )


def _value(config: pytest.Config, name: str) -> Value | None:
    option = f"--synth-{name.replace('_', '-')}"
    variable = f"PREFECT_SYNTH_{name.upper()}"
    places = (
        (config.getoption(f"synth_{name}"), option),
        (os.environ.get(variable), variable),
        (config.getini(f"synth_{name}"), config.inipath.name if config.inipath else "ini"),
    )
    return next((Value(str(text).strip(), place) for text, place in places if text), None)


def _pinned(config: pytest.Config) -> Value | None:
    file = config.rootpath / PINNED
    if not file.is_file():
        return None
    lines = [line.partition("#")[0].strip() for line in file.read_text("utf-8").splitlines()]
    names = [line for line in lines if line]
    if len(names) != 1:
        raise pytest.UsageError(
            f"'{file}' must hold the name of one snapshot, found {len(names)}. Write one line, as "
            "`prefect-synth snapshots ls` shows it, or delete the file to read the latest."
        )
    return Value(names[0], PINNED)


def _based(config: pytest.Config, sandbox: Value) -> str:
    """A relative folder starts at pytest's own file where that names it, else where we are."""
    if "://" in sandbox.text:
        return sandbox.text
    in_file = config.inipath is not None and sandbox.place == config.inipath.name
    base = config.inipath.parent if in_file and config.inipath else config.invocation_params.dir
    return str(base / Path(sandbox.text).expanduser())


def _checked(database: str) -> str:
    scheme = database.partition(":")[0].partition("+")[0]
    if scheme not in DATABASES or (("://" in database) != scheme.startswith("postgres")):
        # not repeated: it may hold a password
        raise pytest.UsageError(
            f"synth_database cannot be of the kind '{scheme}'"
            f"{' with an address' if scheme in DATABASES[:2] else ''}. Say sqlite or duckdb, which "
            "are files that are made and deleted, or postgresql://user:password@host/database, on "
            "whose server each run gets a database of its own."
        )
    return database


def _looked_up(sandbox: str, snapshot: str) -> tuple[str, str]:
    """The name of the snapshot, and of its project, as far as they are known without a network."""
    place = Path(sandbox)
    project = sandbox.rstrip("/").rpartition("/")[2]
    if "://" in sandbox:
        return snapshot, project
    try:
        if snapshot == LATEST:
            snapshot = str(json.loads((place / "latest.json").read_bytes())["snapshot_id"])
        manifest = json.loads((place / "snapshots" / snapshot / "manifest.json").read_bytes())
        return snapshot, str(manifest.get("project", project))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return snapshot, project  # what is wrong is told when a test asks for it
