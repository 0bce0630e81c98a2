"""How the rows of all tables hang together: what is found out before any table is encoded.

It is cheap, and looks at all tables at once. Afterwards each table is extended in a step of its
own, which needs only what stands in its `Around`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.hierarchy.links import link_tables
from prefect_synth.synth.hierarchy.loading import LoadedTables, Without
from prefect_synth.synth.hierarchy.overlap import twin_columns
from prefect_synth.synth.hierarchy.plan import Plan, make_plan
from prefect_synth.synth.hierarchy.polymorphic import check_owners
from prefect_synth.synth.hierarchy.relations import Named, name_rows
from prefect_synth.synth.hierarchy.roles import narrow_columns
from prefect_synth.synth.hierarchy.settings import HierarchySettings
from prefect_synth.synth.hierarchy.units import guessed_units, units_of
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.privacy.planning import check_plan, table_costs
from prefect_synth.synth.privacy.units import learned_units
from prefect_synth.synth.storage import fingerprint_of, stored


@stored
@dataclass(frozen=True)
class Around:
    """What extending one table needs to know of the others, besides their rows.

    Args:
        plan: Roles of the foreign keys of the table and of the tables beside it.
        before: Children that are extended before it.
        rows: Rows of the table and of those beside it.
        links: Parent row of each row, by relation to or from the table.
        named: Styles of rows that have one each, by table.
        units: The person that each of its rows belongs to, where people are known.
        narrow: Largest integer of each integer column that refers to the table.
        left: Rows that stay, of tables that lost orphans.
    """

    plan: Plan
    before: tuple[str, ...]
    rows: dict[str, int]
    links: dict[str, Ints]
    named: dict[str, tuple[Ints, Any]]
    units: Ints | None
    narrow: dict[tuple[str, str], int]
    left: dict[str, Ints]


@dataclass(frozen=True)
class Linked:
    """How the rows of all tables hang together.

    Args:
        metadata: The schema.
        plan: The order of the work.
        rows: Rows by table.
        links: Parent row of each row, by relation, negative for none.
        named: Styles of tables whose rows have one each.
        units: The person that each row belongs to, by table, where people are known.
        narrow: Largest integer that each integer column can hold.
        left: Rows that stay, of tables that lost orphans.
    """

    metadata: Metadata
    plan: Plan
    rows: dict[str, int]
    links: dict[str, Ints]
    named: Named
    units: dict[str, Ints]
    narrow: dict[tuple[str, str], int]
    left: dict[str, Ints]

    def around(self, name: str) -> Around:
        """What extending one table needs to know."""
        order, related = self.plan.order, self.metadata.children(name)
        beside = sorted({name, *neighbours(self.metadata, name)})
        others = {r.parent for child in related for r in self.metadata.parents(child.child)}
        links = [*self.metadata.parents(name), *related]
        referring = {(r.child, c) for r in related for c in r.child_columns}
        read = read_by(self.metadata, name)
        return Around(
            Plan(tuple(beside), {n: self.plan.tables[n] for n in beside}),
            tuple(n for n in beside if order.index(n) > order.index(name)),
            {n: self.rows[n] for n in beside},
            {r.name: self.links[r.name] for r in links},
            {n: self.named[n] for n in sorted({*beside, *others}) if n in self.named},
            self.units.get(name),
            {place: self.narrow[place] for place in sorted(referring) if place in self.narrow},
            {n: self.left[n] for n in read if n in self.left},
        )

    def levels(self) -> tuple[tuple[str, ...], ...]:
        """Tables that can be extended at the same time, children before their parents."""
        height: dict[str, int] = {}
        for name in reversed(self.plan.order):
            children = [r.child for r in self.metadata.children(name) if r.child in height]
            height[name] = max((height[c] + 1 for c in children), default=0)
        found = range(max(height.values(), default=-1) + 1)
        return tuple(tuple(n for n in self.plan.order if height[n] == h) for h in found)

    def tables(self, sources: Mapping[str, pa.Table | Path]) -> Mapping[str, pa.Table]:
        """The rows that there are, without orphans that were dropped."""
        return Without(LoadedTables(self.metadata, sources), self.left)


def link(
    metadata: Metadata, sources: Mapping[str, pa.Table | Path], settings: HierarchySettings
) -> Linked:
    """Plan the work, resolve every foreign key, and see whose rows they are.

    Raises:
        SynthesisError: Tables and metadata do not fit, keys have orphans.
    """
    loaded = LoadedTables(metadata, sources)
    loaded.check()
    plan = make_plan(metadata, {n: len(t) for n, t in loaded.items()}, settings.keep)
    if settings.privacy is not None:
        check_plan(plan, settings.keep)
    _check_kept(metadata, settings.keep)
    links, left = link_tables(metadata, loaded, plan.order, settings.on_orphan)
    check_owners(metadata, plan, links)
    tables = Without(loaded, left)
    named = (
        name_rows(metadata, plan, tables, links, tuple(settings.keep), settings.unit)
        if settings.with_styles and settings.privacy is None
        else {}
    )
    rows = {n: len(t) for n, t in tables.items()}
    units = _units(metadata, plan, tables, links, settings)
    return Linked(metadata, plan, rows, links, named, units, narrow_columns(tables), left)


def _units(
    metadata: Metadata,
    plan: Plan,
    tables: Mapping[str, pa.Table],
    links: Mapping[str, Ints],
    settings: HierarchySettings,
) -> dict[str, Ints]:
    """Whose rows they are, by table: of people, where these are known."""
    if settings.privacy is not None:
        costs = table_costs(metadata, settings)
        return learned_units(metadata, plan, tables, links, costs)
    rows = {n: len(t) for n, t in tables.items()}
    if settings.unit is None:
        return guessed_units(metadata, plan.order, rows, links)
    return units_of(metadata, plan.order, rows, links, settings.unit)


def neighbours(metadata: Metadata, name: str) -> tuple[str, ...]:
    """The parents and children of a table, in the schema's order, each once."""
    beside = {r.parent for r in metadata.parents(name)} | {r.child for r in metadata.children(name)}
    return tuple(n for n in metadata.tables if n in beside - {name})


def read_by(metadata: Metadata, name: str) -> tuple[str, ...]:
    """The tables whose rows are read when one is extended: its own, and those beside it.

    Rules may hold across a relation, and where a column refers to several tables their keys are
    made alike.
    """
    twins = {
        t for (table, _), all_ in twin_columns(metadata).items() if table == name for t, _ in all_
    }
    return tuple(n for n in metadata.tables if n in {name, *twins, *neighbours(metadata, name)})


def needs(
    metadata: Metadata,
    name: str,
    around: Around,
    rows: Mapping[str, str],
    settings: HierarchySettings,
) -> str:
    """A fingerprint of all that extending a table depends on, but its children's extensions.

    Args:
        metadata: The schema.
        name: The table.
        around: What it needs to know of the others.
        rows: Fingerprints of the rows of every table.
        settings: How the hierarchy is fitted.
    """
    read = read_by(metadata, name)
    told = {r for n in read for r in metadata.parents(n)} | set(metadata.children(name))
    text = repr(
        (
            chosen_for(name, settings),
            settings.rules if isinstance(settings.rules, str) else settings.rules.get(name),
            settings.infer_rules,
            settings.with_styles,
            name in settings.keep,
            [(n, described(metadata, n), rows[n]) for n in read],
            [r for r in metadata.relationships if r in told],
        )
    )
    digest = hashlib.sha256(text.encode())
    digest.update(fingerprint_of(around))
    return digest.hexdigest()[:32]


def chosen_for(name: str, settings: HierarchySettings) -> tuple[object, ...]:
    """The settings that the encoding of a table depends on."""
    encoding = settings.encoding
    own = {k: m for k, m in encoding.marginals.items() if k.startswith(f"{name}.")}
    asked = (settings.keys, settings.privacy)
    return (settings.seed, encoding.locale, encoding.marginal, encoding.text, own, *asked)


def described(metadata: Metadata, name: str) -> dict[str, Any]:
    """What the metadata say of a table, but the comments, from which nothing is learned."""
    table: dict[str, Any] = metadata.subset([name]).to_dict()["tables"][name]
    columns = table["columns"]
    bare = {c: {k: v for k, v in columns[c].items() if k != "comment"} for c in columns}
    return {k: v for k, v in table.items() if k != "comment"} | {"columns": bare}


def _check_kept(metadata: Metadata, keep: Collection[str]) -> None:
    for name in keep:
        if name not in metadata.tables:
            raise SynthesisError(
                f"The table '{name}' is to be kept, but there is no such table. "
                f"Tables: {', '.join(metadata.tables)}."
            )
        for relationship in metadata.parents(name):
            if relationship.parent not in keep:
                raise SynthesisError(
                    f"The table '{name}' is to be kept, but '{relationship}' refers to a "
                    f"generated table. Keep '{relationship.parent}' too, or do not keep '{name}'."
                )
