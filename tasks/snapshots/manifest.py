"""The manifest: what a snapshot consists of, and the facts by which it can be checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from prefect_synth.synth.interpolated import is_marked
from prefect_synth.tasks.snapshots.errors import SandboxError, UnjudgedRowsError
from prefect_synth.tasks.snapshots.naming import MANIFEST, checked_name, folder_names
from prefect_synth.tasks.snapshots.records import encode, utc_text

OUR_KEYS = frozenset({"format", "snapshot_id", "run_id", "tables", "extra_files"})
"""Keys that the store writes; the caller's own facts have other names."""


@dataclass(frozen=True)
class Draft:
    """A snapshot before it has a name: local files, their places, and the facts about them."""

    uploads: tuple[tuple[Path, str], ...]
    facts: Mapping[str, Any]

    def manifest(self, run_id: str, snapshot_id: str) -> bytes:
        """Return the manifest of one attempt."""
        return encode({**self.facts, "run_id": run_id, "snapshot_id": snapshot_id})

    @property
    def created(self) -> str:
        """When the data were taken."""
        return str(self.facts["created"])

    def check(self, judged: Mapping[str, Sequence[str]]) -> None:
        """Refuse files that are not those that were judged.

        Args:
            judged: By table, the SHA-256 of each of its files, in their order.

        Raises:
            UnjudgedRowsError: A table has other files.
        """
        for table, facts in self.facts["tables"].items():
            found = [file["sha256"] for file in facts["files"]]
            if found != list(judged.get(table, ())):
                raise UnjudgedRowsError(
                    f"Table {table!r} was not published: its files are not those that passed the "
                    "gates; something has changed them since. Run the refresh again: it draws and "
                    "judges them anew."
                )

    def total(self, fact: str) -> int:
        """Return the sum of a fact (rows, bytes) over the tables."""
        return sum(table[fact] for table in self.facts["tables"].values())


def draft_snapshot(
    tables: Mapping[str, Path], facts: Mapping[str, Any], extra_files: Mapping[str, Path]
) -> Draft:
    """Measure the files before anything is sent, so that bad input costs nothing.

    Args:
        tables: Table name to Parquet file, or to the folder of its parts.
        facts: The caller's part of the manifest; `created` may say when the data were taken.
        extra_files: File name in the snapshot to local file.
    """
    clash = OUR_KEYS & facts.keys()
    if clash or not tables:
        raise SandboxError(
            f"The manifest's keys {sorted(clash)} are written by the store: use other names."
            if clash
            else "A snapshot needs at least one table, got none."
        )
    for name in extra_files:
        _check_extra(name)
    folders = folder_names(tables, taken=extra_files)
    described = {table: _table_facts(table, path, folders[table]) for table, path in tables.items()}
    extras = {name: {"path": name, **_file_facts(path)} for name, path in extra_files.items()}
    uploads = [
        (local, file["path"])
        for table, path in tables.items()
        for local, file in zip(_parts(table, path), described[table]["files"], strict=True)
    ]
    draft = Draft(
        uploads=(*uploads, *((path, name) for name, path in extra_files.items())),
        facts={**facts, "created": _created(facts), "tables": described, "extra_files": extras},
    )
    _check_json(draft)
    return draft


def manifest_files(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield path, bytes and sha256 of every file that a manifest lists."""
    for table in manifest["tables"].values():
        yield from table["files"]
    yield from manifest["extra_files"].values()


def schema_fingerprint(schema: pa.Schema) -> str:
    """Return a short hash of names, types and nullability, in order; comments do not count."""
    fields = [[field.name, str(field.type), field.nullable] for field in schema]
    return hashlib.sha256(json.dumps(fields).encode()).hexdigest()[:16]


def _parts(table: str, path: Path) -> list[Path]:
    """The files of a table, in the order of its rows."""
    if not path.is_dir():
        return [path]
    parts = sorted(path.glob("*.parquet"))
    if not parts:
        raise SandboxError(f"Table {table!r} cannot be published: {path} holds no Parquet file.")
    return parts


def _table_facts(table: str, path: Path, folder: str) -> dict[str, Any]:
    files: list[dict[str, Any]] = []
    for number, part in enumerate(_parts(table, path)):
        rows, schema = _rows_and_schema(table, part)
        place = f"{folder}/part-{number:05d}.parquet"
        files.append({"path": place, "rows": rows, **_file_facts(part)})
    return {
        "folder": folder,
        "rows": sum(file["rows"] for file in files),
        "bytes": sum(file["bytes"] for file in files),
        "schema_fingerprint": schema_fingerprint(schema),
        "files": files,
    }


def _rows_and_schema(table: str, path: Path) -> tuple[int, pa.Schema]:
    try:
        with pq.ParquetFile(path) as file:
            rows, schema = file.metadata.num_rows, file.schema_arrow
    except (pa.ArrowInvalid, OSError) as error:
        raise SandboxError(
            f"Table {table!r} cannot be published: {path} is not a readable Parquet file."
        ) from error
    if is_marked(schema):
        raise SandboxError(
            f"Table {table!r} cannot be published: the rows of {path.name} are laid between real "
            "ones (SMOTE or its like), and are real data. Publish a balanced table instead "
            "(`balance` in synth.yaml)."
        )
    return rows, schema


def _file_facts(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise SandboxError(f"{path} cannot be published: there is no such file.")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def _check_extra(name: str) -> None:
    if checked_name("Extra file", name).casefold() == MANIFEST:
        raise SandboxError(f"An extra file cannot be called {name!r}: choose another name.")


def _created(facts: Mapping[str, Any]) -> str:
    created = facts.get("created", datetime.now(UTC))
    try:
        return utc_text(
            created if isinstance(created, datetime) else datetime.fromisoformat(created)
        )
    except (ValueError, TypeError) as error:
        raise SandboxError(
            f"The manifest's 'created' must be a moment with a time zone, got {created!r}."
        ) from error


def _check_json(draft: Draft) -> None:
    try:
        json.dumps(draft.facts, allow_nan=False)  # without indents it takes a tenth of the time
    except (ValueError, TypeError) as error:
        raise SandboxError(f"The manifest must be JSON: {error}.") from error
