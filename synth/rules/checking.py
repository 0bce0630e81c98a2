"""How many rows of finished tables break the rules in force, by columns read from anywhere."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from prefect_synth.synth.hierarchy.links import parent_rows
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.sources import Source, count_rows, read_columns, read_schema
from prefect_synth.synth.rules.outside import MARK, outside_values
from prefect_synth.synth.rules.rule import Rows, Rule
from prefect_synth.synth.rules.ruleset import TableRules
from prefect_synth.synth.rules.units import plain


def broken_rows(
    metadata: Metadata, table: str, rules: TableRules, tables: Mapping[str, Source]
) -> dict[str, int]:
    """Rows of a table that break each of its rules, by the rule's text.

    Args:
        metadata: The schema.
        table: The table.
        rules: The rules in force.
        tables: All finished tables, in memory or on disk; only the columns needed are read.
    """
    found = {rule.text(): 0 for rule in rules.rules}
    for rule in rules.rules:
        rows = _rows(metadata, table, rule, rules, tables)
        found[rule.text()] += int((~rule.holds(rows)).sum())
    return found


def _rows(
    metadata: Metadata,
    table: str,
    rule: Rule,
    rules: TableRules,
    tables: Mapping[str, Source],
) -> Rows:
    named = dict.fromkeys((rule.target, *rule.inputs, *getattr(rule, "members", ())))
    own = read_columns(tables[table], [c for c in named if not c.startswith(MARK)])
    columns = {c: plain(own[c]) for c in own.column_names}
    relations = {r.name: r for r in metadata.relationships}
    for outside in rules.outside:
        if outside.name in named:
            relation = relations[outside.relation]
            child = _with_keys(tables[relation.child], relation.child_columns, outside.columns)
            parent = _with_keys(tables[relation.parent], relation.parent_columns, outside.columns)
            links = {relation.name: parent_rows(child, parent, relation)}
            sides = {relation.child: child, relation.parent: parent}
            columns[outside.name] = outside_values(outside, metadata, sides, links)
    codes = {}
    for name in rule.relations:
        relation = relations[name]
        child = read_columns(tables[table], relation.child_columns)
        parent = read_columns(tables[relation.parent], relation.parent_columns)
        codes[name] = parent_rows(child, parent, relation)
    return Rows(columns, codes, count_rows(tables[table]))


def _with_keys(source: Source, keys: tuple[str, ...], columns: tuple[str, ...]) -> pa.Table:
    """Key columns of a table, and those of `columns` that it has."""
    present = set(read_schema(source).names)
    return read_columns(source, dict.fromkeys((*keys, *(c for c in columns if c in present))))
