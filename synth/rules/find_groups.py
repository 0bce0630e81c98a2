"""Groups of columns of which exactly one is true on every row."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.rules.groups import OneHot, truth
from prefect_synth.synth.rules.search import Search

_FEWEST = 3
_MOST = 200


def find_one_hot(search: Search) -> None:
    """Accept one-hot groups: columns of one name's beginning first, then any."""
    flags = [c for c in search.open(search.free) if _is_flag(search.rows.columns[c])][:_MOST]
    by_name: dict[str, list[str]] = {}
    for column in flags:
        by_name.setdefault(re.split(r"[_.:=\d]", column)[0], []).append(column)
    for group in (*by_name.values(), flags):
        members = _disjoint(search, search.open(group))
        if len(members) >= _FEWEST:
            for member in members:
                kind = pa.schema([("v", search.rows.columns[member].type)])
                search.accept(OneHot(member, tuple(members), kind))


def _is_flag(values: pa.Array) -> bool:
    if values.null_count or not len(values):
        return False
    if pa.types.is_boolean(values.type):
        return True
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        return False
    return set(pc.unique(values.slice(0, 1000)).to_pylist()) <= {0, 1} and set(
        pc.unique(values).to_pylist()
    ) <= {0, 1}


def _disjoint(search: Search, columns: list[str]) -> list[str]:
    """The columns, from the left, that are never true together; none unless one always is."""
    taken = np.zeros(search.rows.length, bool)
    members = []
    for column in columns:
        flags = truth(search.rows.columns[column])
        if flags.any() and not (flags & taken).any():
            taken |= flags
            members.append(column)
    return members if taken.all() else []
