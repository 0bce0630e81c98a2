"""A run that goes from step to step through private staging, each step in any process."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from prefect_synth.flows.judged import Ready
from prefect_synth.flows.outcome import Outcome
from prefect_synth.flows.plain import plain_runners
from prefect_synth.flows.refresh_pull import Staged, staged_tables
from prefect_synth.flows.refresh_setup import Setup, open_setup
from prefect_synth.flows.refresh_work import Work
from prefect_synth.flows.runners import Runners
from prefect_synth.tasks.folders import write_atomically
from prefect_synth.tasks.progress import timed_steps
from prefect_synth.tasks.references import ExtensionsRef, ModelRef, TableRef, fingerprint
from prefect_synth.tasks.staged_run import StagedRun
from prefect_synth.tasks.steps import guard, private_errors

M = TypeVar("M", bound=BaseModel)


class RunOverError(RuntimeError):
    """A step belongs to a run that cannot go on."""


class Kept(BaseModel):
    """What a step leaves for the next ones, in private staging."""

    model_config = ConfigDict(frozen=True)


class Pulled(Kept):
    """What `pull` leaves beside the staged tables.

    Args:
        project: Fingerprint of what the project file said.
    """

    project: str


class Trained(Kept):
    """What `train` leaves.

    Args:
        extensions: What parent rows know of their children.
        models: The trained parts.
        refused: Whether they were trained after a gate had refused what reused ones drew.
    """

    extensions: ExtensionsRef
    models: list[ModelRef]
    refused: bool = False


class Drawn(Kept):
    """What `sample` leaves.

    Args:
        synthetic: The synthetic tables.
        balanced: The balanced tables.
        key: Fingerprint of all that they were drawn from.
    """

    synthetic: dict[str, TableRef]
    balanced: dict[str, TableRef]
    key: str


class Passed(Kept):
    """What `validate` leaves of a snapshot that passed.

    Args:
        ready: All that publishing needs.
        outcome: What the refresh came to so far.
    """

    ready: Ready
    outcome: Outcome


@dataclass(frozen=True)
class Going:
    """A step that is going.

    Args:
        project: The project's name.
        runners: Call the tasks.
        seconds: Time of each part, once it is done.
    """

    project: str
    runners: Runners
    seconds: dict[str, float]


@contextmanager
def holding(setup: Setup) -> Iterator[Going]:
    """Hold the project for one step; errors tell neither a secret nor a real value.

    Args:
        setup: The project and its places.
    """
    _speak()
    run, staging = setup.project.run, setup.staging
    with (
        private_errors(staging.errors),
        guard(),
        staging.lock(),
        timed_steps() as seconds,
        plain_runners(run.workers) as runners,
    ):
        yield Going(setup.project.project, runners, seconds)


@contextmanager
def working(
    project: str, run_id: str, reuse_models: bool, over: str | None = None
) -> Iterator[tuple[Work, Going]]:
    """Go on with a run.

    Args:
        project: The project file, or its folder.
        run_id: The run.
        reuse_models: Draw with the models of the last published snapshot, where that can be.
        over: The outcome with which the step may be called again.

    Raises:
        RunOverError: The run cannot go on.
    """
    setup = open_setup(project)
    with holding(setup) as going, guard():
        staged = _staged(setup, run_id, over)
        with private_errors(staged.run.errors), guard():
            yield Work(setup.about(staged.metadata), going.runners, staged, reuse_models), going


def _staged(setup: Setup, run_id: str, over: str | None) -> Staged:
    """What `pull` staged, unless the run is over or the project file says something else now."""
    run = setup.staging.run(run_id)
    state = run.state
    again = "Start again from `pull`."
    if state.finished and state.outcome != over:
        raise RunOverError(f"Run '{run_id}' is over: {state.outcome}. {again}")
    if not state.pulled:
        raise RunOverError(f"Run '{run_id}' has no staged tables. {again}")
    if read(run, "pull", Pulled).project != said(setup):
        raise RunOverError(
            f"'{setup.file}' has changed since run '{run_id}' pulled its tables. {again}"
        )
    return staged_tables(run, resumed=False)


def said(setup: Setup) -> str:
    """Fingerprint of all in the project file that a row or a verdict may depend on."""
    return fingerprint(setup.project.model_dump(mode="json", exclude={"feeds"}))


def keep(run: StagedRun, step: str, made: Kept) -> None:
    """Leave what a step came to for the next ones.

    Args:
        run: The run.
        step: The step's name.
        made: What it came to.
    """
    write_atomically(run.step(step), made.model_dump_json())


def read(run: StagedRun, step: str, kind: type[M]) -> M:
    """Read what a step has left.

    Args:
        run: The run.
        step: The step's name.
        kind: What it leaves.

    Raises:
        RunOverError: The step was not done.
    """
    try:
        return kind.model_validate_json(run.step(step).read_bytes())
    except FileNotFoundError:
        raise RunOverError(
            f"Run '{run.folder.name}' has not done the step '{step}', which must come first."
        ) from None


def told(going: Going, run_id: str, rows: dict[str, int]) -> dict[str, Any]:
    """What a step came to: small, without a real value, for logs and for the next step.

    Args:
        going: The step.
        run_id: The run.
        rows: Rows of each table.
    """
    seconds = round(sum(going.seconds.values()), 2)
    return {
        "project": going.project,
        "run_id": run_id,
        "tables": len(rows),
        "rows": sum(rows.values()),
        "seconds": seconds,
    }


def _speak() -> None:
    """Log to the standard error output where nobody has said otherwise."""
    log = logging.getLogger("prefect_synth")
    if not log.isEnabledFor(logging.INFO):
        log.setLevel(logging.INFO)
    if not log.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(handler)
        log.propagate = False
