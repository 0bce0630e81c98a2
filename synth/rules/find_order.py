"""Inequalities between columns that hold on every row and say something.

Columns that never meet (a month is below any income) say nothing: the pair is taken only where
a random pairing of their values would often be out of order.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.ticks import fit_ticks
from prefect_synth.synth.rules.order import Above, Between, Scale, common_scale, in_order
from prefect_synth.synth.rules.search import FEWEST, Search

_OUT_OF_ORDER = 0.05
_EVIDENCE = 10
_EQUAL = 0.95
_NEAR = 0.5


def find_inequalities(search: Search) -> None:
    """Accept `a <= b` and `a < b` between free columns, or between a free one and a computed."""
    for columns in (search.datetimes, search.numeric):
        scale = common_scale([search.rows.columns[c] for c in columns])
        if scale is not None and len(columns) > 1:
            pairs = pairs_in_order(search, columns, scale)
            for target in columns:
                accept_bounded(search, target, pairs, scale)


def pairs_in_order(
    search: Search, columns: Sequence[str], scale: Scale
) -> dict[tuple[str, str], bool]:
    """Pairs in order on every row, and whether strictly."""
    units = {c: scale.read(search.rows.columns[c]) for c in columns}
    at, rng = search.sample, np.random.Generator(np.random.Philox(key=3))
    found = {}
    for low in columns:
        for high in columns:
            less, more = units[low], units[high]
            both = less.valid[at] & more.valid[at]
            a, b = less.whole[at][both], more.whole[at][both]
            if low == high or len(a) < FEWEST or (a > b).any() or (a == b).mean() > _EQUAL:
                continue
            wrong = float((a > rng.permutation(b)).mean())
            if wrong < _OUT_OF_ORDER or wrong * len(a) < _EVIDENCE:
                continue
            if in_order(search.rows, scale, low, high, strict=False).all():
                strict = in_order(search.rows, scale, low, high, strict=True).all()
                found[low, high] = bool(strict)
    return found


def accept_bounded(
    search: Search,
    target: str,
    pairs: dict[tuple[str, str], bool],
    scale: Scale,
    fixed: Collection[str] = (),
) -> None:
    """Bound a free column from below by those before it, and from above by computed ones.

    Args:
        search: The search.
        target: The column.
        pairs: Pairs in order, and whether strictly.
        scale: What they are compared in.
        fixed: Columns of other tables, which nothing here can change.
    """
    if target in {r.target for r in search.found}:
        return
    computed = {r.target for r in search.found} | set(fixed)
    lows = [a for a, b in pairs if b == target and target not in search.depends(a)]
    highs = [
        b for a, b in pairs if a == target and b in computed and target not in search.depends(b)
    ]
    # of a chain only the next: the others follow from it
    lows = [a for a in lows if not any((a, other) in pairs for other in lows if other != a)]
    if any(a in computed for a in lows) and highs:
        highs = []
    if not lows and not highs:
        return
    kind = search.rows.columns[target].type
    of_target = replace(scale, step=own_step(search, target, scale))
    schema = pa.schema([("v", kind)])
    if len(lows) == 1 and not highs and _is_near(search, lows[0], target, scale):
        search.accept(Above(target, lows[0], pairs[lows[0], target], of_target, schema))
        return
    search.accept(
        Between(
            target,
            tuple((a, pairs[a, target]) for a in lows),
            tuple((b, pairs[target, b]) for b in highs),
            of_target,
            schema,
        )
    )


def _is_near(search: Search, low: str, high: str, scale: Scale) -> bool:
    """Whether the distance varies less than the column, and is known wherever the column is."""
    less, more = (scale.read(search.rows.columns[c]) for c in (low, high))
    if (more.valid & ~less.valid).any():
        return False
    step = own_step(search, high, scale)
    if ((more.whole - less.whole)[more.valid] % step).any():
        return False
    apart = (more.whole - less.whole)[more.valid].astype(float)
    return bool(apart.std() < _NEAR * more.whole[more.valid].astype(float).std())


def own_step(search: Search, column: str, scale: Scale) -> int:
    """The column's own finest step, in units of the scale."""
    values = search.rows.columns[column].drop_null()
    ticks = fit_ticks(values)
    if not scale.unit:
        return 1 if ticks.is_continuous else ticks.step * 10 ** (scale.decimals - ticks.decimals)
    have = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
    if pa.types.is_date(values.type):
        return 86_400 * have[scale.unit]
    return max(ticks.step * have[scale.unit] // have[values.type.unit], 1)
