"""The bottom-up pass of a refresh: link all tables, then extend each in a step of its own."""

from __future__ import annotations

from collections.abc import Mapping

from prefect.futures import PrefectFuture

from prefect_synth.flows.refresh_log import log_extended
from prefect_synth.flows.refresh_reuse import log_decision
from prefect_synth.flows.refresh_work import Work
from prefect_synth.tasks.extend import (
    STEP,
    extend_table,
    extension_key,
    link_tables,
    part_keys,
    share_values,
    sharing_key,
)
from prefect_synth.tasks.progress import step
from prefect_synth.tasks.references import ExtendedRef, ExtensionsRef, LinksRef, SharedRef


def extend_tables(work: Work) -> ExtensionsRef:
    """Learn what parent rows know of their children, as many tables at a time as there are workers.

    Every step is keyed by what it depends on, so after a change only those run that see it.

    Args:
        work: The refresh.
    """
    log_decision(work.decision, work.setup.staging.last_models)
    if work.reused:
        return work.reused.extensions
    with step(STEP, len(work.staged.metadata.tables)):
        links = _linked(work)
        done: dict[str, ExtendedRef] = {}
        futures: list[PrefectFuture[ExtendedRef]] = []
        for level in links.levels:
            futures += (started := _started(work, links, level, done))
            for ref in (future.result() for future in started):
                done[ref.table] = ref.at(work.setup.staging.extended(ref.table, ref.fingerprint))
        shared = _shared(work, links, done)
    log_extended(futures)
    return ExtensionsRef(
        path=links.path,
        fingerprint=links.fingerprint,
        parts=part_keys(work.synthesis, links, done, shared.prints if shared else {}),
        rows=links.rows,
        tables={name: done[name].path for name in links.rows},
        shared=shared.path if shared else None,
    )


def _linked(work: Work) -> LinksRef:
    key = work.synthesis.fingerprint()
    folder = work.setup.staging.links(key)
    links = work.start(
        link_tables, [folder], fingerprint=key, synthesis=work.synthesis, folder=folder
    )
    return links.result().at(folder)


def _started(
    work: Work, links: LinksRef, level: tuple[str, ...], done: Mapping[str, ExtendedRef]
) -> list[PrefectFuture[ExtendedRef]]:
    """Extend tables whose children are extended already."""
    keys = {table: extension_key(links, table, done) for table in level}
    folders = {table: work.setup.staging.extended(table, keys[table]) for table in level}
    return [
        work.start(
            extend_table,
            [folders[table]],
            table=table,
            fingerprint=keys[table],
            synthesis=work.synthesis,
            links=links.path,
            children={name: done[name].path for name in links.before[table]},
            folder=folders[table],
            paying=work.paying,
        )
        for table in level
    ]


def _shared(work: Work, links: LinksRef, done: Mapping[str, ExtendedRef]) -> SharedRef | None:
    """Where personal columns have one another's values; None where there are no such columns."""
    if not any(ref.personal for ref in done.values()):
        return None
    key = sharing_key(work.synthesis, links, done)
    folder = work.setup.staging.shared(key)
    shared = work.start(
        share_values,
        [folder],
        fingerprint=key,
        synthesis=work.synthesis,
        links=links,
        personal={name: (ref.personal, ref.one_to_one) for name, ref in done.items()},
        folder=folder,
    )
    return shared.result().at(folder)
