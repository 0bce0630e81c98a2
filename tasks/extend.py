"""The steps `link`, `extend` and `share`: what parent rows know of their children, bottom-up.

`link` looks at all tables at once and is cheap; each table is then extended in a step of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from prefect import task

from prefect_synth import __version__
from prefect_synth.synth.hierarchy.extended import (
    Extended,
    PersonalColumns,
    personal_of,
    prints_of,
)
from prefect_synth.synth.hierarchy.extending import extend_table as extend_rows
from prefect_synth.synth.hierarchy.extensions import part_fingerprint, share
from prefect_synth.synth.hierarchy.linking import Around, Linked, link, needs
from prefect_synth.synth.hierarchy.loading import LoadedTables, Without
from prefect_synth.synth.storage import folder_name, load_state, save_state
from prefect_synth.tasks.folders import written_whole
from prefect_synth.tasks.paying import Paying
from prefect_synth.tasks.progress import progress
from prefect_synth.tasks.references import ExtendedRef, LinksRef, SharedRef
from prefect_synth.tasks.references import fingerprint as fingerprint_of
from prefect_synth.tasks.steps import guarded, keyed_by
from prefect_synth.tasks.synthesis import Synthesis

STEP = "extend"


@task(
    name="link",
    task_run_name="link",
    cache_policy=keyed_by("fingerprint"),
    persist_result=True,
    result_serializer="json",
)
@guarded
def link_tables(fingerprint: str, synthesis: Synthesis, folder: Path) -> LinksRef:
    """Resolve every foreign key, and write down what each table's step needs of the others.

    Args:
        fingerprint: Of schema, settings and all rows.
        synthesis: Schema, settings and rows.
        folder: Where to keep it, in private staging.

    Returns:
        Where it is, in which order tables can be extended, and what each of these steps depends on.
    """
    model = synthesis.synthesizer()
    linked = link(model.metadata, synthesis.paths(), model.settings)
    around = {name: linked.around(name) for name in linked.plan.order}
    with written_whole(folder) as unfinished:
        save_state(unfinished, "plan", linked.plan)
        save_state(unfinished, "links", (linked.links, linked.left))
        for name, known in around.items():
            save_state(unfinished / folder_name(name), "around", known)
    prints = {ref.table: ref.fingerprint for ref in synthesis.tables}
    return LinksRef(
        path=folder,
        fingerprint=fingerprint,
        levels=linked.levels(),
        before={name: known.before for name, known in around.items()},
        needs={n: needs(model.metadata, n, a, prints, model.settings) for n, a in around.items()},
        rows=linked.rows,
    )


def extension_key(links: LinksRef, table: str, done: Mapping[str, ExtendedRef]) -> str:
    """Changes when anything does that extending a table depends on, and only then."""
    children = {name: done[name].prints.siblings for name in links.before[table]}
    return fingerprint_of(__version__, STEP, table, links.needs[table], children)


@task(
    name=STEP,
    task_run_name="extend[{table}]",
    cache_policy=keyed_by("fingerprint"),
    persist_result=True,
    result_serializer="json",
)
@guarded
def extend_table(
    table: str,
    fingerprint: str,
    synthesis: Synthesis,
    links: Path,
    children: dict[str, Path],
    folder: Path,
    paying: Paying | None = None,
) -> ExtendedRef:
    """Encode one table, and extend it by what its rows know of their children.

    Args:
        table: The table's name.
        fingerprint: Of all that the step depends on.
        synthesis: Schema, settings and rows.
        links: Folder of what `link` found.
        children: Folders of the children that are extended already.
        folder: Where to keep the extended table, in private staging.
        paying: Who pays for what is learned, where that costs privacy.

    Returns:
        Where it is, and fingerprints of what others learn of it.
    """
    model = synthesis.synthesizer()
    if paying is not None:
        paying.pay(model, table, "extend", fingerprint)
    around = load_state(links / folder_name(table), "around")
    assert isinstance(around, Around)  # noqa: S101 - what `link` saved
    rows = Without(LoadedTables(model.metadata, synthesis.paths()), around.left)
    done = {name: Extended.load(path) for name, path in children.items()}
    made = extend_rows(model.metadata, table, rows, around, done, model.settings)
    with written_whole(folder) as unfinished:
        made.save(unfinished)
    progress().advance(STEP, 1, table)
    personal = personal_of(made)
    return ExtendedRef(
        table=table,
        path=folder,
        fingerprint=fingerprint,
        prints=prints_of(model.metadata, table, made),
        personal=personal.columns,
        one_to_one=personal.one_to_one,
    )


def sharing_key(synthesis: Synthesis, links: LinksRef, done: Mapping[str, ExtendedRef]) -> str:
    """Changes when anything does that `share` looks at, and only then."""
    rows = {ref.table: ref.fingerprint for ref in synthesis.tables if done[ref.table].personal}
    known = {n: (r.personal, r.one_to_one, r.prints.links) for n, r in sorted(done.items())}
    plan = load_state(links.path, "plan")
    roles = {name: (role.primary, role.assigned) for name, role in plan.tables.items()}
    return fingerprint_of(__version__, "share", rows, known, roles, plan.order)


@task(
    name="share",
    task_run_name="share",
    cache_policy=keyed_by("fingerprint"),
    persist_result=True,
    result_serializer="json",
)
@guarded
def share_values(
    fingerprint: str,
    synthesis: Synthesis,
    links: LinksRef,
    personal: dict[str, tuple[dict[str, tuple[str, bool]], tuple[str, ...]]],
    folder: Path,
) -> SharedRef:
    """Find the personal columns whose values those of another table are.

    Args:
        fingerprint: Of what is looked at.
        synthesis: Schema, settings and rows.
        links: What `link` found.
        personal: By table, its personal columns and its relations of one row a parent.
        folder: Where to keep the ways, in private staging.

    Returns:
        Where they are, and a fingerprint for each table's.
    """
    metadata = synthesis.synthesizer().metadata
    arrays, left = load_state(links.path, "links")
    linked = Linked(metadata, load_state(links.path, "plan"), links.rows, arrays, {}, {}, {}, left)
    columns = {name: PersonalColumns(*known) for name, known in personal.items()}
    found = share(linked, linked.tables(synthesis.paths()), columns)
    with written_whole(folder) as unfinished:
        save_state(unfinished, "shared", found)
    prints = {name: fingerprint_of(repr(ways)) for name, ways in found.items() if ways}
    return SharedRef(path=folder, prints=prints)


def part_keys(
    synthesis: Synthesis,
    links: LinksRef,
    done: Mapping[str, ExtendedRef],
    shared: Mapping[str, str],
) -> dict[str, str]:
    """By table, a fingerprint of all that its part of the model is trained from.

    Args:
        synthesis: Schema, settings and rows.
        links: What `link` found.
        done: The extended tables.
        shared: Fingerprints of the ways to the values that personal columns share.
    """
    plan = load_state(links.path, "plan")
    prints = {name: ref.prints for name, ref in done.items()}
    models = {name: synthesis.models.get(name, synthesis.model) for name in plan.order}
    as_fitted = {model: synthesis.synthesizer(model=model) for model in set(models.values())}
    keys = {}
    for name in plan.order:
        fitted = as_fitted[models[name]]
        told = shared.get(name, "")
        part = part_fingerprint(fitted.metadata, plan, name, fitted.settings, prints, told)
        keys[name] = fingerprint_of(__version__, name, part)
    return keys
