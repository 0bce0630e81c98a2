"""What a folder and a bucket must both be able to do; the protocol is written once above it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class StoredObject:
    """A file in the sandbox, named by its key relative to the sandbox's root."""

    key: str
    bytes: int
    modified: datetime


@dataclass(frozen=True)
class UnfinishedUpload:
    """The beginning of a file that is not visible yet.

    Args:
        key: What it will be, or None where the backend alone knows that it is its own.
        started: When it was begun.
        handle: By what the backend finds it.
    """

    key: str | None
    started: datetime
    handle: str


class Backend(Protocol):
    """Files under one root, with the two conditional writes that make publishing safe.

    Keys are relative and use `/`. Every failure is raised as a `SandboxError`.
    """

    @property
    def url(self) -> str:
        """Address of the root, without credentials; keys are appended with `/`."""

    def reach(self) -> None:
        """Fail at once where the root does not exist, is not reachable or may not be listed."""

    def free_bytes(self) -> int | None:
        """Return the space left, or None where there is no such limit."""

    def put_file(self, path: Path, key: str) -> None:
        """Copy a local file; it appears under `key` whole or not at all, and durably."""

    def put_new(self, key: str, content: bytes) -> bool:
        """Create a small file unless it exists; False if it does (perhaps by our own retry)."""

    def compare_and_swap(self, key: str, content: bytes, token: str | None) -> bool:
        """Replace a small file if it is still as `token` says; None says that it is absent."""

    def read_with_token(self, key: str) -> tuple[bytes, str] | None:
        """Return a small file and the token of exactly these bytes, or None if it is absent."""

    def chunks(self, key: str) -> Iterator[bytes]:
        """Yield a file's bytes in bounded pieces."""

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the visible files whose key starts with `prefix` (a folder, ending in `/`)."""

    def delete(self, key: str) -> None:
        """Delete a file; an absent one is no error."""

    def uploads(self, prefix: str) -> Iterator[UnfinishedUpload]:
        """Yield the unfinished uploads of files whose key starts with `prefix`, a folder."""

    def discard_upload(self, upload: UnfinishedUpload) -> None:
        """Drop an unfinished upload; one that was finished or dropped meanwhile is no error."""
