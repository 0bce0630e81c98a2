"""A sandbox on any file system that fsspec speaks: exclusive creation, and a lock for the rest."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fsspec.core import url_to_fs

from prefect_synth.tasks.snapshots.azure_files import AzureFiles
from prefect_synth.tasks.snapshots.backend import StoredObject, UnfinishedUpload
from prefect_synth.tasks.snapshots.errors import (
    SandboxCredentialsError,
    SandboxError,
    SandboxFullError,
    SandboxNotFoundError,
    SandboxPermissionError,
    SandboxUnreachableError,
)
from prefect_synth.tasks.snapshots.remote_files import ProcessFiles, RemoteFiles, token_of
from prefect_synth.tasks.snapshots.renamed_files import RenamedFiles

_CHUNK = 4 << 20
_SECRETS = re.compile(r"(?i)(\w*(?:key|sig|signature|token|password|secret))=[^;&\s]+")


@dataclass(frozen=True)
class RemoteBackend:
    """Files below an address such as `gs://bucket/prefix` or `sftp://host/folder`.

    Args:
        url: The address, without credentials; the file system finds them by itself.
    """

    url: str

    def reach(self) -> None:
        """Connect, make the folder where there are folders, and list it."""
        with self._clear_errors("list it"):
            self._files.prepare()
            next(self._files.objects("trials/"), None)

    def free_bytes(self) -> int | None:
        """Return None: file systems do not tell."""
        return None

    def put_file(self, path: Path, key: str) -> None:
        """Copy a local file; it appears under `key` whole or not at all."""
        with self._clear_errors("write"):
            self._files.upload(path, key)
            stored, size = self._files.size(key), path.stat().st_size
        if stored != size:
            raise SandboxError(
                f"{self.url}/{key} has {stored} bytes, {path} has {size}: run again."
            )

    def put_new(self, key: str, content: bytes) -> bool:
        """Create a small file unless it exists."""
        with self._clear_errors("write"):
            return self._files.create(key, content)

    def compare_and_swap(self, key: str, content: bytes, token: str | None) -> bool:
        """Replace a small file if it is still as `token` says: by the store itself, or a lock."""
        if token is None:
            return self.put_new(key, content)
        with self._clear_errors("write"):
            return self._files.replace_if(key, content, token)

    def read_with_token(self, key: str) -> tuple[bytes, str] | None:
        """Return a small file and the hash of exactly these bytes."""
        with self._clear_errors("read"):
            content = self._files.read(key)
        return None if content is None else (content, token_of(content))

    def chunks(self, key: str) -> Iterator[bytes]:
        """Yield a file's bytes in bounded pieces."""
        with self._clear_errors("read"), self._files.files.open(self._files.path(key)) as file:
            while chunk := file.read(_CHUNK):
                yield chunk

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the files under a folder, however deep."""
        with self._clear_errors("list"):
            yield from self._files.objects(prefix)

    def delete(self, key: str) -> None:
        """Delete a file; an absent one is no error."""
        with self._clear_errors("delete"):
            self._files.delete(key)

    def uploads(self, prefix: str) -> Iterator[UnfinishedUpload]:
        """Yield the unfinished files; they do not know what they will be."""
        with self._clear_errors("list"):
            yield from self._files.uploads()

    def discard_upload(self, upload: UnfinishedUpload) -> None:
        """Delete an unfinished file."""
        self.delete(upload.handle)

    def __getstate__(self) -> dict[str, str]:
        # another process connects anew
        return {"url": self.url}

    @cached_property
    def _files(self) -> RemoteFiles:
        return _open_files(self.url)

    @contextmanager
    def _clear_errors(self, action: str) -> Iterator[None]:
        try:
            yield
        except SandboxError:
            raise
        except Exception as error:  # each file system's library has errors of its own
            raise _explained(error, self.url, action) from error


def _open_files(url: str) -> RemoteFiles:
    """Connect to a file system, with the credentials that it finds by itself."""
    files, root = url_to_fs(url, skip_instance_cache=True)
    protocols = (files.protocol,) if isinstance(files.protocol, str) else files.protocol
    if "sftp" in protocols:
        return RenamedFiles(files, root, url)
    if "abfs" in protocols:
        return AzureFiles(files, root, url)
    if "memory" in protocols:
        return ProcessFiles(files, root, url)
    return RemoteFiles(files, root, url)


def _explained(error: Exception, url: str, action: str) -> SandboxError:
    kind, code = type(error).__name__, _status(error)
    text = _SECRETS.sub(r"\1=...", str(error).partition("\n")[0])
    told = f"{kind}: {text[:200]}"
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return SandboxFullError(f"{url}: no space is left. Keep fewer snapshots (sandbox.retain).")
    if code == 401 or "authentication" in told.lower() or "Credential" in kind:
        return SandboxCredentialsError(
            f"{url}: the credentials are missing or refused ({told}). They are looked for where "
            "the file system's own tools look, in the environment or in files; not in the address."
        )
    if code == 403 or isinstance(error, PermissionError):
        return SandboxPermissionError(f"{url}: these credentials may not {action} here ({told}).")
    if isinstance(error, FileNotFoundError) or code == 404:
        return SandboxNotFoundError(
            f"{url}: there is no such bucket, container or folder ({told}). Create it, or correct "
            "sandbox.url."
        )
    if isinstance(error, (ConnectionError, TimeoutError, EOFError)) or "Connect" in kind:
        return SandboxUnreachableError(f"{url}: nobody answers there ({told}).")
    return SandboxError(f"{url}: could not {action}: {told}.")


def _status(error: BaseException | None) -> int | None:
    while error is not None:
        for name in ("code", "status", "status_code"):
            value = getattr(error, name, None)
            if isinstance(value, int) and value >= 400:
                return value
        error = error.__cause__
    return None
