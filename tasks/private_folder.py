"""A folder that only its owner can read: real rows lie in it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_PRIVATE = 0o700
_OTHERS = 0o077


class StagingError(RuntimeError):
    """Staging cannot be used; the message names the folder and the cure."""


def make_private(folder: Path) -> None:
    """Make a folder that only its owner can read, unless it is there.

    Args:
        folder: The folder.

    Raises:
        StagingError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=_PRIVATE)
    except OSError as error:
        raise StagingError(
            f"The staging folder '{folder}' cannot be made: {error.strerror}. Give another folder "
            "as staging.url."
        ) from None


def close_to_others(folder: Path) -> None:
    """Take everybody else's rights away, unless the folder serves something else as well.

    Args:
        folder: The folder.

    Raises:
        StagingError: Others can read it, and it serves something else as well.
    """
    if not folder.stat().st_mode & _OTHERS:
        return
    if (folder / "runs").is_dir() or not any(folder.iterdir()):
        with suppress(OSError):
            folder.chmod(_PRIVATE)
    mode = folder.stat().st_mode & 0o777
    if mode & _OTHERS:
        raise StagingError(
            f"The staging folder '{folder}' has mode {mode:04o}, so others may get at real rows; "
            f"it must be 0700. Give a folder of its own as staging.url, or `chmod 700 '{folder}'`."
        )
