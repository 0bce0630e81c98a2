"""Where the frame meets the rules: before a table is encoded, and after it is decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Floats, Ints
from prefect_synth.synth.hierarchy.plan import Plan, TablePlan
from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.synth.rules.inference import infer_rules
from prefect_synth.synth.rules.rule import ALONE, Rows
from prefect_synth.synth.rules.ruleset import TableRules
from prefect_synth.synth.rules.search import Family
from prefect_synth.synth.rules.units import plain

Rules = Mapping[str, Sequence[str]] | Literal["infer", "none"]
"""Rules as a synthesizer takes them: lines by table in addition to inferred ones, or a word."""


def own_codes(styles: Ints, shares: Floats, rows: int) -> Ints:
    """What stands for each row of a table whose rows have a style each.

    Args:
        styles: Style of each row.
        shares: Share of each style among the rows that were fitted.
        rows: How many these were.

    Returns:
        The style where it stood for one row; else a negative number of the row's own, [n].
    """
    single = np.rint(shares * rows) <= 1
    return np.where(single[styles], styles, ALONE - np.arange(len(styles)))


def parent_codes(
    metadata: Metadata,
    plan: TablePlan,
    links: Mapping[str, Ints],
    codes: Mapping[str, Ints],
) -> dict[str, Ints]:
    """What stands for the parents of a table's rows, by relation: -1 where there is none.

    Args:
        metadata: The schema.
        plan: The roles of the table's foreign keys.
        links: Parent row of each row, by relation.
        codes: What stands for each row of a table, by table: the row itself where it is kept,
            `own_codes` where it has a style of its own. Other tables determine nothing.
    """
    early = {plan.primary, *plan.assigned, *plan.as_category}
    return {
        r.name: np.where(links[r.name] < 0, -1, codes[r.parent][np.maximum(links[r.name], 0)])
        for r in metadata.relationships
        if r.name in early and r.name in links and len(codes.get(r.parent, ()))
    }


def family_of(
    metadata: Metadata,
    plan: Plan,
    name: str,
    tables: Mapping[str, pa.Table],
    links: Mapping[str, Ints],
    units: Ints | None = None,
) -> Family:
    """The tables around one, as far as there is one way there and it is known in time.

    Args:
        metadata: The schema.
        plan: The roles of all foreign keys.
        name: The table.
        tables: All rows of all tables.
        links: Parent row of each row, by relation.
        units: The person that each row of the table belongs to, where people are known.
    """

    def known(relation: Relationship) -> bool:
        role = plan.tables[relation.child]
        early = relation.name in {role.primary, *role.assigned, *role.as_category}
        ways = [r for r in metadata.parents(relation.child) if r.parent == relation.parent]
        return early and len(ways) == 1 and relation.parent != relation.child

    above = tuple(r for r in metadata.parents(name) if known(r))
    below = tuple(filter(known, metadata.children(name)))
    return Family(metadata, tables, links, above, below, plan.tables[name].primary, units)


def take_out(
    family: Family, name: str, codes: Mapping[str, Ints], chosen: Rules, *, infer: bool = True
) -> tuple[TableRules, Metadata, pa.Table]:
    """The rules of a table, and its metadata and rows without what they determine."""
    metadata, table = family.metadata, family.tables[name]
    infer = infer and chosen != "none"
    if not infer and not isinstance(chosen, Mapping) and not metadata.tables[name].sequence_index:
        return TableRules(), metadata, table
    declared = {} if isinstance(chosen, str) else {n: r for n, r in chosen.items() if n == name}
    found = infer_rules(
        metadata, {name: table}, codes, declared, infer=infer, families={name: family}
    )
    rules = found.of(name)
    left = rules.forward(table, codes, {o.name: family.values(o) for o in rules.outside})
    return rules, found.metadata(metadata, {name: left}), left


def sequence_of(rules: TableRules, table: pa.Table) -> Ints | None:
    """The row before each row of its parent, -1 for the first, and its position: [n, 2].

    None where the rows of a parent have no order.
    """
    rule = rules.increasing
    if rule is None:
        return None
    columns = {c: plain(table[c]) for c in (rule.target, *rule.members)}
    return rule.sequence(Rows(columns, {}, len(table)))


def still_to_repair(
    rules: TableRules, unique: tuple[tuple[str, ...], ...]
) -> tuple[tuple[str, ...], ...]:
    """Unique keys without those that the order of a parent's rows makes unique."""
    rule = rules.increasing
    if rule is None or not rule.strict:
        return unique
    return tuple(key for key in unique if not {rule.target, *rule.members} <= set(key))
