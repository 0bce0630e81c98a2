"""Rules that hold on every row, found in data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import RARE, Ints
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.rules.binding import bind_rules
from prefect_synth.synth.rules.contradictions import read_rules
from prefect_synth.synth.rules.find_calendar import find_composed, find_parts
from prefect_synth.synth.rules.find_clocks import find_clock_sums, find_clocks
from prefect_synth.synth.rules.find_formulas import find_products, find_sums
from prefect_synth.synth.rules.find_groups import find_one_hot
from prefect_synth.synth.rules.find_increasing import bind_sequence, find_increasing
from prefect_synth.synth.rules.find_lookups import find_lookups
from prefect_synth.synth.rules.find_order import find_inequalities
from prefect_synth.synth.rules.find_relations import (
    find_child_sums,
    find_copies,
    find_orders_above,
)
from prefect_synth.synth.rules.rule import Rows
from prefect_synth.synth.rules.ruleset import RuleSet
from prefect_synth.synth.rules.search import FEWEST, Family, Search
from prefect_synth.synth.rules.single import Constant

_FINDERS = (
    find_one_hot,
    find_composed,
    find_sums,
    find_clock_sums,
    find_products,
    find_parts,
    find_lookups,
    find_clocks,
    find_increasing,
    find_inequalities,
)


def infer_rules(
    metadata: Metadata,
    tables: Mapping[str, pa.Table],
    codes: Mapping[str, Ints] | None = None,
    declared: Mapping[str, Sequence[str]] | None = None,
    *,
    infer: bool = True,
    families: Mapping[str, Family] | None = None,
) -> RuleSet:
    """Find the rules that every row of `tables` obeys, beside those that are declared.

    Args:
        metadata: The schema.
        tables: All rows.
        codes: By relation, the code of each child row's parent (the row of a kept table, or the
            parent's style), -1 for none. A foreign key without codes determines nothing.
        declared: Rules as people write them, by table: in force whatever the rows say.
        infer: Whether others are looked for.
        families: The tables around each, for rules across relations.

    Raises:
        RuleError: A declared rule is not understood, does not fit, or contradicts another.
    """
    read = read_rules(metadata, declared or {})
    found = {}
    for name, table in tables.items():
        search = Search.of(metadata, name, table, codes or {}, (families or {}).get(name))
        bind_rules(search, read.get(name, []))
        bind_sequence(search, metadata.tables[name])
        if infer and len(table) >= FEWEST:
            _infer(search)
        found[name] = search.result()
    return RuleSet({name: rules for name, rules in found.items() if rules.rules})


def _infer(search: Search) -> None:
    if search.family is not None:
        find_copies(search, search.family)
        find_child_sums(search, search.family)
    _find_constants(search)
    for finder in _FINDERS:
        finder(search)
    if search.family is not None:
        find_orders_above(search, search.family)


def _are_many(rows: Rows) -> bool:
    people = rows.length if rows.units is None else len(np.unique(rows.units))
    return people >= RARE


def _find_constants(search: Search) -> None:
    """Accept columns of one value; they take part in no other rule."""
    for column in list(search.free):
        values = search.rows.columns[column]
        different = pc.count_distinct(values, "only_valid").as_py()
        if different == 1 and not values.null_count and _are_many(search.rows):
            value = values.slice(0, 1)
            search.accept(Constant(column, value, pa.schema([("v", values.type)])))
        if different < 2:
            search.free.remove(column)
