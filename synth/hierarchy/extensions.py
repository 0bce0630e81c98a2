"""The bottom-up pass: every table encoded, linked, and extended by what it knows of its children.

After it every table's row model can be fitted on its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from prefect_synth.synth.hierarchy.extended import (
    Extended,
    PersonalColumns,
    Prints,
    personal_of,
    prints_of,
)
from prefect_synth.synth.hierarchy.extending import extend_table
from prefect_synth.synth.hierarchy.linking import Linked, chosen_for, described, link
from prefect_synth.synth.hierarchy.plan import Plan
from prefect_synth.synth.hierarchy.settings import HierarchySettings
from prefect_synth.synth.hierarchy.shared import Shared
from prefect_synth.synth.hierarchy.sharing import find_shared
from prefect_synth.synth.metadata import Metadata, Relationship


@dataclass(frozen=True)
class Extensions:
    """Every table after the bottom-up pass, and the plan."""

    plan: Plan
    tables: dict[str, Extended]

    @classmethod
    def gather(
        cls, plan: Plan, folders: Mapping[str, Path], metadata: Metadata, table: str
    ) -> Extensions:
        """Read only what fitting `table` needs, each extended table from a folder of its own."""
        above = [parent for _, parent in _lines(metadata, plan, table)]
        return cls(plan, {n: Extended.load(folders[n]) for n in dict.fromkeys((table, *above))})

    def sharing(self, shared: Mapping[str, Mapping[str, Shared]]) -> Extensions:
        """The same where it is known whose values personal columns have."""
        tables = {n: replace(t, shared=dict(shared.get(n, {}))) for n, t in self.tables.items()}
        return replace(self, tables=tables)

    def fingerprint(self, metadata: Metadata, table: str, settings: HierarchySettings) -> str:
        """Changes when anything does that the table's part depends on, and only then."""
        above = [parent for _, parent in _lines(metadata, self.plan, table)]
        prints = {n: prints_of(metadata, n, self.tables[n]) for n in {table, *above}}
        shared = self.tables[table].shared
        return part_fingerprint(metadata, self.plan, table, settings, prints, shared)


def part_fingerprint(
    metadata: Metadata,
    plan: Plan,
    table: str,
    settings: HierarchySettings,
    prints: Mapping[str, Prints],
    shared: object,
) -> str:
    """Changes when anything does that a table's part depends on, and only then.

    Args:
        metadata: The schema.
        plan: The order of the work.
        table: The table.
        settings: How it is fitted.
        prints: Of the extended table, and of those whose rows its rows are told of.
        shared: Whose values its personal columns have, or a fingerprint of it.
    """
    fitted = (
        settings.row_model,
        settings.budget_seconds,
        settings.effort,
        *chosen_for(table, settings),
    )
    lines = [
        (repr(r), prints[parent].told[r.name], prints[r.child].links[r.name])
        for r, parent in _lines(metadata, plan, table)
    ]
    known = (described(metadata, table), plan.tables[table], prints[table].own, shared)
    return hashlib.sha256(repr((fitted, known, lines)).encode()).hexdigest()[:32]


def extend_tables(
    metadata: Metadata, tables: Mapping[str, pa.Table | Path], settings: HierarchySettings
) -> Extensions:
    """Encode, link and extend all tables, children first.

    Raises:
        SynthesisError: Tables and metadata do not fit, keys have orphans, a type is not known.
    """
    linked = link(metadata, tables, settings)
    loaded = linked.tables(tables)
    extended: dict[str, Extended] = {}
    for name in reversed(linked.plan.order):
        around = linked.around(name)
        extended[name] = extend_table(metadata, name, loaded, around, extended, settings)
    shared = share(linked, loaded, {n: personal_of(e) for n, e in extended.items()})
    plan = linked.plan
    return Extensions(plan, {n: extended[n] for n in plan.order}).sharing(shared)


def share(
    linked: Linked, tables: Mapping[str, pa.Table], personal: Mapping[str, PersonalColumns]
) -> dict[str, dict[str, Shared]]:
    """Find the personal columns whose values another one has, by table and column.

    Args:
        linked: How the rows of all tables hang together.
        tables: The real rows.
        personal: The personal columns of every table.
    """
    columns = {n: p.columns for n, p in personal.items()}
    alone = {n: p.one_to_one for n, p in personal.items()}
    return find_shared(linked.metadata, linked.plan, tables, columns, linked.links, alone)


def _lines(metadata: Metadata, plan: Plan, table: str) -> list[tuple[Relationship, str]]:
    """The relations whose parents a table's rows are told of, upwards."""
    used = plan.tables[table]
    names = [n for n in (used.primary, *used.assigned) if n is not None]
    found = [r for r in metadata.relationships if r.name in names]
    for relation in found:  # grows: each parent passes on what its own primary parent is
        primary = plan.tables[relation.parent].primary
        found += [r for r in metadata.relationships if r.name == primary and r not in found]
    return [(r, r.parent) for r in found]
