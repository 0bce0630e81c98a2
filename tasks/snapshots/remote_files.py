"""Small and large files on any file system that fsspec knows: created once, replaced whole.

Three ways to do that, by what a file system is:

* an object store (`gs`, `abfs`, ...): objects appear whole, and `pipe_file(mode="create")` is a
  conditional request to the server;
* `sftp`: files are written aside and renamed; SFTP's plain rename is refused where the target is,
  and OpenSSH's posix-rename replaces it atomically;
* `memory`: this process alone, so a lock in this process is enough.

fsspec's own default for `mode="create"` looks first and writes then, which two writers can both do;
a file system that inherits it can be read and not be published to.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.asyn import AsyncFileSystem
from fsspec.core import url_to_fs

from prefect_synth.tasks.snapshots.backend import StoredObject, UnfinishedUpload
from prefect_synth.tasks.snapshots.errors import SandboxUnsafeError

UPLOADS = ".uploads/"

_MOMENTS = ("LastModified", "last_modified", "mtime", "updated", "modified", "created")
_ONE_AT_A_TIME = threading.Lock()


def open_files(url: str) -> RemoteFiles:
    """Connect to a file system, with the credentials that it finds by itself.

    Args:
        url: Address of the sandbox, without credentials.
    """
    files, root = url_to_fs(url, skip_instance_cache=True)
    protocols = (files.protocol,) if isinstance(files.protocol, str) else files.protocol
    if "sftp" in protocols:
        return RenamedFiles(files, root, url)
    if "memory" in protocols:
        return ProcessFiles(files, root, url)
    return RemoteFiles(files, root, url)


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


class RenamedFiles(RemoteFiles):
    """Files on an SFTP server, written aside in `.uploads` and renamed."""

    def __init__(self, files: AbstractFileSystem, root: str, url: str) -> None:
        super().__init__(files, root, url)
        self._threads = threading.local()
        self._threads.files = files

    @property
    def files(self) -> AbstractFileSystem:
        """A connection for each thread: paramiko mixes up the answers of threads that share one."""
        if not hasattr(self._threads, "files"):
            self._threads.files, _ = url_to_fs(self.url, skip_instance_cache=True)
        return self._threads.files

    def prepare(self) -> None:
        """Make the sandbox's folder."""
        self._make_folder(self.root)

    def create(self, key: str, content: bytes) -> bool:
        """Create a small file; SFTP's own rename never replaces one."""
        temporary = self._aside(content)
        target = self._target(key)
        try:
            self.files.ftp.rename(temporary, target)
        except OSError:
            self.files.rm_file(temporary)
            if self.files.exists(target):
                return False
            raise
        return True

    def replace(self, key: str, content: bytes) -> None:
        """Write a small file by a rename that replaces it."""
        temporary = self._aside(content)
        self.files.mv(temporary, self._target(key))

    def upload(self, path: Path, key: str) -> None:
        """Copy a local file aside, and rename it."""
        temporary = self._target(f"{UPLOADS}{uuid.uuid4().hex}")
        try:
            self.files.put_file(str(path), temporary)
        except OSError:
            with suppress(OSError):
                self.files.rm_file(temporary)
            raise
        self.files.mv(temporary, self._target(key))

    def delete(self, key: str) -> None:
        """Delete a file, and the folders of its snapshot that this leaves empty."""
        super().delete(key)
        # folders of the first level stay: another process may be about to write into them
        parts = key.split("/")[:-1]
        with suppress(OSError):
            for depth in range(len(parts), 1, -1):
                self.files.rmdir(self.path("/".join(parts[:depth])))

    def uploads(self) -> Iterator[UnfinishedUpload]:
        """Yield the files that were never renamed; they do not know what they would have been."""
        for item in self.objects(UPLOADS):
            yield UnfinishedUpload(None, item.modified, item.key)

    def _aside(self, content: bytes) -> str:
        temporary = self._target(f"{UPLOADS}{uuid.uuid4().hex}")
        with self.files.open(temporary, "wb") as file:
            file.write(content)
        return temporary

    def _target(self, key: str) -> str:
        path = self.path(key)
        self._make_folder(path.rpartition("/")[0])
        return path

    def _make_folder(self, path: str) -> None:
        if self.files.isdir(path):
            return
        self._make_folder(path.rpartition("/")[0])
        try:
            self.files.ftp.mkdir(path)
        except OSError:
            if not self.files.isdir(path):  # else another process was faster
                raise


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
