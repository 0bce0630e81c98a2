"""Small and large files on any file system that fsspec knows: created once, replaced whole.

Four ways to do that, by what a file system is:

* an object store (`gs`, ...): objects appear whole, and `pipe_file(mode="create")` is a
  conditional request to the server;
* `abfs`, in `azure_files`: the same, and it replaces conditionally too, so it needs no lock;
* `sftp`, in `renamed_files`: files are written aside and renamed; SFTP's plain rename is refused
  where the target is, and OpenSSH's posix-rename replaces it atomically;
* `memory`: this process alone, so a lock in this process is enough.

fsspec's own default for `mode="create"` looks first and writes then, which two writers can both do;
a file system that inherits it can be read and not be published to.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.asyn import AsyncFileSystem

from prefect_synth.tasks.snapshots.backend import StoredObject, UnfinishedUpload
from prefect_synth.tasks.snapshots.errors import SandboxUnsafeError
from prefect_synth.tasks.snapshots.lock_object import LockObject

_MOMENTS = ("LastModified", "last_modified", "mtime", "updated", "modified", "created")
_ONE_AT_A_TIME = threading.Lock()


class RemoteFiles:
    """Objects below a root, by keys relative to it."""

    def __init__(self, files: AbstractFileSystem, root: str, url: str) -> None:
        self._files, self.root, self.url = files, root.rstrip("/"), url

    @property
    def files(self) -> AbstractFileSystem:
        """The file system; fsspec's are safe to share among threads, mostly."""
        return self._files

    def prepare(self) -> None:
        """Make what must be there before the first file."""

    def create(self, key: str, content: bytes) -> bool:
        """Create a small file whole unless there is one.

        Raises:
            SandboxUnsafeError: If this file system cannot do that truthfully.
        """
        if not creates_exclusively(self.files):
            raise SandboxUnsafeError(
                f"{self.url}: {type(self.files).__name__} cannot create a file only where there is "
                "none, so two runs could overwrite each other. It can be read; publish to a "
                "folder, s3://, gs://, abfs:// or sftp://."
            )
        try:
            self.files.pipe_file(self.path(key), content, mode="create")
        except FileExistsError:
            return False
        return True

    def replace(self, key: str, content: bytes) -> None:
        """Write a small file; readers see the old one or the new one."""
        self.files.pipe_file(self.path(key), content)

    def replace_if(self, key: str, content: bytes, token: str) -> bool:
        """Replace a small file if its content is still the one of this token, under a lock."""
        with LockObject(self).held() as lock:
            current = self.read(key)
            # a holder that was too slow gives up; the caller reads again and decides anew
            if current is None or token_of(current) != token or not lock.still():
                return False
            self.replace(key, content)
        return True

    def upload(self, path: Path, key: str) -> None:
        """Copy a local file; it appears whole."""
        self.files.put_file(str(path), self.path(key))

    def size(self, key: str) -> int:
        """Return the bytes that a file has."""
        self.files.invalidate_cache()
        return int(self.files.info(self.path(key))["size"])

    def read(self, key: str) -> bytes | None:
        """Return a small file, or None if it is absent."""
        try:
            return bytes(self.files.cat_file(self.path(key)))
        except FileNotFoundError:
            return None

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the files below a prefix, which ends in `/`."""
        self.files.invalidate_cache()  # what decides must not come from a cache
        try:
            found = self.files.find(self.path(prefix).rstrip("/"), detail=True)
        except FileNotFoundError:
            return
        for name, info in found.items():
            if info["type"] == "file":
                key = str(name).removeprefix(f"{self.root}/")
                yield StoredObject(key, int(info["size"]), self._modified(name, info))

    def delete(self, key: str) -> None:
        """Delete a file; an absent one is no error."""
        with suppress(FileNotFoundError):
            self.files.rm_file(self.path(key))

    def uploads(self) -> Iterator[UnfinishedUpload]:
        """Yield what was begun and never ended; an object store throws that away by itself."""
        yield from ()

    def path(self, key: str) -> str:
        """Return a key's path as the file system takes it."""
        return f"{self.root}/{key}"

    def _modified(self, path: str, info: Mapping[str, Any]) -> datetime:
        for name in _MOMENTS:
            if info.get(name) is not None:
                return _moment(info[name])
        return _moment(self.files.modified(path))


class ProcessFiles(RemoteFiles):
    """fsspec's `memory`: seen by this process alone."""

    def create(self, key: str, content: bytes) -> bool:
        """Create a file while no other thread does."""
        with _ONE_AT_A_TIME:
            return super().create(key, content)


def token_of(content: bytes) -> str:
    """Return what tells one content of a small file from every other."""
    return hashlib.sha256(content).hexdigest()


def creates_exclusively(files: AbstractFileSystem) -> bool:
    """Whether a file system has its own `mode="create"` and not fsspec's look-then-write."""
    if isinstance(files, AsyncFileSystem):
        return type(files)._pipe_file is not AsyncFileSystem._pipe_file
    return type(files).pipe_file is not AbstractFileSystem.pipe_file


def _moment(value: Any) -> datetime:
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value, UTC)
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
