"""Rules across a relation: copies of a parent's column, an order with it, sums of the children."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.metadata import Relationship
from prefect_synth.synth.rules.find_order import accept_bounded, pairs_in_order
from prefect_synth.synth.rules.formulas import Sum
from prefect_synth.synth.rules.order import common_scale
from prefect_synth.synth.rules.outside import (
    Outside,
    child_sums,
    of_children,
    of_parent,
    parent_values,
)
from prefect_synth.synth.rules.rule import agree
from prefect_synth.synth.rules.search import FEWEST, Family, Search
from prefect_synth.synth.rules.single import Copied
from prefect_synth.synth.rules.units import Units, is_moment, numbers, plain

_WIDEST = 8
_LOOKED_AT = 300
_SEVERAL = 10


def find_copies(search: Search, family: Family) -> None:
    """Accept columns that repeat a column of the row's parent."""
    for relation in family.above:
        parent = family.tables[relation.parent]
        for target in search.open([c for c in search.rows.columns if c not in search.keys]):
            kind = search.rows.columns[target].type
            for column in parent.column_names:
                if column in relation.parent_columns or plain(parent[column]).type != kind:
                    continue
                if _repeats(search, family, relation, target, column):
                    break


def _repeats(
    search: Search, family: Family, relation: Relationship, target: str, column: str
) -> bool:
    link, own = family.links[relation.name][search.sample], search.rows.columns[target]
    first = parent_values(family.tables[relation.parent][column], link)
    if not agree(first, own.take(pa.array(search.sample))).all() or not first.is_valid().true_count:
        return False
    outside = of_parent(relation, column)
    values = search.see(outside)
    both = pc.and_(values.is_valid(), own.is_valid())
    if pc.count_distinct(own.filter(both)).as_py() < _SEVERAL:
        return False
    return search.accept(Copied(target, outside.name, pa.schema([("v", own.type)])))


def find_orders_above(search: Search, family: Family) -> None:
    """Accept dates that are never before, or never after, a date of the row's parent."""
    for relation in family.above:
        parent = family.tables[relation.parent]
        moments = [c for c in parent.column_names if is_moment(plain(parent[c]).type)]
        seen = [of_parent(relation, c) for c in moments]
        for outside in seen:
            search.see(outside)
        for target in search.datetimes:
            names = [target, *(o.name for o in seen)]
            scale = common_scale([search.rows.columns[n] for n in names])
            if scale is not None and len(names) > 1:
                pairs = pairs_in_order(search, names, scale)
                accept_bounded(search, target, pairs, scale, {o.name for o in seen})


def find_child_sums(search: Search, family: Family) -> None:
    """Accept columns that are the sum over the row's children, or their number."""
    for relation in family.below:
        link = family.links[relation.name]
        chosen = _some_families(link, search.rows.length)
        for target in search.open(search.numeric):
            _accept_sum(search, family, relation, target, chosen)


def _some_families(link: Ints, parents: int) -> Ints:
    """Children of some parents, those with several first."""
    counts = np.bincount(link[link >= 0], minlength=parents)
    most = np.argsort(-np.minimum(counts, 3), kind="stable")[:_LOOKED_AT]
    wanted = np.zeros(parents + 1, bool)
    wanted[most] = True
    return np.flatnonzero(wanted[link])


def _accept_sum(
    search: Search, family: Family, relation: Relationship, target: str, chosen: Ints
) -> None:
    link = family.links[relation.name]
    goal = search.units(target)
    families = np.unique(link[chosen]) if len(chosen) else chosen
    counts = np.bincount(link[chosen], minlength=search.rows.length) if len(chosen) else chosen
    if goal is None or len(families) < FEWEST or (counts > 1).sum() < _SEVERAL:
        return
    for outside, columns in _summed(family, relation, chosen):
        digits = sum(outside.digits)
        if digits > goal.decimals:
            continue
        sums = child_sums(outside, columns, link[chosen], search.rows.length)[families]
        weight = 10 ** (goal.decimals - digits)
        if len(np.unique(sums)) < _SEVERAL or (goal.whole[families] != weight * sums).any():
            continue
        search.see(outside)
        kind = pa.schema([("v", search.rows.columns[target].type)])
        rule = Sum(target, (outside.name,), (weight,), 0, (digits, goal.decimals), kind)
        if search.accept(rule):
            return


def _summed(
    family: Family, relation: Relationship, chosen: Ints
) -> list[tuple[Outside, dict[str, pa.Array]]]:
    """Sums to try: the number of children, each number column, and products of two."""
    child = family.tables[relation.child]
    taken = child.take(pa.array(chosen))
    known = family.metadata.tables[relation.child].columns
    units: dict[str, Units] = {}
    for name in child.column_names:
        found = numbers(plain(taken[name])) if known[name].sdtype == "numerical" else None
        whole = None if found is None else numbers(plain(child[name]))
        if whole is not None and len(units) < _WIDEST:
            units[name] = whole
    sets: list[tuple[str, ...]] = [(), *((c,) for c in units), *combinations(units, 2)]
    return [
        (
            of_children(relation, names, tuple(units[n].decimals for n in names)),
            {n: plain(taken[n]) for n in names},
        )
        for names in sets
    ]
