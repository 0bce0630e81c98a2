"""Progress bars on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from prefect_synth.tasks.progress import listening


class ProgressBars:
    """One bar for each step of a refresh; steps may report from many threads.

    Args:
        console: Where the bars are drawn.
    """

    def __init__(self, console: Console) -> None:
        self._lock = Lock()
        self._bars: dict[str, TaskID] = {}
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description:<9}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[detail]}"),
            console=console,
        )

    def begin(self, step: str, total: int | None) -> None:
        """Draw a bar."""
        with self._lock:
            self._bars[step] = self._progress.add_task(step, total=total, detail="")

    def advance(self, step: str, amount: int, detail: str = "") -> None:
        """Move a bar on."""
        with self._lock:
            if step in self._bars:
                self._progress.update(self._bars[step], advance=amount, detail=detail)

    def end(self, step: str) -> None:
        """Fill a bar; what was not known before is what was counted."""
        with self._lock:
            if step in self._bars:
                task = self._bars.pop(step)
                bar = self._progress.tasks[task]
                all_of_it = bar.total or bar.completed or 1
                reused = "" if bar.completed or not bar.total else "reused"
                self._progress.update(task, total=all_of_it, completed=all_of_it, detail=reused)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()


@contextmanager
def showing_progress(console: Console) -> Iterator[None]:
    """Show bars while the context is open, if the console is a terminal."""
    if not console.is_terminal:
        yield
        return
    with ProgressBars(console) as bars, listening(bars):
        yield
