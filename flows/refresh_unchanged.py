"""A night on which nothing has changed: no snapshot is made that would be the last one again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import Completed

from prefect_synth import __version__
from prefect_synth.flows.afterwards import retain
from prefect_synth.flows.outcome import Outcome
from prefect_synth.flows.pinned import pinned_files
from prefect_synth.flows.refresh_pull import Pulled, Source
from prefect_synth.flows.refresh_reuse import HELD, held_print, why_trained_again
from prefect_synth.flows.refresh_setup import Setup
from prefect_synth.flows.run_settings import RunSettings
from prefect_synth.flows.runners import Runners
from prefect_synth.flows.user_checks import user_checks
from prefect_synth.tasks.connections import warehouse_url
from prefect_synth.tasks.decision import Wish
from prefect_synth.tasks.prints import judges
from prefect_synth.tasks.pseudonyms import key_print, pseudonym_key
from prefect_synth.tasks.references import file_fingerprint, fingerprint
from prefect_synth.tasks.snapshots.records import SnapshotRef
from prefect_synth.tasks.sources import ROWS, Sources
from prefect_synth.tasks.staged_run import UNCHANGED
from prefect_synth.tasks.telling import events_in_the_log, run_log, tell_of_project
from prefect_synth.tasks.warehouses.url import redact

SCHEMA = "the schema"
"""What the fingerprint of the schema is called."""
_MOST_TOLD = 8
_RUN_COUNTS = {"seed", "budget_seconds", "training"}
OF_NO_ROW: Mapping[str, Any] = {
    "feeds": True,
    "notify": True,
    "sandbox": True,
    "staging": True,
    "warehouse": {"url", "block", "allow_writable", "concurrency"},
    "run": set(RunSettings.model_fields) - _RUN_COUNTS,
}
"""Keys of the project file that neither rows nor gates depend on; the warehouse counts by its
address. A key that is not here makes a snapshot anew, which is never wrong."""


@dataclass(frozen=True)
class Unchanged:
    """A run whose snapshot would be the one that readers see.

    Args:
        pulled: The run.
        latest: The snapshot that stays.
    """

    pulled: Pulled
    latest: SnapshotRef


def look_for_changes(
    setup: Setup, source: Source, pulled: Pulled, force: bool, wish: Wish
) -> Unchanged | None:
    """See whether a snapshot is due, and note what it is made from.

    Args:
        setup: The project and its places.
        source: The warehouse and its schema.
        pulled: The tables as they were pulled, not yet divided.
        force: Whether one is due in any case.
        wish: By what it is decided whether models are trained.

    Returns:
        That nothing has changed; None where a snapshot is due.

    Raises:
        SandboxError: The sandbox cannot be read.
    """
    pseudonym_key(setup.staging.pseudonyms)  # of the first night, so that it counts from then on
    sources = _sources(setup, source, pulled)
    sources.save(pulled.run.folder)
    latest = None if force else _still_published(setup, sources, wish)
    return None if latest is None else Unchanged(pulled, latest)


def leave_it(
    setup: Setup, runners: Runners, same: Unchanged, seconds: Mapping[str, float]
) -> State[Outcome]:
    """End a refresh that makes no snapshot: say so, and forget the rows that it pulled.

    Those of the run that made the snapshot are the same, and stay as long as they would.

    Args:
        setup: The project and its places.
        runners: Run what is done afterwards.
        same: The run, and the snapshot that stays.
        seconds: Time of each step.
    """
    run, latest, project = same.pulled.run, same.latest, setup.project.project
    with events_in_the_log():
        tell_of_project(
            "snapshot.unchanged",
            project,
            {
                "snapshot_id": latest.snapshot_id,
                "run_id": run.state.run_id,
                "url": latest.url,
                "tables": sorted(ref.table for ref in same.pulled.tables),
            },
        )
    run.forget_real_rows()
    run.update(outcome=UNCHANGED)
    troubles: list[str] = []
    retain(setup, runners, "The last snapshot stays", troubles)
    outcome = _outcome(setup, same, seconds).model_copy(update={"troubles": tuple(troubles)})
    run_log().info(outcome.message)
    return Completed(name="Unchanged", message=outcome.message, data=outcome)


def _outcome(setup: Setup, same: Unchanged, seconds: Mapping[str, float]) -> Outcome:
    latest = same.latest
    return Outcome(
        project=setup.project.project,
        run_id=same.pulled.run.state.run_id,
        published=False,
        unchanged=True,
        snapshot_id=latest.snapshot_id,
        url=latest.url,
        generation=latest.generation,
        report=setup.staging.report_of(latest.run_id),
        tables={},
        scores={},
        failures=(),
        resumed=False,
        seconds={name: round(spent, 2) for name, spent in seconds.items()},
    )


def _sources(setup: Setup, source: Source, pulled: Pulled) -> Sources:
    """Fingerprint all that the snapshot of tonight's rows, and the verdict on it, depend on."""
    return Sources(
        run_id=pulled.run.state.run_id,
        depends_on={
            **sources_but_rows(setup, source),
            **{f"{ROWS}{ref.table}": ref.fingerprint for ref in pulled.tables},
        },
        rows={ref.table: ref.rows for ref in pulled.tables},
    )


def sources_but_rows(setup: Setup, source: Source) -> dict[str, str]:
    """Fingerprint all that a snapshot depends on before any row is pulled.

    Args:
        setup: The project and its places.
        source: The warehouse and its schema.
    """
    said = setup.project.model_dump(mode="json", exclude=dict(OF_NO_ROW))
    place = redact(warehouse_url(setup.project.warehouse, setup.base))
    schemas = {name: str(schema) for name, schema in source.schemas.items()}
    pins = {n: (file, file_fingerprint(path)) for n, (file, path) in pinned_files(setup).items()}
    return {
        "the version of prefect-synth": __version__,
        "the libraries that judge": fingerprint(judges()),
        "the warehouse's address": fingerprint(place),
        SCHEMA: fingerprint(source.metadata.to_dict(), schemas),
        HELD: held_print(source.drift.held_columns),
        "the project file": fingerprint(said),
        "suite files or modules of expectations": user_checks(setup).whole_fingerprint(),
        "pinned rows": fingerprint(pins),
        "the pseudonyms' key": key_print(setup.staging.pseudonyms, make=False),
    }


def _still_published(setup: Setup, sources: Sources, wish: Wish) -> SnapshotRef | None:
    """The snapshot that these sources gave, where readers see it; the log says what came of it."""
    before, log = setup.staging.last_sources, run_log()
    if before is None:
        log.info("A snapshot is made: nothing is remembered of an earlier one.")
        return None
    changed = sources.changed_since(before)
    if changed:
        log.info(f"A snapshot is made: since run {before.run_id} changed {_listed(changed)}.")
        return None
    latest = setup.sandbox.latest()
    obstacle = why_not_published(setup, before, latest, wish)
    if obstacle is not None:
        log.info(f"Nothing changed since run {before.run_id}; a snapshot is made, for {obstacle}.")
        return None
    return latest


def why_not_published(
    setup: Setup, before: Sources, latest: SnapshotRef | None, wish: Wish
) -> str | None:
    """Why a snapshot is made of rows that are the same; None where there need be none.

    Args:
        setup: The project and its places.
        before: What the last published snapshot was made from.
        latest: The snapshot that readers see.
        wish: By what it is decided whether models are trained.
    """
    if latest is None or latest.run_id != before.run_id:
        named = "no snapshot" if latest is None else f"'{latest.snapshot_id}'"
        return f"readers see another one: 'latest' names {named}"
    models = setup.staging.last_models
    if models is None or not all(path.is_dir() for path in models.paths):
        return "its models are no longer in private staging"
    why = why_trained_again(setup, wish)
    if why and models.pulled != before.of_rows():
        return f"its models learned from other rows, and {why}"
    found = setup.sandbox.verify(latest.snapshot_id, contents=False)
    return f"the last one is damaged: {_listed(found)}" if found else None


def _listed(names: Iterable[str]) -> str:
    """`the schema, the rows of orders and 3 more`."""
    names = list(names)
    more = len(names) - _MOST_TOLD
    return ", ".join(names[:_MOST_TOLD]) + (f" and {more} more" if more > 0 else "")
