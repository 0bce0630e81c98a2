"""Whether a refresh draws with the models of the last published snapshot, and why."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from prefect_synth import __version__
from prefect_synth.expectations.rows_profile import RowsProfile, moves
from prefect_synth.flows.refresh_privacy import refusal, was_begun
from prefect_synth.flows.refresh_pull import Staged
from prefect_synth.flows.refresh_setup import Setup
from prefect_synth.flows.runners import Runners, quoted
from prefect_synth.synth.descent import tables_above
from prefect_synth.synth.privacy.ledger import OverspentError
from prefect_synth.tasks.connections import warehouse_url
from prefect_synth.tasks.decision import Decision, Wish, read_decision
from prefect_synth.tasks.learned import (
    STEP,
    forget_learned,
    profile_staged,
    read_compared,
    read_learned,
    save_compared,
    save_learned,
)
from prefect_synth.tasks.progress import step
from prefect_synth.tasks.references import fingerprint
from prefect_synth.tasks.reuse import Trained
from prefect_synth.tasks.synthesis import Synthesis
from prefect_synth.tasks.telling import run_log
from prefect_synth.tasks.warehouses.url import redact

HELD = "what is accepted of new columns"
"""What the fingerprint of the columns that are held is called."""
_MOST_TOLD = 4


def depends_on(setup: Setup, staged: Staged, synthesis: Synthesis) -> dict[str, str]:
    """Fingerprints of all that models depend on, but the rows that they learn from.

    Args:
        setup: The project and its places.
        staged: The staged real tables.
        synthesis: What models would be trained from.
    """
    copied = [ref.fingerprint for ref in staged.tables if ref.table in synthesis.keep]
    return {
        **depends_but_schema(setup, synthesis, staged.run.state.held),
        "the schema, or what its columns mean,": fingerprint(staged.metadata.to_dict()),
        "a table that is published as it is": fingerprint(copied),
    }


def depends_but_schema(
    setup: Setup, synthesis: Synthesis, held: Mapping[str, Collection[str]]
) -> dict[str, str]:
    """The same without the schema and tables that are published as they are.

    Args:
        setup: The project and its places.
        synthesis: What models would be trained from.
        held: By table, the columns that are read as NULL because nobody has accepted them.
    """
    project = setup.project
    source = project.warehouse.model_dump(mode="json", exclude={"url"})
    place = redact(warehouse_url(project.warehouse, setup.base))
    return {
        "the version of prefect-synth": __version__,
        "settings that models depend on": fingerprint(synthesis.settings()),
        "the warehouse": fingerprint(place, source),
        "the holdout": fingerprint(project.privacy.holdout),
        HELD: held_print(held),
    }


def held_print(held: Mapping[str, Collection[str]]) -> str:
    """Changes when a column is held, or accepted: its type, and even its rows, may stay.

    Args:
        held: By table, the columns that are read as NULL because nobody has accepted them.
    """
    return fingerprint({table: sorted(columns) for table, columns in held.items() if columns})


def decide(
    setup: Setup,
    runners: Runners,
    staged: Staged,
    depends: dict[str, str],
    wish: Wish,
    synthesis: Synthesis,
) -> Decision:
    """Decide whether to draw with the models of the last snapshot, or go on as was decided.

    Args:
        setup: The project and its places.
        runners: Run the comparison of the rows.
        staged: The staged real tables.
        depends: What `depends_on` gave.
        wish: By what to decide.
        synthesis: What models would be trained from.

    Raises:
        OverspentError: The privacy budget allows no training, and there is no model to draw with.
    """
    decision = read_decision(staged.run.folder, wish)
    if decision is None:
        decision = _decided(setup, runners, staged, depends, wish)
        known = decision.reuse or was_begun(setup, synthesis)
        refused = None if known else refusal(setup, staged.metadata)
        if refused is not None:
            decision = _without_training(setup, staged, depends, wish, refused)
        decision.save(staged.run.folder)
    return decision


def decide_to_train(setup: Setup, runners: Runners, staged: Staged, wish: Wish) -> None:
    """Decide to train, because a gate refused what reused models drew; a killed run goes on by it.

    Args:
        setup: The project and its places.
        runners: Run the comparison of the rows.
        staged: The staged real tables.
        wish: By what it was decided to reuse them.
    """
    _keep(staged, _profiles(setup, runners, staged))
    reason = "what the models of the last snapshot drew was refused by the gates"
    Decision(wish=wish, reuse=False, reason=reason, refused=True).save(staged.run.folder)


def _decided(
    setup: Setup, runners: Runners, staged: Staged, depends: dict[str, str], wish: Wish
) -> Decision:
    """Decide, and keep what the rows are like that the models of this run have learned from."""
    last, before = setup.staging.last_models, read_learned(setup.staging.last_profiles)
    rows = {ref.table: ref.rows for ref in staged.tables}
    obstacle = _obstacle(last, depends, rows)
    if wish == "reuse" and obstacle is None:
        _keep(staged, before)
        return Decision(wish=wish, reuse=True, reason="that was asked for")
    if wish == "changed":  # nobody will compare
        _keep(staged, None)
        return Decision(wish=wish, reuse=False, reason="run.retrain is 'changed'")
    now = _profiles(setup, runners, staged)
    if wish == "moved":
        obstacle = obstacle or incomparable(setup)
        if obstacle is None and before is not None:
            return _compared(staged, before, now)
    _keep(staged, now)
    return Decision(wish=wish, reuse=False, reason=obstacle or "that was asked for")


def _without_training(
    setup: Setup,
    staged: Staged,
    depends: dict[str, str],
    wish: Wish,
    refused: OverspentError,
) -> Decision:
    """Draw with the last models, because the privacy budget allows no training.

    Raises:
        OverspentError: There are none that can be drawn with.
    """
    last = setup.staging.last_models
    obstacle = _obstacle(last, depends, {ref.table: ref.rows for ref in staged.tables})
    if obstacle is not None:
        raise OverspentError(f"{refused} The last models cannot be drawn with: {obstacle}.")
    run_log().warning("%s", refused)
    _keep(staged, read_learned(setup.staging.last_profiles))
    return Decision(wish=wish, reuse=True, reason="the privacy budget allows no training")


def _obstacle(last: Trained | None, depends: dict[str, str], rows: dict[str, int]) -> str | None:
    """Why the last models cannot be drawn with; None where they can."""
    return last.obstacle(depends, rows) if last else "no published snapshot has left any"


def _compared(
    staged: Staged, before: dict[str, RowsProfile], now: dict[str, RowsProfile]
) -> Decision:
    moved = {name: said for name in now if (said := moves(before[name], now[name]))}
    _keep(staged, now if moved else before)
    why = f"rows moved in {_listed(moved)}" if moved else "rows moved no more than chance explains"
    return Decision(wish="moved", reuse=not moved, reason=why, tables=moved)


def _keep(staged: Staged, learned: dict[str, RowsProfile] | None) -> None:
    """Keep what the models of this run have learned from; nothing where that is not known."""
    folder = staged.run.folder / "profiles"
    if learned is None:
        forget_learned(folder)
    else:
        save_learned(folder, learned)


def incomparable(setup: Setup) -> str | None:
    """Why models are trained however little the rows moved, where nothing else changed, or None.

    Args:
        setup: The project and its places.
    """
    old = outlived(setup.staging.last_models, setup.project.run.retrain_days)
    if old is None and read_learned(setup.staging.last_profiles) is None:
        return "nothing is remembered of the rows that models learned from"
    return old


def why_trained_again(setup: Setup, wish: Wish) -> str | None:
    """Why models are trained though all is as it was at the last snapshot; None where they are not.

    Args:
        setup: The project and its places.
        wish: By what it is decided.
    """
    asked: dict[Wish, str] = {"train": "that was asked for", "changed": "run.retrain is 'changed'"}
    if wish == "moved":
        return outlived(setup.staging.last_models, setup.project.run.retrain_days)
    return asked.get(wish)


def wish_of(setup: Setup, reuse: bool, retrain: bool) -> Wish:
    """By what it is decided whether models are trained.

    Args:
        setup: The project and its places.
        reuse: Whether to draw with the models of the last published snapshot.
        retrain: Whether to train all that changed; the project file decides without either.
    """
    if reuse or retrain:
        return "train" if retrain else "reuse"
    return setup.project.run.retrain


def outlived(last: Trained | None, days: float | None) -> str | None:
    """Why models are too old to be drawn with; None where they are not.

    Args:
        last: The models.
        days: How old they may become; any age where None.
    """
    if last is None or days is None:
        return None
    if last.since is None:
        return "it is not known when they were trained"
    age = datetime.now(UTC) - last.since
    return f"they are older than {days:g} days" if age > timedelta(days=days) else None


def _profiles(setup: Setup, runners: Runners, staged: Staged) -> dict[str, RowsProfile]:
    """The distributions of tonight's rows, which stay in this process and in private staging.

    Those of rows that are the same as when the last snapshot was made are known.
    """
    keys = {table: _what_is_profiled(staged, table) for table in staged.metadata.tables}
    kept = read_compared(setup.staging.last_profiles)
    known = {table: kept[key] for table, key in keys.items() if key in kept}
    made = _profiled(setup, runners, staged, [table for table in keys if table not in known])
    found = {table: known.get(table) or made[table] for table in keys}
    save_compared(staged.run.folder / "profiles", {keys[t]: found[t] for t in keys})
    return found


def _what_is_profiled(staged: Staged, table: str) -> str:
    """Of a table's rows, and of those of all tables above: whose rows they are is told by them."""
    above = tables_above(staged.metadata, table)
    parts = [r for r in (*staged.tables, *staged.held_out) if r.table in above]
    rows = [(r.table, r.fingerprint) for r in parts]
    return fingerprint(__version__, table, rows, staged.metadata.to_dict(), staged.units)


def _profiled(
    setup: Setup, runners: Runners, staged: Staged, tables: list[str]
) -> dict[str, RowsProfile]:
    if not tables:
        return {}
    arguments = {
        "tables": tables,
        "metadata": staged.metadata_file,
        "whole": staged.whole,
        "units": staged.units,
        "workers": setup.project.run.workers,
    }
    with step(STEP, len(tables)):
        return runners.here.submit(profile_staged, quoted(arguments)).result()


def log_decision(decision: Decision, last: Trained | None) -> None:
    """Say whether models are trained or reused, and why.

    Args:
        decision: What was decided.
        last: The models of the last published snapshot.
    """
    if decision.reuse and last is not None:
        run_log().info(
            f"Nothing is trained: the models of run {last.run_id} are reused, because "
            f"{decision.reason}."
        )
    elif decision.wish == "reuse":
        run_log().warning(f"Models are trained and not reused, because {decision.reason}.")
    else:
        run_log().info(f"What changed is trained, because {decision.reason}.")
    for table, said in decision.tables.items():
        run_log().info(f"{table}: {_listed(said)}")


def _listed(said: Iterable[str]) -> str:
    names = list(said)
    more = len(names) - _MOST_TOLD
    return ", ".join(names[:_MOST_TOLD]) + (f" and {more} more" if more > 0 else "")
