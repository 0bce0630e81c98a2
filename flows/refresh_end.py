"""The end of a refresh: judge, then publish or refuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from prefect.tasks import exponential_backoff

from prefect_synth.expectations.gate import Judgement
from prefect_synth.flows.afterwards import NEXT_TIME, retain, tried
from prefect_synth.flows.judged import Judged, Ready
from prefect_synth.flows.refresh_artifacts import leave_artifacts
from prefect_synth.flows.refresh_comparison import compare
from prefect_synth.flows.refresh_judge import judge_each
from prefect_synth.flows.refresh_log import (
    log_judged,
    log_published,
    log_refused,
)
from prefect_synth.flows.refresh_setup import Setup
from prefect_synth.flows.refresh_work import Work
from prefect_synth.tasks.artifacts import announce_place, link_report
from prefect_synth.tasks.comparison import Comparison
from prefect_synth.tasks.progress import step
from prefect_synth.tasks.publish import publish_snapshot
from prefect_synth.tasks.references import ExtensionsRef, ModelRef, TableRef, fingerprint
from prefect_synth.tasks.snapshots.errors import UnjudgedRowsError
from prefect_synth.tasks.snapshots.records import SnapshotRef
from prefect_synth.tasks.telling import events_in_the_log, tell_of_project
from prefect_synth.tasks.validate import (
    Reports,
    judge_tables,
    report_judgement,
)

_END = "The snapshot is published"


def judge(
    work: Work,
    extensions: ExtensionsRef,
    synthetic: Mapping[str, TableRef],
    models: Sequence[ModelRef],
    balanced: Mapping[str, TableRef],
) -> Judged:
    """Judge every table, then all together, and write it down.

    Args:
        work: The refresh.
        extensions: Where the rows trained on are counted.
        synthetic: The synthetic tables.
        models: The trained parts, which know the rules in force.
        balanced: The balanced tables.
    """
    comparison = compare(work, extensions, synthetic, models, balanced)
    with step("validate", len(synthetic) + 1):
        judge_each(work, comparison)
        judgement = work.do(judge_tables, comparison=comparison)
    judged = Judged(work, comparison, judgement, _write_down(work, comparison, judgement))
    log_judged(judged.verdict)
    return judged


def publish(work: Work, ready: Ready) -> SnapshotRef:
    """Make the snapshot visible; what is killed from then on is ended by the next refresh.

    Args:
        work: The refresh.
        ready: What passed every gate.
    """
    project = work.setup.project
    patient = publish_snapshot.with_options(
        retries=project.run.retries, retry_delay_seconds=exponential_backoff(2)
    )
    with step("publish", len(ready.tables)), _over_if_unjudged(work):
        snapshot = work.do(
            patient,
            run_id=work.staged.run.state.run_id,
            tables=ready.tables,
            manifest=ready.manifest,
            report=ready.report,
            judged=ready.files,
            sandbox=work.setup.sandbox,
        )
    log_published(snapshot, len(ready.tables))
    return snapshot


@contextmanager
def _over_if_unjudged(work: Work) -> Iterator[None]:
    """Have the next run begin anew where files are not those that were judged."""
    try:
        yield
    except UnjudgedRowsError:
        work.staged.run.update(outcome="failed")
        raise


def follow_up(work: Work, ready: Ready, snapshot: SnapshotRef) -> tuple[str, ...]:
    """Say that the snapshot is there, and let the oldest ones go.

    Args:
        work: The refresh.
        ready: What was published.
        snapshot: Where it is.

    Returns:
        A sentence for each of these that failed; the snapshot is visible all the same.
    """
    project = work.setup.project
    troubles: list[str] = []
    with _tried("what moved until the next one cannot be told", NEXT_TIME, troubles):
        work.setup.staging.remember(work.staged.run)
    with _tried("the artifacts that name its place were not made", NEXT_TIME, troubles):
        announce_place(project.project, snapshot)
        link_report(project.project, snapshot, project.sandbox)
    with _tried(
        "the event 'snapshot.published' was not sent", "Start by hand what waits for it.", troubles
    ):
        _tell_published(project.project, snapshot, sorted(ready.tables))
    work.staged.run.update(outcome="published")  # not before the event is with Prefect
    retain(work.setup, work.runners, _END, troubles)
    return tuple(troubles)


@contextmanager
def _tried(what: str, cure: str, troubles: list[str]) -> Iterator[None]:
    """Note and log a failure that takes nothing from a published snapshot."""
    with tried(_END, what, cure, troubles):
        yield


def tell_of_earlier(setup: Setup, run_id: str) -> None:
    """Send the event of a snapshot whose run was cut off before it could; twice does no harm.

    Args:
        setup: The project and its places.
        run_id: The run.
    """
    latest = setup.sandbox.latest()
    if latest is None or latest.run_id != run_id:
        return  # of a newer one was told
    with _tried(
        "the event 'snapshot.published' was not sent", "Start by hand what waits for it.", []
    ):
        tables = setup.sandbox.show(latest.snapshot_id)["tables"]
        _tell_published(setup.project.project, latest, sorted(tables))


def _write_down(work: Work, comparison: Comparison, judgement: Judgement) -> Reports:
    state, project = work.staged.run.state, work.setup.project
    leave_artifacts(work, comparison, judgement)
    return work.do(
        report_judgement,
        reports=Reports(private=work.staged.run.report, public=work.staged.run.public_report),
        project=project.project,
        run_id=state.run_id,
        created=state.started,
        seed=project.run.seed,
        comparison=comparison,
        judgement=judgement,
        fingerprints=_fingerprints(work, comparison),
    )


def _fingerprints(work: Work, comparison: Comparison) -> dict[str, str]:
    """What the snapshot was made from; nothing of the rows alone: few of them could be guessed."""
    models = sorted(model.fingerprint for model in comparison.models)
    return {
        "models": fingerprint(models),
        **({"models trained by": work.reused.run_id} if work.reused else {}),
        "schema": fingerprint(work.staged.metadata.to_dict()),
        "gates": fingerprint(comparison.gates.model_dump(mode="json")),
    }


def refuse(judged: Judged) -> Path:
    """Keep what was refused for inspection, and say so; what readers see stays as it is.

    Returns:
        The folder of the refused tables and their report, in private staging.
    """
    work = judged.work
    folder = work.setup.staging.quarantine(work.staged.run)
    with events_in_the_log():
        tell_of_project(
            "snapshot.rejected",
            work.setup.project.project,
            {
                "run_id": work.staged.run.state.run_id,
                "failures": [str(check) for check in judged.verdict.failures[:_MOST_TOLD]],
            },
        )
    work.staged.run.update(outcome="rejected")
    log_refused(judged.comparison.last, folder, work.setup.file)
    return folder


_MOST_TOLD = 20


def _tell_published(project: str, snapshot: SnapshotRef, tables: Sequence[str]) -> None:
    tell_of_project(
        "snapshot.published",
        project,
        {
            "snapshot_id": snapshot.snapshot_id,
            "run_id": snapshot.run_id,
            "url": snapshot.url,
            "tables": list(tables),
        },
    )
