"""Progress in Prefect's interface, against a real Prefect server."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterType,
)
from prefect.runtime import flow_run

from prefect_synth.tasks.progress import also_listening, progress, step
from prefect_synth.tasks.progress_artifacts import ProgressArtifacts

PATIENCE = 0.1
NEVER = 3600.0


def seen(run: str) -> list[Any]:
    """The progress artifacts of a run, and of no other: Prefect answers with 200 at most."""
    sought = ArtifactFilter(
        flow_run_id=ArtifactFilterFlowRunId(any_=[UUID(run)]),
        type=ArtifactFilterType(any_=["progress"]),
    )
    with get_client(sync_client=True) as client:
        return client.read_artifacts(artifact_filter=sought)


@pytest.fixture
def shown(prefect_url: str) -> Callable[..., list[Any]]:
    """The progress artifacts of a flow that does something, which may look for them too."""

    def artifacts(
        work: Callable[[Callable[[], list[Any]]], None],
        project: str,
        kind: type[ProgressArtifacts] = ProgressArtifacts,
        patience: float = PATIENCE,
    ) -> list[Any]:
        @flow(name="progress")
        def something() -> str:
            run = str(flow_run.id)
            shower = kind(project, UUID(run), patience)
            shower.start()
            with also_listening(shower):
                work(lambda: seen(run))
            shower.stop()
            return run

        return seen(something())

    return artifacts


def test_a_long_step_is_one_artifact_and_full_at_the_end(shown: Any, wait: Any) -> None:
    """However often it advances, there is one artifact for a step; it ends at 100 %."""

    def work(look: Callable[[], list[Any]]) -> None:
        with step("train", 3):
            for done, table in enumerate(("customers", "orders", "products")):
                progress().advance("train", 0, table)
                at = f"train: {done} of 3, at {table}"
                wait(lambda at=at: [a for a in look() if a.description == at])
                progress().advance("train", 1, table)

    [artifact] = shown(work, "long")
    assert (artifact.key, artifact.data) == ("long-progress-train", 100.0)
    assert artifact.description.startswith("train: done in ")


def test_what_is_going_on_is_told_on_the_way(shown: Any, wait: Any) -> None:
    """While a step goes on, the artifact says how far it is and at which table."""
    halfway: list[Any] = []

    def work(look: Callable[[], list[Any]]) -> None:
        with step("pull", 200):
            progress().advance("pull", 50, "orders")
            halfway.extend(wait(look))

    shown(work, "halfway")
    assert [(a.data, a.description) for a in halfway] == [(25.0, "pull: 50 of 200, at orders")]


def test_a_long_step_that_nobody_looked_at_is_shown_as_done(prefect_url: str) -> None:
    """A thread that was late, as on a busy machine, still shows what took its time."""

    @flow(name="progress")
    def late() -> str:
        shower = ProgressArtifacts("late", UUID(str(flow_run.id)), PATIENCE)
        begun = perf_counter()
        shower.begin("train", 1)
        while perf_counter() - begun < 2 * PATIENCE:
            pass
        shower.end("train")
        shower.start()
        shower.stop()
        return str(flow_run.id)

    assert [a.data for a in seen(late())] == [100.0]


def test_a_quick_step_leaves_nothing(shown: Any) -> None:
    """Nobody is bothered with a step that is over at once."""

    def work(look: Callable[[], list[Any]]) -> None:
        with step("sample", 1):
            progress().advance("sample", 1, "orders")

    assert shown(work, "quick", patience=NEVER) == []


def test_a_run_outlives_the_picture_of_it(
    shown: Any, wait: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Where Prefect cannot be told, the log says so, the step goes on and its end is reached."""
    done: list[str] = []

    def work(look: Callable[[], list[Any]]) -> None:
        with step("train", 1):
            wait(lambda: "Progress could not be shown" in caplog.text)
            done.append("orders")

    # a key that the API refuses
    assert shown(work, "Not A Key") == []
    assert done == ["orders"]


def test_a_step_that_is_done_again_is_shown_again(shown: Any, wait: Any) -> None:
    """A run that trains anew after a refusal shows both times as done."""

    def work(look: Callable[[], list[Any]]) -> None:
        for time in (1, 2):
            with step("train", 1):
                wait(lambda time=time: len(look()) == time)

    assert [a.data for a in shown(work, "again")] == [100.0, 100.0]


def test_what_could_not_be_told_is_told_later(shown: Any, wait: Any) -> None:
    """A call that fails takes nothing from the rounds that follow."""

    class Once(ProgressArtifacts):
        refused = 0

        def _tell(self, *told: Any) -> None:
            if not self.refused:
                self.refused += 1
                raise OSError("the server is away")
            super()._tell(*told)

    def work(look: Callable[[], list[Any]]) -> None:
        with step("train", 1):
            wait(look)

    [artifact] = shown(work, "later", Once)
    assert artifact.data == 100.0
