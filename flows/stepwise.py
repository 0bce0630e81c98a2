"""The steps of a refresh, one call each, for other orchestrators than Prefect, such as Airflow.

`pull`, `train`, `sample`, `validate` and `publish` do what the flow `refresh` does, by the same
functions, and may each run in a process of its own on one machine, or on several that share the
folder of private staging. From step to step goes the name of the run; all else stays in staging.
No Prefect server is needed. A step that is called again goes on where it was.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from prefect_synth.flows.failures import CONNECTION, exit_code_of, explain
from prefect_synth.flows.judged import Judged, ready
from prefect_synth.flows.refresh import clean, stage
from prefect_synth.flows.refresh_contracts import add_pins, balanced_tables
from prefect_synth.flows.refresh_end import follow_up, judge, refuse
from prefect_synth.flows.refresh_end import publish as publish_ready
from prefect_synth.flows.refresh_extend import extend_tables
from prefect_synth.flows.refresh_outcome import outcome_of
from prefect_synth.flows.refresh_sample import drawn_by, sample_tables
from prefect_synth.flows.refresh_setup import open_setup
from prefect_synth.flows.refresh_unchanged import Unchanged, leave_it
from prefect_synth.flows.refresh_work import Work
from prefect_synth.flows.stepwise_run import (
    Drawn,
    Passed,
    Pulled,
    Trained,
    holding,
    keep,
    read,
    said,
    told,
    working,
)
from prefect_synth.flows.user_checks import user_checks
from prefect_synth.tasks.staging import RefreshRunningError


class SnapshotRefusedError(RuntimeError):
    """A gate refused the snapshot; the message says which check failed, on which table."""


@contextmanager
def worth_a_retry() -> Iterator[None]:
    """End the process where the same step may do better later; any other error is raised.

    That is so where a connection was lost or refused, and while another refresh is going. The
    sentence goes to the standard error output, and the exit code is 3.

    Raises:
        SystemExit: The step is worth a retry.
    """
    try:
        yield
    except Exception as error:
        if not isinstance(error, RefreshRunningError) and exit_code_of(error) != CONNECTION:
            raise
        print(explain(error), file=sys.stderr)
        raise SystemExit(CONNECTION) from None


def pull(project: str, force: bool = False) -> dict[str, Any]:
    """Stage every table, from one state of the warehouse.

    Args:
        project: The project file, or its folder.
        force: Whether a snapshot is due even where nothing has changed.

    Returns:
        `run_id`, which the other steps are called with; tables, rows and seconds; and `unchanged`,
        where the snapshot would be the one that readers see: then the run is over.

    Raises:
        ProjectError: Something is wrong in the project file.
        WarehouseError: The subclass says what is wrong with the warehouse.
        SandboxError: The sandbox cannot be written.
    """
    setup = open_setup(project)
    with holding(setup) as going, ExitStack() as end:
        setup.sandbox.check_writable()
        user_checks(setup).read_files()
        staged = stage(setup, going.runners, end, force, setup.project.run.retrain)
        if isinstance(staged, Unchanged):
            leave_it(setup, going.runners, staged, going.seconds)
            run, rows = staged.pulled.run, {ref.table: ref.rows for ref in staged.pulled.tables}
        else:
            run, rows = staged.run, staged.rows
            keep(run, "pull", Pulled(project=said(setup)))
    return {
        **told(going, run.state.run_id, rows),
        "unchanged": isinstance(staged, Unchanged),
    }


def train(project: str, run_id: str, reuse_models: bool = False) -> dict[str, Any]:
    """Train every table's part of the model, as far as it has changed.

    Args:
        project: The project file, or its folder.
        run_id: What `pull` gave.
        reuse_models: Draw with the models of the last published snapshot, where that can be.
    """
    with working(project, run_id, reuse_models) as (work, going):
        trained = _train(work)
    return told(going, run_id, trained.extensions.rows)


def _train(work: Work) -> Trained:
    extensions = extend_tables(work)
    models = work.train(extensions)
    trained = Trained(extensions=extensions, models=models, refused=work.decision.refused)
    keep(work.staged.run, "train", trained)
    return trained


def _trained(work: Work) -> Trained:
    """What `train` left, or what `validate` was about to train when it was killed."""
    trained = read(work.staged.run, "train", Trained)
    return trained if trained.refused == work.decision.refused else _train(work)


def sample(project: str, run_id: str, reuse_models: bool = False) -> dict[str, Any]:
    """Draw the synthetic tables, pinned rows and balanced tables among them.

    Args:
        project: The project file, or its folder.
        run_id: What `pull` gave.
        reuse_models: What `train` was given.
    """
    with working(project, run_id, reuse_models) as (work, going):
        drawn = _sample(work, _trained(work))
    rows = {name: ref.rows for name, ref in {**drawn.synthetic, **drawn.balanced}.items()}
    return told(going, run_id, rows)


def _sample(work: Work, trained: Trained) -> Drawn:
    sampled = sample_tables(work, trained.extensions, trained.models)
    synthetic = add_pins(work, trained.models, sampled)
    balanced = balanced_tables(work, trained.models, synthetic)
    key = drawn_by(work, trained.models)
    drawn = Drawn(synthetic=synthetic, balanced=balanced, key=key)
    keep(work.staged.run, "sample", drawn)
    return drawn


def _drawn(work: Work, trained: Trained) -> Drawn:
    """What `sample` left, unless other models have taken the place of those that drew it."""
    drawn = read(work.staged.run, "sample", Drawn)
    return drawn if drawn.key == drawn_by(work, trained.models) else _sample(work, trained)


def validate(project: str, run_id: str, reuse_models: bool = False) -> dict[str, Any]:
    """Judge the synthetic tables by every gate.

    What reused models drew and a gate refuses is trained and drawn anew here, and judged again.

    Args:
        project: The project file, or its folder.
        run_id: What `pull` gave.
        reuse_models: What `train` was given.

    Returns:
        As the other steps, and the scores.

    Raises:
        SnapshotRefusedError: A gate failed; what readers see has not changed.
    """
    with working(project, run_id, reuse_models) as (work, going):
        trained = _trained(work)
        judged = _judge(work, trained, _drawn(work, trained))
        if not judged.judgement.verdict.passed and work.may_train:
            work = work.trained_anew(len(judged.verdict.failures))
            trained = _train(work)
            judged = _judge(work, trained, _sample(work, trained))
        if not judged.judgement.verdict.passed:
            outcome = outcome_of(judged, None, going.seconds, quarantine=refuse(judged))
            clean(work.setup)
            raise SnapshotRefusedError(
                f"Snapshot {run_id} was refused: {outcome.message}. "
                f"The report is in private staging: {outcome.report}."
            )
        outcome = outcome_of(judged, None, going.seconds)
        passed = Passed(ready=ready(judged, trained.models), outcome=outcome)
        keep(work.staged.run, "validate", passed)
    rows = {name: table.synthetic for name, table in outcome.tables.items()} | outcome.balanced
    return {**told(going, run_id, rows), "scores": outcome.scores}


def _judge(work: Work, trained: Trained, drawn: Drawn) -> Judged:
    return judge(work, trained.extensions, drawn.synthetic, trained.models, drawn.balanced)


def publish(project: str, run_id: str, reuse_models: bool = False) -> dict[str, Any]:
    """Make the snapshot visible, whole or not at all.

    Args:
        project: The project file, or its folder.
        run_id: What `pull` gave.
        reuse_models: What `train` was given.

    Returns:
        As the other steps, and the snapshot's id, url, generation and the rows of each table; and
        a sentence for each thing that failed after it was visible.
    """
    with working(project, run_id, reuse_models, "published") as (work, going):
        passed = read(work.staged.run, "validate", Passed)
        trained = read(work.staged.run, "train", Trained)
        if not work.staged.run.state.finished:
            work.remember(trained.extensions, trained.models)
        snapshot = publish_ready(work, passed.ready)  # a second time it finds the first one's
        troubles = follow_up(work, passed.ready, snapshot)
        clean(work.setup)
    outcome = passed.outcome
    rows = {name: table.synthetic for name, table in outcome.tables.items()} | outcome.balanced
    return {
        **told(going, run_id, rows),
        "snapshot_id": snapshot.snapshot_id,
        "url": snapshot.url,
        "generation": snapshot.generation,
        "rows_by_table": rows,
        "troubles": list(troubles),
    }
