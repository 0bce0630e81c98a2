"""Progress of tasks in other processes: they write it into staging, and the flow reads it."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prefect_synth.tasks.progress import ProgressListener, listening, progress

_SECONDS_BETWEEN_LOOKS = 0.5
_SUFFIX = ".progress"


class WrittenProgress:
    """Writes how far a task is, a line at a time, into a file that only its thread writes.

    Args:
        folder: A folder that the flow reads.
    """

    def __init__(self, folder: Path) -> None:
        worker = f"{socket.gethostname()}-{os.getpid()}-{threading.get_ident()}"
        self.file = folder / f"{worker}{_SUFFIX}"

    def begin(self, step: str, total: int | None) -> None:
        """Steps begin in the flow."""

    def advance(self, step: str, amount: int, detail: str = "") -> None:
        """Write that a step got further; what cannot be written takes nothing from the task."""
        with suppress(OSError), self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps([step, amount, detail]) + "\n")

    def end(self, step: str) -> None:
        """Steps end in the flow."""


class ReadProgress:
    """Tells a listener what workers have written; a step does not end before all of it was told.

    Args:
        folder: Where they write.
        listener: Who shows progress.
    """

    def __init__(self, folder: Path, listener: ProgressListener) -> None:
        self.folder, self.listener = folder, listener
        self._read: dict[Path, int] = {}
        self._lock = threading.Lock()

    def begin(self, step: str, total: int | None) -> None:
        """Pass it on."""
        self.listener.begin(step, total)

    def advance(self, step: str, amount: int, detail: str = "") -> None:
        """Pass it on: a task of this process got further."""
        self.listener.advance(step, amount, detail)

    def end(self, step: str) -> None:
        """Pass it on, after what workers wrote."""
        self.catch_up()
        self.listener.end(step)

    def catch_up(self) -> None:
        """Tell what was written since the last look; a line that is not whole waits."""
        with self._lock:
            for file in sorted(self.folder.glob(f"*{_SUFFIX}")):
                start = self._read.get(file, 0)
                whole, newline, _ = _read_from(file, start).rpartition(b"\n")
                self._read[file] = start + len(whole) + len(newline)
                for line in whole.splitlines():
                    # half a line, where a full disk cut it off, has swallowed the next one
                    with suppress(ValueError):
                        step, amount, detail = json.loads(line)
                        self.listener.advance(step, amount, detail)


def _read_from(file: Path, start: int) -> bytes:
    """What a worker has written since; nothing where the file cannot be read now."""
    with suppress(OSError), file.open("rb") as written:
        written.seek(start)
        return written.read()
    return b""


@contextmanager
def hearing_workers(folder: Path) -> Iterator[None]:
    """Tell whoever listens now what workers write into a folder, while the context is open."""
    heard, done = ReadProgress(folder, progress()), threading.Event()

    def look() -> None:
        while not done.wait(_SECONDS_BETWEEN_LOOKS):
            heard.catch_up()

    looking = threading.Thread(target=look, name="progress of workers", daemon=True)
    with listening(heard):
        looking.start()
        try:
            yield
        finally:
            done.set()
            looking.join()
