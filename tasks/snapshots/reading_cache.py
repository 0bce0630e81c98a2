"""The cache of a bucket's snapshots on this machine.

    <cache>/<sandbox>/sandbox.json                       whose it is
    <cache>/<sandbox>/latest.json                        the latest, when it was asked
    <cache>/<sandbox>/snapshots/<id>/manifest.json
    <cache>/<sandbox>/snapshots/<id>/<table>/part-00000.parquet

Files are written aside and renamed, under a lock per sandbox, so that any number of processes can
share it; a snapshot never changes, so what is there and has the right hash is good for ever.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from prefect_synth.tasks.snapshots.backend import Backend
from prefect_synth.tasks.snapshots.errors import SandboxError, SnapshotCacheError
from prefect_synth.tasks.snapshots.naming import LATEST, MANIFEST, SNAPSHOTS, snapshot_folder
from prefect_synth.tasks.snapshots.reading_eviction import evict, locked, sweep, touch
from prefect_synth.tasks.snapshots.reading_files import (
    damaged,
    fault_of,
    found_whole,
    other_hash,
    safe_path,
)
from prefect_synth.tasks.snapshots.records import decode

PLACE = "PREFECT_SYNTH_CACHE"
"""Environment variable that names another folder."""


def cache_folder(chosen: Path | str | None = None) -> Path:
    """Return the folder of the cache."""
    named = chosen or os.environ.get(PLACE)
    if named:
        return Path(named).expanduser().absolute()
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "prefect-synth"


@dataclass(frozen=True)
class CachedFiles:
    """The files of a bucket's snapshots, fetched when they are first used.

    Args:
        cache: The cache of all sandboxes.
        backend: The bucket.
    """

    cache: Path
    backend: Backend

    @cached_property
    def root(self) -> Path:
        """The folder of this sandbox."""
        endpoint = getattr(getattr(self.backend, "place", None), "endpoint_url", None)
        readable = re.sub(r"[^A-Za-z0-9.-]+", "-", self.backend.url)[-40:].strip("-")
        identity = json.dumps([self.backend.url, endpoint])
        return self.cache / f"{readable}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"

    def manifest(self, snapshot_id: str) -> Mapping[str, Any] | None:
        """Return a manifest that is known here, without any network; it counts as used now."""
        file = self._folder(snapshot_id) / MANIFEST
        try:
            document = decode(str(file), file.read_bytes())
        except (OSError, SandboxError):  # absent, damaged, of a later version: the sandbox decides
            return None
        touch(file)
        return document

    def keep_manifest(self, snapshot_id: str, manifest: Mapping[str, Any]) -> None:
        """Keep the manifest of a committed snapshot, and let the longest unused ones go."""
        self._write_json(self._folder(snapshot_id) / MANIFEST, manifest)
        evict(self.root / SNAPSHOTS)

    def last_known(self) -> str | None:
        """Return the snapshot that was the latest when the sandbox was asked before."""
        try:
            return str(json.loads((self.root / LATEST).read_bytes())["snapshot_id"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def remember_latest(self, snapshot_id: str) -> None:
        """Remember which snapshot the sandbox says is the latest."""
        if self.last_known() != snapshot_id:
            self._write_json(self.root / "sandbox.json", {"url": self.backend.url})
            self._write_json(self.root / LATEST, {"snapshot_id": snapshot_id})

    def path(self, snapshot_id: str, file: Mapping[str, Any]) -> Path:
        """Return a local file that is as its manifest says, fetched where there is none.

        Raises:
            SnapshotDamagedError: If the sandbox's own file is not as the manifest says.
            SnapshotCacheError: If the cache cannot be read or written.
            SandboxError: The subclass says what else went wrong.
        """
        path = self._folder(snapshot_id) / safe_path(file)
        touch(self._folder(snapshot_id) / MANIFEST)
        with self._usable():
            if fault_of(path, file) is None:
                return path
            with locked(self.root / ".lock"):
                if fault_of(path, file) is not None:  # nobody was faster
                    self._fetch(snapshot_id, file, path)
        return path

    def _fetch(self, snapshot_id: str, file: Mapping[str, Any], path: Path) -> None:
        sweep(path)
        digest, size = hashlib.sha256(), 0
        with _written_aside(path) as opened:
            for chunk in self._chunks(snapshot_id, file):
                opened.write(chunk)
                digest.update(chunk)
                size += len(chunk)
            if size != file["bytes"]:
                fault = f"has {size} bytes, the manifest says {file['bytes']}"
                raise damaged(snapshot_id, file, fault)
            if digest.hexdigest() != file["sha256"]:
                raise damaged(snapshot_id, file, other_hash(digest.hexdigest(), file))
        found_whole(path, file)

    def _chunks(self, snapshot_id: str, file: Mapping[str, Any]) -> Iterator[bytes]:
        key = f"{snapshot_folder(snapshot_id)}{safe_path(file)}"
        try:
            yield from self.backend.chunks(key)
        except SandboxError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise damaged(snapshot_id, file, "is missing") from error
            error.add_note(f"{file['path']} of snapshot {snapshot_id!r} is not in the cache.")
            raise

    def _folder(self, snapshot_id: str) -> Path:
        return self.root / snapshot_folder(snapshot_id)

    def _write_json(self, path: Path, document: Mapping[str, Any]) -> None:
        with self._usable(), _written_aside(path) as opened:
            opened.write(json.dumps(document, indent=1).encode())

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SnapshotCacheError(
                f"The cache '{self.cache}' could not be used: {error.strerror or error}. Make it "
                f"writable, free some space there, or name another folder as {PLACE}."
            ) from error


@contextmanager
def _written_aside(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write into, which becomes `path` when all went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with aside.open("wb") as opened:
            yield opened
        aside.replace(path)
    except BaseException:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        raise
