"""Progress in Prefect's interface, against a real Prefect server."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

from prefect_synth.tasks.progress import also_listening, progress, step
from prefect_synth.tasks.progress_artifacts import ProgressArtifacts

PATIENCE = 0.3


@pytest.fixture
def shown(prefect_url: str) -> Callable[[Callable[[], None], str], list[Any]]:
    """The progress artifacts of a flow that does something."""

    def artifacts(
        work: Callable[[], None], project: str, kind: type[ProgressArtifacts] = ProgressArtifacts
    ) -> list[Any]:
        @flow(name="progress")
        def something() -> str:
            shower = kind(project, UUID(str(flow_run.id)), PATIENCE)
            shower.start()
            with also_listening(shower):
                work()
            shower.stop()
            return str(flow_run.id)

        run = something()
        with get_client(sync_client=True) as client:
            found = client.read_artifacts()
        return [a for a in found if a.type == "progress" and str(a.flow_run_id) == run]

    return artifacts


def test_a_long_step_is_one_artifact_and_full_at_the_end(shown: Any) -> None:
    """However often it advances, there is one artifact for a step; it ends at 100 %."""

    def work() -> None:
        with step("train", 3):
            for table in ("customers", "orders", "products"):
                progress().advance("train", 0, table)
                time.sleep(0.5)
                progress().advance("train", 1, table)

    [artifact] = shown(work, "long")
    assert (artifact.key, artifact.data) == ("long-progress-train", 100.0)
    assert artifact.description.startswith("train: done in 1.")


def test_what_is_going_on_is_told_on_the_way(shown: Any) -> None:
    """While a step goes on, the artifact says how far it is and at which table."""
    seen: list[Any] = []

    def work() -> None:
        with step("pull", 200):
            progress().advance("pull", 50, "orders")
            time.sleep(1.5)
            with get_client(sync_client=True) as client:
                seen.extend(a for a in client.read_artifacts() if a.key == "halfway-progress-pull")

    shown(work, "halfway")
    assert [(a.data, a.description) for a in seen] == [(25.0, "pull: 50 of 200, at orders")]


def test_a_quick_step_leaves_nothing(shown: Any) -> None:
    """Nobody is bothered with a step that is over at once."""

    def work() -> None:
        with step("sample", 1):
            progress().advance("sample", 1, "orders")

    assert shown(work, "quick") == []


def test_a_run_outlives_the_picture_of_it(shown: Any) -> None:
    """Where Prefect cannot be told, the step goes on and its end is reached."""
    done: list[str] = []

    def work() -> None:
        with step("train", 1):
            time.sleep(2 * PATIENCE)
            done.append("orders")

    # a key that the API refuses
    assert shown(work, "Not A Key") == []
    assert done == ["orders"]


def test_a_step_that_is_done_again_is_shown_again(shown: Any) -> None:
    """A run that trains anew after a refusal shows both times as done."""

    def work() -> None:
        for _ in range(2):
            with step("train", 1):
                time.sleep(4 * PATIENCE)  # a busy machine is late

    assert [a.data for a in shown(work, "again")] == [100.0, 100.0]


def test_what_could_not_be_told_is_told_later(shown: Any) -> None:
    """A call that fails takes nothing from the rounds that follow."""

    class Once(ProgressArtifacts):
        refused = 0

        def _tell(self, *told: Any) -> None:
            if not self.refused:
                self.refused += 1
                raise OSError("the server is away")
            super()._tell(*told)

    def work() -> None:
        with step("train", 1):
            time.sleep(6 * PATIENCE)

    [artifact] = shown(work, "later", Once)
    assert artifact.data == 100.0
