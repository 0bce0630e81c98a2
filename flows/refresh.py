"""The flow `refresh`: pull, extend, train, sample, validate, publish."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Annotated, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed
from pydantic import Field

from prefect_synth.flows.data_drift import refuse_data_drift
from prefect_synth.flows.judged import ready
from prefect_synth.flows.outcome import Outcome
from prefect_synth.flows.refresh_contracts import add_pins, balanced_tables
from prefect_synth.flows.refresh_end import follow_up, judge, publish, refuse, tell_of_earlier
from prefect_synth.flows.refresh_extend import extend_tables
from prefect_synth.flows.refresh_log import failure_in_plain_words, log_pulled
from prefect_synth.flows.refresh_measure import note_what_it_took
from prefect_synth.flows.refresh_outcome import outcome_of
from prefect_synth.flows.refresh_pull import Staged, opened, pull_tables, stage_tables
from prefect_synth.flows.refresh_reuse import wish_of
from prefect_synth.flows.refresh_sample import sample_tables
from prefect_synth.flows.refresh_setup import Setup, open_setup
from prefect_synth.flows.refresh_unchanged import Unchanged, leave_it, look_for_changes
from prefect_synth.flows.refresh_work import Work
from prefect_synth.flows.run_names import run_name
from prefect_synth.flows.runners import Runners, started_runners
from prefect_synth.flows.turns import is_deployed, turn, warehouse_turn
from prefect_synth.flows.user_checks import user_checks
from prefect_synth.tasks.artifacts import draw_schema
from prefect_synth.tasks.decision import Wish
from prefect_synth.tasks.drift.baseline import keep_first_facts
from prefect_synth.tasks.memory import peak_memory
from prefect_synth.tasks.progress import timed_steps
from prefect_synth.tasks.progress_artifacts import showing_progress_in_prefect
from prefect_synth.tasks.snapshots.errors import SandboxError
from prefect_synth.tasks.staged_run import StagedRun
from prefect_synth.tasks.staging import RefreshRunningError
from prefect_synth.tasks.steps import guard, private_errors
from prefect_synth.tasks.telling import run_log, tag_run

Reason = Literal["manual", "nightly", "schema-change", "event"]

_TABLES_IN_A_NAME = 3


def _run_name() -> str:
    """`shop · nightly · 2026-11-21`, or `shop · schema-change · orders · 2026-11-21`."""
    arguments = flow_run.parameters
    return run_name(arguments["reason"], _few(arguments.get("tables") or ()))


def _few(tables: Sequence[str]) -> str:
    """`orders, customers, products and 4 more`."""
    more = len(tables) - _TABLES_IN_A_NAME
    return ", ".join(tables[:_TABLES_IN_A_NAME]) + (f" and {more} more" if more > 0 else "")


@flow(name="refresh", flow_run_name=_run_name, persist_result=False)
def refresh(
    project: Annotated[str, Field(description="The project file, or its folder.")] = "synth.yaml",
    reason: Annotated[Reason, Field(description="Why this run was started.")] = "manual",
    reuse_models: Annotated[
        bool, Field(description="Draw with the models of the last published snapshot.")
    ] = False,
    retrain: Annotated[
        bool, Field(description="Train all that changed, however little it moved.")
    ] = False,
    tables: Annotated[
        list[str] | None,
        Field(description="Tables that the run was started for; fingerprints say what to train."),
    ] = None,
    force: Annotated[
        bool, Field(description="Publish a snapshot even where nothing has changed.")
    ] = False,
) -> State[Outcome]:
    """
    Publish a synthetic copy of a project's production tables.

    Real rows stay in private staging; parameters, logs and artifacts hold none of them. A run that
    was killed is finished by the next one.

    Args:
        project: The project file, or its folder.
        reason: Why this run was started.
        reuse_models: Draw with the models of the last published snapshot, so that its rows stay
            and new ones are appended. Where schema or settings have changed, models are trained.
        retrain: Train every part whose rows, schema or settings changed. Where neither is asked
            for, the project file's `run.retrain` decides.
        tables: Tables that the run was started for, as an event names them. They stand in the
            run's name and log; what is trained again is decided by fingerprints alone.
        force: Publish a snapshot even where rows, schema, settings and checks are those of the
            one that readers see; otherwise such a run ends as `Unchanged`.
    """
    with failure_in_plain_words(), guard():
        if tables:
            run_log().info("Started because of %s, for %s.", reason, ", ".join(tables))
        setup = open_setup(project)
        tag_run(setup.project.project)
        try:
            return _refresh(setup, reason, _Asked(reuse_models, retrain, force))
        except RefreshRunningError as error:
            if not is_deployed():
                raise
            return Cancelled(name="Skipped", message=f"{error} This run was dropped.")


@dataclass(frozen=True)
class _Asked:
    """What was asked of a run: models of the last snapshot, all trained, a snapshot in any case."""

    reuse: bool
    retrain: bool
    force: bool


def _refresh(setup: Setup, reason: Reason, asked: _Asked) -> State[Outcome]:
    workers = started_runners(setup.project.run, setup.staging.root)
    with private_errors(setup.staging.errors), guard(), turn(setup, reason):
        setup.sandbox.check_writable()
        user_checks(setup).read_files()
        with timed_steps() as seconds, ExitStack() as end:
            end.enter_context(showing_progress_in_prefect(setup.project.project, flow_run.id))
            memory = end.enter_context(peak_memory())
            runners = end.enter_context(workers)  # they tell of progress to who listens by now
            wish = wish_of(setup, asked.reuse, asked.retrain)
            staged = stage(setup, runners, end, asked.force, wish)
            if isinstance(staged, Unchanged):
                return leave_it(setup, runners, staged, seconds)
            log_pulled(staged)
            work = Work(setup.about(staged.metadata), runners, staged, asked.reuse, asked.retrain)
            state = _publish_or_refuse(work, seconds)
            note_what_it_took(work, seconds, memory)
            return state


def stage(
    setup: Setup, runners: Runners, end: ExitStack, force: bool, wish: Wish
) -> Staged | Unchanged:
    """Pull, or go on with what an interrupted run has pulled; from here on a run has its end.

    Args:
        setup: The project and its places.
        runners: Run the tasks.
        end: Closes the run.
        force: Whether a snapshot is due even where nothing has changed.
        wish: By what it is decided whether models are trained.
    """
    setup.staging.settle(
        lambda: {info.run_id for info in setup.sandbox.list()},
        lambda run_id: tell_of_earlier(setup, run_id),
    )
    with warehouse_turn(setup), opened(setup) as source:
        run = setup.staging.begin(setup.plan(source.metadata))
        end.enter_context(_to_its_end(setup, run))
        pulled = pull_tables(setup, runners.here, run, source)
    setup = setup.about(source.metadata)
    same = None if pulled.resumed else look_for_changes(setup, source, pulled, force, wish)
    if same:
        keep_first_facts(setup.staging.first_catalogue, source.catalogue)
        return same
    staged = stage_tables(setup, runners.here, source, pulled)
    refuse_data_drift(setup, staged.metadata, staged.whole)
    draw_schema(setup.project.project, staged.metadata, source.drift)
    return staged


def _publish_or_refuse(work: Work, seconds: Mapping[str, float]) -> State[Outcome]:
    extensions = extend_tables(work)
    models = work.train(extensions)
    synthetic = add_pins(work, models, sample_tables(work, extensions, models))
    balanced = balanced_tables(work, models, synthetic)
    judged = judge(work, extensions, synthetic, models, balanced)
    if not judged.judgement.verdict.passed:
        if work.may_train:
            return _publish_or_refuse(work.trained_anew(len(judged.verdict.failures)), seconds)
        outcome = outcome_of(judged, None, seconds, quarantine=refuse(judged))
        return Failed(name="Rejected", message=outcome.message, data=outcome)
    work.remember(extensions, models)
    found = ready(judged, models)
    snapshot = publish(work, found)
    troubles = follow_up(work, found, snapshot)
    outcome = outcome_of(judged, snapshot, seconds, troubles)
    return Completed(name="Published", message=outcome.message, data=outcome)


@contextmanager
def _to_its_end(setup: Setup, run: StagedRun) -> Iterator[None]:
    """Delete staged rows by policy, however the run ends.

    A run that was killed, or that could not reach the sandbox, is finished by the next one; any
    other failure would only come again with the same rows.
    """
    try:
        with private_errors(run.errors), guard():
            yield
    except SandboxError:
        raise
    except Exception:
        if not run.state.finished:
            run.update(outcome="failed")
        raise
    finally:
        clean(setup)


def clean(setup: Setup) -> None:
    """Delete by policy; a folder that resists takes nothing from what the run came to.

    Args:
        setup: The project and its places.
    """
    try:
        setup.staging.clean(setup.project.staging.keep_runs)
    except OSError as error:
        run_log().warning(
            f"Real rows of older runs could not be deleted from private staging: {error}. Delete "
            f"them by hand: {setup.staging.root / 'runs'}."
        )
