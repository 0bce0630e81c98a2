"""What a refresh says in its log: a line for each step, for a person on call; counts, no data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prefect.futures import PrefectFuture

from prefect_synth.expectations.scorecard import counted
from prefect_synth.expectations.verdict import Check, Verdict
from prefect_synth.flows.failures import explain, is_ours
from prefect_synth.flows.refresh_pull import Staged
from prefect_synth.tasks.progress import took
from prefect_synth.tasks.published import PublishedSnapshots
from prefect_synth.tasks.references import ExtendedRef, ModelRef, SampleRef, TableRef
from prefect_synth.tasks.snapshots.records import SnapshotRef
from prefect_synth.tasks.telling import run_log

_CACHED = "Cached"
_MOST_TOLD = 20


def size(rows: Iterable[int]) -> str:
    """`8 tables, 191,168 rows`."""
    of_each = list(rows)
    return f"{counted(len(of_each), 'table')}, {counted(sum(of_each), 'row')}"


def log_pulled(staged: Staged) -> None:
    """Say what was pulled, or that an interrupted run had done so, and what is held out."""
    held_out = sum(ref.rows for ref in staged.held_out)
    unseen = f" {counted(held_out, 'row')} are held out, which no model sees." if held_out else ""
    how = (
        f"Went on with what the interrupted run {staged.run.state.run_id} had pulled: "
        f"{size(staged.rows.values())}."
        if staged.resumed
        else f"Pulled {size(staged.rows.values())}{took('pull')}."
    )
    run_log().info(how + unseen)


def log_extended(futures: Sequence[PrefectFuture[ExtendedRef]]) -> None:
    """Say how many tables were looked through for what rows know of their children."""
    run_log().info(_made("Extended", futures, "extend"))


def log_trained(futures: Sequence[PrefectFuture[ModelRef]]) -> None:
    """Say how many tables were trained, and how many needed no training."""
    run_log().info(_made("Trained", futures, "train"))


def _made(verb: str, futures: Sequence[PrefectFuture[Any]], step: str) -> str:
    """`Trained 2 tables in 1.4 s. 6 of 8 are known from before, unchanged.`"""
    known = sum(future.state.name == _CACHED for future in futures)
    made = len(futures) - known
    from_before = f" {known} of {len(futures)} are known from before, unchanged." if known else ""
    return (f"{verb} {counted(made, 'table')}{took(step)}." if made else f"{verb} no table.") + (
        from_before
    )


def log_planned(plan: SampleRef) -> None:
    """Say what will be drawn."""
    shards = counted(len(plan.shards), "shard")
    run_log().info(f"Going to draw {size(plan.rows.values())}, in {shards}.")


def log_sampled(synthetic: Mapping[str, TableRef]) -> None:
    """Say what was drawn."""
    run_log().info(f"Sampled {size(ref.rows for ref in synthetic.values())}{took('sample')}.")


def log_judged(verdict: Verdict) -> None:
    """Say how many checks passed, and at ERROR each one that did not: table, column, figure.

    Args:
        verdict: The verdict as Prefect may have it.
    """
    log, judged = run_log(), [c for c in verdict.checks if c.status != "warned"]
    notes = f", {counted(len(verdict.warnings), 'note')}" if verdict.warnings else ""
    passed = len(judged) - len(verdict.failures)
    log.info(
        f"Judged{took('validate')}: {passed} of {counted(len(judged), 'check')} passed{notes}."
    )
    for check in verdict.failures[:_MOST_TOLD]:
        log.error(_failure(check))
    if len(verdict.failures) > _MOST_TOLD:
        log.error(f"And {len(verdict.failures) - _MOST_TOLD} more checks, which the report names.")


def _failure(check: Check) -> str:
    """`orders.customer_id: foreign key failed: found 3, required: 0 orphans.`"""
    detail = f" ({check.detail})" if check.detail else ""
    return (
        f"{check.place}: {check.name} {check.status}: found {check.found}, "
        f"required: {check.required}{detail}."
    )


def log_published(snapshot: SnapshotRef, tables: int) -> None:
    """Say what readers see from now on."""
    run_log().info(
        f"Published {counted(tables, 'table')}{took('publish')}, as snapshot "
        f"{snapshot.snapshot_id}: {snapshot.url}"
    )


def log_refused(last: PublishedSnapshots, quarantine: Path, project: Path) -> None:
    """Say what readers see, and what there is to do."""
    seen = (
        f"Readers still see snapshot {last.latest.name}."
        if last.latest
        else "Readers see no snapshot, as before."
    )
    run_log().error(
        f"Nothing was published. {seen} What to do: look at the report and the refused tables in "
        f"'{quarantine}', mend the source, or set other thresholds under `gates` in "
        f"{project.name}; then refresh again."
    )


@contextmanager
def failure_in_plain_words() -> Iterator[None]:
    """Log what ended a run in one sentence; Prefect's own line is buried in a traceback."""
    try:
        yield
    except Exception as error:
        if is_ours(error):
            run_log().error(explain(error))
        raise


def log_deleted(snapshots: Sequence[str]) -> None:
    """Say which snapshots went by `sandbox.retain`."""
    if snapshots:
        names = ", ".join(snapshots)
        run_log().info(f"Deleted {counted(len(snapshots), 'old snapshot')}: {names}.")
