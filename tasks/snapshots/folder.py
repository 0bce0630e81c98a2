"""A sandbox on a local folder (POSIX): atomic renames, hard links, one lock, everything synced."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from prefect_synth.tasks.snapshots.backend import StoredObject, UnfinishedUpload
from prefect_synth.tasks.snapshots.errors import (
    SandboxConflictError,
    SandboxError,
    SandboxFullError,
    SandboxPermissionError,
)

_UPLOADS = ".uploads"
_LOCK = ".lock"
_PATIENCE_SECONDS = 30.0
_CHUNK = 1 << 20


@dataclass(frozen=True)
class FolderBackend:
    """Files under a local folder; files are first written whole in `.uploads`, then renamed."""

    root: Path

    @property
    def url(self) -> str:
        """The folder's path; pandas, DuckDB and a shell all take it."""
        return str(self.root)

    def reach(self) -> None:
        """Make the folder, and see that it can be listed."""
        with _clear_errors(self.root, "make and list this folder"):
            _make_folders(self.root)
            next(self.root.iterdir(), None)

    def free_bytes(self) -> int | None:
        """Return the space left on the folder's disk."""
        return shutil.disk_usage(self.root).free

    def put_file(self, path: Path, key: str) -> None:
        """Copy a local file; it appears under `key` whole or not at all, and durably."""
        target = self.root / key
        with _clear_errors(target, "write"), self._upload() as temporary:
            shutil.copyfile(path, temporary)
            _sync(temporary)
            _make_folders(target.parent)
            temporary.replace(target)
            _sync(target.parent)
        self._check_size(path, target)

    def put_new(self, key: str, content: bytes) -> bool:
        """Create a small file unless it exists; a hard link is refused where one is."""
        target = self.root / key
        with _clear_errors(target, "write"), self._upload(content) as temporary:
            _make_folders(target.parent)
            try:
                os.link(temporary, target)
            except FileExistsError:
                return False
            _sync(target.parent)
        return True

    def compare_and_swap(self, key: str, content: bytes, token: str | None) -> bool:
        """Replace a small file if it is still as `token` says, holding the folder's lock."""
        target = self.root / key
        with _clear_errors(target, "write"), self._upload(content) as temporary, self._lock():
            current = self.read_with_token(key)
            if (None if current is None else current[1]) != token:
                return False
            _make_folders(target.parent)
            temporary.replace(target)
            _sync(target.parent)
        return True

    def read_with_token(self, key: str) -> tuple[bytes, str] | None:
        """Return a small file and the hash of exactly these bytes."""
        with _clear_errors(self.root / key, "read"):
            try:
                content = (self.root / key).read_bytes()
            except FileNotFoundError:
                return None
        return content, hashlib.sha256(content).hexdigest()

    def chunks(self, key: str) -> Iterator[bytes]:
        """Yield a file's bytes in bounded pieces."""
        with _clear_errors(self.root / key, "read"), (self.root / key).open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the files under a folder, however deep."""
        with _clear_errors(self.root / prefix, "list"):
            for folder, _, names in os.walk(self.root / prefix):
                for path in (Path(folder, name) for name in names):
                    with suppress(FileNotFoundError):  # deleted by another while we list
                        yield self._stored(path)

    def delete(self, key: str) -> None:
        """Delete a file, and the folders of its snapshot that this leaves empty."""
        path = self.root / key
        with _clear_errors(path, "delete"):
            path.unlink(missing_ok=True)
        # folders of the first level stay: another process may be about to write into them
        for folder in path.parents:
            if len(folder.relative_to(self.root).parts) < 2 or not _remove_empty(folder):
                return

    def uploads(self, prefix: str) -> Iterator[UnfinishedUpload]:
        """Yield the unfinished files; they do not know what they will be."""
        for item in self.objects(f"{_UPLOADS}/"):
            yield UnfinishedUpload(None, item.modified, item.key)

    def discard_upload(self, upload: UnfinishedUpload) -> None:
        """Delete an unfinished file."""
        self.delete(upload.handle)

    @contextmanager
    def _upload(self, content: bytes | None = None) -> Iterator[Path]:
        temporary = self.root / _UPLOADS / uuid.uuid4().hex
        _make_folders(temporary.parent)
        try:
            if content is not None:
                temporary.write_bytes(content)
                _sync(temporary)
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        # the kernel frees the lock when its holder dies, so a killed run never blocks the next
        with (self.root / _LOCK).open("ab") as file:
            deadline = time.monotonic() + _PATIENCE_SECONDS
            while not _try_lock(file.fileno()):
                if time.monotonic() > deadline:
                    raise SandboxConflictError(
                        f"{self.root / _LOCK} has been held by another process for "
                        f"{_PATIENCE_SECONDS:.0f} s: end that process, then run again."
                    )
                time.sleep(0.02)
            yield

    def _stored(self, path: Path) -> StoredObject:
        status = path.stat()
        modified = datetime.fromtimestamp(status.st_mtime, UTC)
        return StoredObject(path.relative_to(self.root).as_posix(), status.st_size, modified)

    def _check_size(self, source: Path, target: Path) -> None:
        if source.stat().st_size != target.stat().st_size:
            raise SandboxError(f"{source} changed while it was copied to {target}: run again.")


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove_empty(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return False
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folders(folder: Path) -> None:
    # a new folder survives a power cut only once its parent is synced
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        _sync(path.parent)


@contextmanager
def _clear_errors(path: Path, action: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _explained(error, path, action) from error


def _explained(error: OSError, path: Path, action: str) -> SandboxError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SandboxFullError(
            f"{path}: no space is left. Free some on that disk, keep fewer snapshots "
            "(sandbox.retain), or choose another sandbox."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return SandboxPermissionError(
            f"{path}: this process may not {action} here ({error.strerror}). Give user "
            f"{os.geteuid()} the right to write to the sandbox's folder, or choose another."
        )
    return SandboxError(f"{path}: could not {action}: {error.strerror or error}.")
