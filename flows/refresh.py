"""The flow `refresh`: pull, extend, train, sample, validate, publish."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import Field

from prefect_synth.flows.outcome import Outcome
from prefect_synth.flows.project import ProjectError, load_project
from prefect_synth.flows.refresh_end import judge, publish
from prefect_synth.flows.refresh_outcome import outcome_of
from prefect_synth.flows.refresh_pull import Staged, pull_tables
from prefect_synth.flows.refresh_setup import Setup, open_setup
from prefect_synth.flows.refresh_work import Work
from prefect_synth.tasks.progress import timed_steps
from prefect_synth.tasks.snapshots.errors import SandboxError
from prefect_synth.tasks.steps import private_errors

Reason = Literal["manual", "nightly"]


def _run_name() -> str:
    """`shop · nightly · 2026-11-21`."""
    arguments = flow_run.parameters
    file = arguments["project"]
    try:
        name = load_project(file).project
    except ProjectError:
        name = Path(file).stem  # the run itself will say what is wrong
    return f"{name} · {arguments['reason']} · {flow_run.scheduled_start_time:%Y-%m-%d}"


@flow(name="refresh", flow_run_name=_run_name, persist_result=False)
def refresh(
    project: Annotated[str, Field(description="The project file, or its folder.")] = "synth.yaml",
    reason: Annotated[Reason, Field(description="Why this run was started.")] = "manual",
) -> State[Outcome]:
    """
    Publish a synthetic copy of a project's production tables.

    Real rows stay in private staging; parameters, logs and artifacts hold none of them. A run that
    was killed is finished by the next one.

    Args:
        project: The project file, or its folder.
        reason: Why this run was started.
    """
    setup = open_setup(project)
    workers: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(setup.project.run.workers)
    with setup.staging.lock(), workers as runner, timed_steps() as seconds:
        setup.sandbox.check_writable()
        staged = pull_tables(setup, runner)
        with _to_its_end(setup, staged):
            work = Work(setup, runner, staged)
            extensions = work.extend()
            models = work.train(extensions)
            synthetic = work.sample(extensions, models)
            judged = judge(work, extensions, synthetic)
            passed = judged.judgement.verdict.passed
            outcome = outcome_of(judged, publish(judged, models) if passed else None, seconds)
            staged.run.update(outcome="published" if passed else "rejected")
        if not passed:
            return Failed(name="Rejected", message=outcome.message, data=outcome)
        return Completed(name="Published", message=outcome.message, data=outcome)


@contextmanager
def _to_its_end(setup: Setup, staged: Staged) -> Iterator[None]:
    """Delete staged rows by policy, however the run ends.

    A run that was killed, or that could not reach the sandbox, is finished by the next one; any
    other failure would only come again with the same rows.
    """
    try:
        with private_errors(staged.run.folder / "errors"):
            yield
    except SandboxError:
        raise
    except Exception:
        staged.run.update(outcome="failed")
        raise
    finally:
        setup.staging.clean(setup.project.staging.keep_runs)
