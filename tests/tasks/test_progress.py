"""Progress and times of steps, and what workers write of them."""

from __future__ import annotations

import time
from pathlib import Path

from prefect_synth.tasks.progress import Silence, step, timed_steps
from prefect_synth.tasks.progress_file import ReadProgress, WrittenProgress


class Heard(Silence):
    """Counts how far a step is."""

    done = 0

    def advance(self, step: str, amount: int, detail: str = "") -> None:
        """Count."""
        self.done += amount


def test_a_step_that_is_done_twice_took_both_times() -> None:
    """A run that trains anew after a refusal counts what it trained before."""
    with timed_steps() as seconds:
        for _ in range(2):
            with step("train"):
                time.sleep(0.05)
    assert seconds["train"] >= 0.1


def test_a_worker_that_cannot_write_goes_on(tmp_path: Path) -> None:
    """The picture of a task is worth less than the task: its folder may be gone, or full."""
    WrittenProgress(tmp_path / "gone").advance("train", 1)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    """Half a line that a full disk cut off spoils one line, and not those that follow."""
    (tmp_path / "away.progress").symlink_to(tmp_path / "nowhere")
    (tmp_path / "a.progress").write_text('["train", 1["train", 1, ""]\n["train", 2, ""]\n')
    read = ReadProgress(tmp_path, heard := Heard())
    read.catch_up()
    assert heard.done == 2
