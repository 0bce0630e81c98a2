"""Folders and files that are whole or not there."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """Give a folder to write into, which becomes `folder` when all went well.

    An older `folder` is replaced.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name[:20]}-", dir=folder.parent))
    try:
        yield unfinished
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(unfinished, folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def write_atomically(path: Path, text: str) -> None:
    """Write a small file, whole or not at all."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, path)


def link_files(source: Path, folder: Path) -> None:
    """Give the files of a folder a second name in another; they must not be changed in place."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        link_file(file, folder / file.name)


def link_file(source: Path, name: Path) -> None:
    """Give a file a second name, or copy it where the file system knows no links."""
    name.unlink(missing_ok=True)
    try:
        os.link(source, name)
    except OSError:
        shutil.copy2(source, name)
