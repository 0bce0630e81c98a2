"""Real rows that are looked at once: private folders that are gone at the end, or soon after."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

FOLDER = "looks"
"""Folder in private staging of rows that somebody looks at; a purge deletes it."""
_LOCK = ".lock"
_PRIVATE = 0o700


@contextmanager
def rows_for_a_look(staging: Path) -> Iterator[Path]:
    """Give a private folder for rows that nobody needs afterwards.

    A process that is killed cannot delete its folder: the next look, refresh or purge does.

    Args:
        staging: Root of the project's private staging.
    """
    home = staging / FOLDER
    home.mkdir(exist_ok=True, mode=_PRIVATE)
    with _locked(home):
        _sweep(home)
        folder = Path(tempfile.mkdtemp(dir=home))
        lock = _open(folder)
        fcntl.flock(lock, fcntl.LOCK_EX)
    with lock:
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def forget_looks(staging: Path) -> None:
    """Delete the rows that killed processes looked at; those of a living one stay.

    Args:
        staging: Root of the project's private staging.
    """
    home = staging / FOLDER
    if home.is_dir():
        with _locked(home):
            _sweep(home)


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Nobody makes or sweeps a folder meanwhile."""
    with _open(home) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _open(folder: Path) -> IO[str]:
    return (folder / _LOCK).open("a")


def _sweep(home: Path) -> None:
    for folder in (path for path in home.iterdir() if path.is_dir()):
        # whoever looks holds the lock of the folder, and the kernel lets go when the process dies
        with suppress(BlockingIOError), _open(folder) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
