"""A small, closed extract of a snapshot in a folder that can be committed beside tests.

The folder is a sandbox like any other, with one snapshot in it. Nothing in it depends on when or
where it was made: the same snapshot gives the same bytes, so that git shows no change.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from prefect_synth.synth.descent import tables_above
from prefect_synth.synth.extract import extract_rows
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.sources import Ints, take_rows
from prefect_synth.tasks.parquet_form import PublishedForm
from prefect_synth.tasks.snapshots.errors import FixtureFolderError, SnapshotContentError
from prefect_synth.tasks.snapshots.folder import FolderBackend
from prefect_synth.tasks.snapshots.manifest import Draft, draft_snapshot
from prefect_synth.tasks.snapshots.naming import (
    LATEST,
    MANIFEST,
    RUNS,
    SNAPSHOTS,
    commit_key,
    manifest_key,
    snapshot_folder,
)
from prefect_synth.tasks.snapshots.pointing import PointerFile
from prefect_synth.tasks.snapshots.publishing import commit_record
from prefect_synth.tasks.snapshots.reading_snapshot import Snapshot
from prefect_synth.tasks.warehouses.errors import did_you_mean
from prefect_synth.tasks.warehouses.staging_writer import write_parquet

EXTRACT = "extract"
"""Key of the manifest that says what a fixture was taken from."""

_RUN = "fixture"
_PASSED_ON = ("project", "created", "version", "seed", "kept", "pinned")


@dataclass(frozen=True)
class Extract:
    """The rows of a fixture.

    Args:
        snapshot: What they were taken from.
        metadata: The schema of the tables chosen.
        rows: Positions of the rows by table.
        asked: How many rows a table was to have at most.
        root: The table to begin with, where it was given.
    """

    snapshot: Snapshot
    metadata: Metadata
    rows: Mapping[str, Any]
    asked: int
    root: str | None

    @classmethod
    def choose(
        cls,
        snapshot: Snapshot,
        rows: int,
        *,
        root: str | None = None,
        tables: Collection[str] = (),
    ) -> Extract:
        """Choose the rows, pinned ones among them in any case; keys alone are read.

        Args:
            snapshot: Where to take them from.
            rows: How many rows a table shall have at most.
            root: The table to begin with; the people by default.
            tables: These tables and all that they refer to; all tables by default.

        Raises:
            SnapshotContentError: There is no such table.
            RequestError: `rows` is below 1, or the root is not among the tables.
        """
        metadata = _chosen(snapshot, tables)
        sources = {name: _source(snapshot, name) for name in metadata.tables}
        always = {name: _pinned(snapshot, name) for name in metadata.tables}
        found = extract_rows(metadata, sources, rows, root=root, always=always)
        return cls(snapshot, metadata, found, rows, root)

    def table(self, name: str) -> pa.Table:
        """The rows of a table, with its exact schema."""
        schema = self.snapshot.schema(name)
        taken = take_rows(_source(self.snapshot, name), schema.names, self.rows[name])
        return taken.replace_schema_metadata(schema.metadata)

    def counts(self) -> dict[str, int]:
        """Rows by table."""
        return {name: len(rows) for name, rows in self.rows.items()}


def write_fixture(extract: Extract, out: Path) -> str:
    """Write an extract as a sandbox of its own, in place of an earlier one.

    Args:
        extract: The rows.
        out: The folder; other files in it stay.

    Returns:
        The name of the snapshot in it.

    Raises:
        FixtureFolderError: The folder holds a sandbox that is no fixture.
    """
    _check_replaceable(out)
    out.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".fixture-", dir=out))
    try:
        name = _lay_out(extract, aside)
        _replace(out, aside, name)
    finally:
        shutil.rmtree(aside)
    return name


def _chosen(snapshot: Snapshot, tables: Collection[str]) -> Metadata:
    known = snapshot.metadata.subset(snapshot.tables)
    for name in tables:
        if name not in known.tables:
            raise SnapshotContentError(
                f"Snapshot {snapshot.snapshot_id!r} has no table {name!r}. "
                f"{did_you_mean(name, snapshot.tables)}"
            )
    if not tables:
        return known
    return known.subset({above for name in tables for above in tables_above(known, name)})


def _pinned(snapshot: Snapshot, table: str) -> Ints:
    """Where the pinned rows of a table are: they are the last ones."""
    rows = int(snapshot.manifest["tables"][table]["rows"])
    pinned = int(snapshot.manifest.get("pinned", {}).get(table, 0))
    return np.arange(rows - pinned, rows)


def _source(snapshot: Snapshot, table: str) -> Path:
    files = snapshot.files(table)
    return files[0] if len(files) == 1 else files[0].parent


def _lay_out(extract: Extract, folder: Path) -> str:
    """Write the sandbox, by the store's own means, into an empty folder."""
    files = folder / ".tables"
    paths = {name: files / f"{number}.parquet" for number, name in enumerate(sorted(extract.rows))}
    for name, path in paths.items():
        table = extract.table(name)
        write_parquet(path, table.schema, table.to_batches(), PublishedForm())
    draft = draft_snapshot(paths, _facts(extract), {})
    content = _content_hash(draft)
    name = f"{_RUN}-{content[:8]}"
    backend = FolderBackend(folder)
    for path, place in draft.uploads:
        backend.put_file(path, f"{snapshot_folder(name)}{place}")
    backend.put_new(manifest_key(name), draft.manifest(_RUN, name))
    record = commit_record(_RUN, name, draft)
    backend.put_new(commit_key(_RUN), record.to_json())
    pointer = PointerFile(backend).advance(record)
    assert pointer is not None  # noqa: S101  (the folder was empty)
    (folder / LATEST).write_bytes(replace(pointer, change=content[:32]).to_json())
    return name


def _facts(extract: Extract) -> dict[str, Any]:
    """What the manifest says; scores and verdict are of the whole snapshot, and stay there."""
    manifest = extract.snapshot.manifest
    passed_on = {key: manifest[key] for key in _PASSED_ON if key in manifest}
    source = {
        "snapshot": extract.snapshot.snapshot_id,
        "rows": extract.asked,
        "root": extract.root,
    }
    return {**passed_on, "metadata": extract.metadata.to_dict(), EXTRACT: source}


def _content_hash(draft: Draft) -> str:
    tables = draft.facts["tables"]
    held = {name: [file["sha256"] for file in facts["files"]] for name, facts in tables.items()}
    return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()


def _check_replaceable(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise FixtureFolderError(f"'{out}' is a file. Name a folder for the fixture.")
    places = [out / name for name in (LATEST, RUNS, SNAPSHOTS)]
    if any(place.exists() for place in places) and not _is_fixture(out):
        raise FixtureFolderError(
            f"'{out}' holds a sandbox that is no fixture, or things of the same names: nothing was "
            "written. Name another folder."
        )


def _is_fixture(out: Path) -> bool:
    """Whether all snapshots in a folder are fixtures."""
    manifests = [folder / MANIFEST for folder in (out / SNAPSHOTS).glob("*")]
    try:
        documents = [json.loads(manifest.read_bytes()) for manifest in manifests]
    except (OSError, ValueError):
        return False
    return bool(documents) and all(EXTRACT in document for document in documents)


def _replace(out: Path, new: Path, name: str) -> None:
    """Put the new sandbox in place of the old one; a reader finds a whole one at any moment."""
    for file in sorted((new / SNAPSHOTS).rglob("*"), key=lambda path: path.name == MANIFEST):
        if file.is_file():
            _move(file, out / file.relative_to(new))
    _move(new / commit_key(_RUN), out / commit_key(_RUN))
    _move(new / LATEST, out / LATEST)
    for old in (out / SNAPSHOTS).iterdir():
        if old.name != name:
            shutil.rmtree(old)


def _move(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    file.replace(target)
