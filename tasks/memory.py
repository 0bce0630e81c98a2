"""How much memory each step of a refresh takes, as far as this process does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock, Thread

from prefect_synth.tasks.progress import Silence, also_listening

_PAUSE = 0.05
_STATM = Path("/proc/self/statm")
_MB = 1 << 20


class PeakMemory(Silence):
    """The largest memory of this process while each step went on, in megabytes by its name.

    Steps that run on other machines, or in other processes, take theirs there.
    """

    def __init__(self) -> None:
        self.before = resident_mb() or 0.0
        self.peaks: dict[str, float] = {}
        self._step: str | None = None
        self._lock = Lock()

    def begin(self, step: str, total: int | None) -> None:
        """From now on it is this step's."""
        with self._lock:
            self._step = step
        self.look()

    def end(self, step: str) -> None:
        """It was this step's until now."""
        self.look()
        with self._lock:
            self._step = None

    def look(self) -> None:
        """Note how much it is now."""
        now = resident_mb()
        with self._lock:
            if self._step is not None and now is not None:
                self.peaks[self._step] = max(now, self.peaks.get(self._step, 0.0))


@contextmanager
def peak_memory() -> Iterator[PeakMemory]:
    """Watch the memory of the steps in this context."""
    watched, over = PeakMemory(), Event()

    def watch() -> None:
        while not over.wait(_PAUSE):
            watched.look()

    watcher = Thread(target=watch, name="peak-memory", daemon=True)
    watcher.start()
    try:
        with also_listening(watched):
            yield watched
    finally:
        over.set()
        watcher.join()


def resident_mb() -> float | None:
    """Memory of this process that is in use now; None where the system does not tell."""
    try:
        pages = int(_STATM.read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / _MB
