"""Files on an SFTP server: written aside, and renamed when they are whole."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs

from prefect_synth.tasks.snapshots.backend import UnfinishedUpload
from prefect_synth.tasks.snapshots.remote_files import RemoteFiles

UPLOADS = ".uploads/"


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
