"""Drift of the schema: the catalogue against what was accepted of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from prefect_synth.tasks.drift.changes import BaselineName, Drift
from prefect_synth.tasks.drift.differences import differences
from prefect_synth.tasks.drift.effects import Weighing
from prefect_synth.tasks.drift.facts import (
    ColumnFacts,
    SchemaFacts,
    TableFacts,
    schema_facts,
    schema_fingerprint,
)
from prefect_synth.tasks.drift.policies import DriftPolicies
from prefect_synth.tasks.warehouses.catalogue import Catalogue, CatalogueTable


@dataclass(frozen=True)
class Baseline:
    """What the catalogue is compared with.

    Args:
        name: Where it stands.
        tables: What was accepted; None where nothing was accepted yet, and all is taken as it is.
        excluded: Tables and `table.column`s that a person left out for good.
    """

    name: BaselineName = "none"
    tables: SchemaFacts | None = None
    excluded: tuple[str, ...] = ()

    def without(self, place: str) -> bool:
        """Whether a table or a column is left out for good."""
        return place in self.excluded


def schema_drift(
    baseline: Baseline,
    catalogue: Catalogue,
    chosen: Mapping[str, CatalogueTable],
    policies: DriftPolicies,
    left_out: Mapping[str, Collection[str]] | None = None,
    named: Collection[str] | None = None,
) -> Drift:
    """Compare the catalogue with what was accepted.

    Args:
        baseline: What was accepted.
        catalogue: The warehouse's catalogue as it is.
        chosen: The tables that the project reads, by the names that metadata gives them.
        policies: What the project file says of each kind of change.
        left_out: By table, columns that the project file leaves out: nobody need decide on them.
        named: The tables that the project file's patterns name, if they reached all that is there;
            any by default.

    Returns:
        All that moved, with what comes of it.
    """
    now = schema_facts(catalogue, chosen)
    drift = Drift(
        fingerprint=schema_fingerprint(now),
        baseline=baseline.name,
        excluded_tables=tuple(name for name in now if baseline.without(name)),
        excluded_columns={
            name: columns
            for name, table in now.items()
            if (columns := tuple(c for c in table.by_name if baseline.without(f"{name}.{c}")))
        },
    )
    if baseline.tables is None:
        return drift
    undecided = _Undecided(baseline, left_out or {})
    before = undecided.of(_still_read(baseline.tables, catalogue, chosen, named))
    after = undecided.of(now)
    weighing = Weighing(before, after, chosen, policies)
    return drift.model_copy(update={"changes": weighing.weigh(differences(before, after))})


@dataclass(frozen=True)
class _Undecided:
    """What nobody has left out: neither for good nor in the project file."""

    baseline: Baseline
    left_out: Mapping[str, Collection[str]]

    def of(self, tables: SchemaFacts) -> SchemaFacts:
        return {
            name: table.model_copy(update={"columns": self._columns(name, table)})
            for name, table in tables.items()
            if not self.baseline.without(name)
        }

    def _columns(self, name: str, table: TableFacts) -> tuple[ColumnFacts, ...]:
        left_out = self.left_out.get(name, ())
        return tuple(
            column
            for column in table.columns
            if column.name not in left_out and not self.baseline.without(f"{name}.{column.name}")
        )


def _still_read(
    tables: SchemaFacts,
    catalogue: Catalogue,
    chosen: Mapping[str, CatalogueTable],
    named: Collection[str] | None,
) -> SchemaFacts:
    """The accepted tables, but those that the project file does not read any more.

    A table that has become a view or a partition is one that is gone: patterns do not reach it.
    """
    schemas = {catalogue.default_schema, *(table.schema for table in chosen.values())}
    there = [table for table in catalogue.tables if table.readable]
    found = {t.path: t.listed for t in there}
    found |= {t.name: t.listed for t in there if t.schema in schemas}

    def refused(name: str) -> bool:
        unnamed = named is not None and name not in named
        return name in found and (unnamed or found[name])

    return {n: facts for n, facts in tables.items() if n in chosen or not refused(n)}
