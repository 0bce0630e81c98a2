"""Which cached snapshots stay: the last few used, and those used a moment ago."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prefect_synth.tasks.snapshots.naming import MANIFEST

KEPT = 3
"""So many snapshots of a sandbox stay, unless the environment says another number."""

NUMBER = "PREFECT_SYNTH_CACHE_SNAPSHOTS"
"""Environment variable for another number."""

_IN_USE_SECONDS = 3600.0


def touch(manifest: Path) -> None:
    """Note that a snapshot is used now."""
    with suppress(OSError):  # a cache that may only be read
        os.utime(manifest)


def evict(snapshots: Path) -> None:
    """Delete all but the snapshots used last, and what killed processes left.

    One that was used within the last hour stays in any case: somebody may be reading it.

    Args:
        snapshots: The folder of a sandbox's snapshots.
    """
    with suppress(OSError):  # another process deletes as well, or this one may not
        found = [(_used(folder), folder) for folder in snapshots.iterdir()]
        oldest_first = sorted(item for item in found if not item[1].name.startswith("."))
        doomed = oldest_first[: max(0, len(oldest_first) - _kept())]
        leftover = [item for item in found if item[1].name.startswith(".")]
        recently = time.time() - _IN_USE_SECONDS
        for used, folder in (*doomed, *leftover):
            if used < recently:
                _delete(folder)


def sweep(path: Path) -> None:
    """Delete what processes that were killed left while they wrote this file."""
    with suppress(OSError):
        for left in path.parent.glob(f".{path.name}.*"):
            if left.stat().st_mtime < time.time() - _IN_USE_SECONDS:
                left.unlink()


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold a lock; the kernel lets go when the process dies."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as opened:
        with suppress(OSError):  # a file system without locks: two may fetch the same file
            fcntl.flock(opened, fcntl.LOCK_EX)
        yield


def _kept() -> int:
    given = os.environ.get(NUMBER, "")
    return max(1, int(given)) if given.isdigit() else KEPT


def _used(folder: Path) -> float:
    manifest = folder / MANIFEST
    return (manifest if manifest.exists() else folder).stat().st_mtime


def _delete(folder: Path) -> None:
    # renamed first: half a snapshot is never seen under its name
    aside = folder.with_name(f".{uuid.uuid4().hex}")
    folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)
