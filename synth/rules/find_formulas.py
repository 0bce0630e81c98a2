"""Sums, differences and unit splits, by the null directions of small sets of columns.

Columns a, b, c obey `x a + y b + z c + w = 0` exactly where the covariance of a sample is singular;
the singular direction gives the weights, which are then verified in whole numbers on every row.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Floats
from prefect_synth.synth.rules.formulas import Product, Sum, round_units
from prefect_synth.synth.rules.search import FEWEST, Search

_SINGULAR = 1e-9
_LARGEST = 10**6
_AT_ONCE = 500
_WIDEST = 40
_SCREENED = 100
_SIGNS = ((0, 0), (0, -1), (0, 1), (-1, 0), (1, 0))


def find_sums(search: Search) -> None:
    """Accept sums of two columns with a constant, then of one, then of any number."""
    columns = search.numeric[:_WIDEST]
    for size in (2, 3):
        for chosen in _singular(search, search.open(columns), size):
            if len(search.open(chosen)) == size:
                _accept_sum(search, chosen)
    _find_wide(search, search.open(columns))


def find_products(search: Search) -> None:
    """Accept `c = round(a * b)`, where a factor may be one less or more a share."""
    columns = search.open(search.numeric[:_WIDEST])
    values, steps = _screen(search, columns)
    for first, second in combinations(range(len(columns)), 2):
        factors = (columns[first], columns[second])
        for target, signs in _likely(values, steps, (first, second)):
            if search.open([columns[target]]):
                rule = _product(search, columns[target], factors, signs)
                if rule is not None:
                    search.accept(rule)


def _screen(search: Search, columns: Sequence[str]) -> tuple[Floats, Floats]:
    """Numbers in some rows, NaN where they are null, [n, columns], and the unit of each column."""
    at = search.sample[:: max(len(search.sample) // _SCREENED, 1)]
    units = [u for u in map(search.units, columns) if u]
    steps = np.array([10.0**-u.decimals for u in units])
    known = [np.where(u.valid[at], u.whole[at], np.nan) for u in units]
    return np.column_stack([*known, np.zeros((len(at), 0))]) * steps, steps


def _likely(
    values: Floats, steps: Floats, factors: tuple[int, int]
) -> list[tuple[int, tuple[int, int]]]:
    """Columns that are near a product in every row that is looked at, and the signs of it."""
    found = []
    for signs in _SIGNS:
        parts = [
            1 + s * values[:, f] if s else values[:, f] for f, s in zip(factors, signs, strict=True)
        ]
        product = (parts[0] * parts[1])[:, None]
        far = np.abs(values - product) > 2 * steps + 1e-9 * np.abs(product)
        found += [(int(t), signs) for t in np.flatnonzero(~far.any(axis=0)) if t not in factors]
    return sorted(found, key=lambda f: (f[0], _SIGNS.index(f[1])))


def _singular(search: Search, columns: list[str], size: int) -> list[tuple[str, ...]]:
    """Sets of columns whose covariance over the sample is singular, and of no subset is."""
    sets = list(combinations(range(len(columns)), size))
    if not sets:
        return []
    values, valid = _matrix(search, columns)
    found: list[tuple[str, ...]] = []
    for start in range(0, len(sets), _AT_ONCE):
        at = np.array(sets[start : start + _AT_ONCE])
        known = np.asarray(valid[:, at].all(axis=2))  # [n, sets]
        correlation, enough = _correlations(values[:, at], known)
        smallest = np.linalg.eigvalsh(correlation)
        hit = enough & (smallest[:, 0] < _SINGULAR) & (smallest[:, 1] > 1e-7)
        found += [tuple(columns[j] for j in chosen) for chosen in at[hit]]
    return found


def _matrix(search: Search, columns: Sequence[str]) -> tuple[Floats, np.ndarray]:
    """Units of the sample, centred and scaled, [n, columns], and where they are known."""
    units = [search.units(c) for c in columns]
    values = np.column_stack([u.whole[search.sample] for u in units if u]).astype(float)
    valid = np.column_stack([u.valid[search.sample] for u in units if u])
    known = np.maximum(valid.sum(axis=0), 1)
    centred = np.where(valid, values - np.where(valid, values, 0.0).sum(axis=0) / known, 0.0)
    spread = np.sqrt((centred**2).sum(axis=0) / known)
    return centred / np.maximum(spread, 1e-12), valid


def _correlations(values: Floats, known: np.ndarray) -> tuple[Floats, np.ndarray]:
    """Correlation matrix of each set over its complete rows, and whether there are enough."""
    count = known.sum(axis=0)
    weight = known[:, :, None]
    mean = (values * weight).sum(axis=0) / np.maximum(count, 1)[:, None]
    centred = (values - mean) * weight
    covariance = np.einsum("nsi,nsj->sij", centred, centred)
    spread = np.sqrt(np.einsum("sii->si", covariance))
    enough = (count >= FEWEST) & (spread > 1e-6).all(axis=1)
    scale = np.maximum(spread, 1e-12)
    correlation = covariance / (scale[:, :, None] * scale[:, None, :])
    correlation[~enough] = np.eye(values.shape[2])
    return correlation, enough


def _accept_sum(search: Search, chosen: Sequence[str]) -> bool:
    """Try each column as the target: first where all weights are positive, then later columns."""
    tried = [_sum(search, target, [c for c in chosen if c != target]) for target in chosen]
    rules = [rule for rule in tried if rule is not None]
    order = {c: j for j, c in enumerate(search.free)}
    rules.sort(key=lambda r: (min(r.weights) < 0, -order[r.target]))
    return any(search.accept(rule) for rule in rules)


def _sum(search: Search, target: str, terms: Sequence[str]) -> Sum | None:
    units = [search.units(c) for c in (*terms, target)]
    at = search.sample
    known = np.all([u.valid[at] for u in units if u], axis=0)
    x = np.column_stack([u.whole[at][known] for u in units[:-1] if u]).astype(float)
    goal = units[-1]
    assert goal is not None  # noqa: S101 - numeric
    y = goal.whole[at][known].astype(float)
    if len(np.unique(x, axis=0)) < FEWEST // 2:
        return None
    scale = np.maximum(x.std(axis=0), 1e-12)
    slopes = np.linalg.lstsq((x - x.mean(axis=0)) / scale, y - y.mean(), rcond=None)[0] / scale
    weights = np.rint(slopes)
    near = np.abs(slopes - weights) <= 1e-6 * np.maximum(np.abs(weights), 1)
    if not near.all() or not weights.all() or np.abs(weights).max() > _LARGEST:
        return None
    constant = round(float(np.median(y - x @ weights)))
    return Sum(
        target,
        tuple(terms),
        tuple(int(w) for w in weights),
        constant,
        tuple(u.decimals for u in units if u),
        pa.schema([("v", search.rows.columns[target].type)]),
    )


def _find_wide(search: Search, columns: list[str]) -> None:
    """Sums of three terms and more: a column that a regression on all others leaves nothing of."""
    values, valid = _matrix(search, columns) if len(columns) > 3 else (np.zeros((0, 0)), None)
    if valid is None or valid.all(axis=1).sum() < FEWEST + len(columns):
        return
    values = values[valid.all(axis=1)]
    values = values - values.mean(axis=0)
    varied = [j for j in range(len(columns)) if values[:, j].std() > 1e-9]
    for j in varied:
        others = [k for k in varied if k != j]
        slopes, *_ = np.linalg.lstsq(values[:, others], values[:, j], rcond=None)
        left = values[:, j] - values[:, others] @ slopes
        terms = [columns[k] for k, s in zip(others, slopes, strict=True) if abs(s) > 1e-7]
        if np.abs(left).max() < 1e-6 and len(terms) > 2:
            chosen = [c for c in columns if c in terms or c == columns[j]]
            if len(search.open(chosen)) == len(chosen):
                _accept_sum(search, chosen)


def _product(
    search: Search, target: str, factors: tuple[str, str], signs: tuple[int, int]
) -> Product | None:
    """The product where it is right in the sample, with either way to round."""
    at = search.sample
    goal = search.units(target)
    assert goal is not None  # noqa: S101 - numeric
    known, whole = goal.valid[at], np.ones(len(at), np.int64)
    telling, digits = known, 0
    for factor, sign in zip(factors, signs, strict=True):
        part = search.units(factor)
        assert part is not None  # noqa: S101 - numeric
        values, one = part.whole[at], 10**part.decimals
        if sign and not (part.decimals and values.min() >= 0 and values.max() <= one):
            return None
        known = known & part.valid[at]
        telling = telling & known & (values != 0) & ((values != one) | (sign != 0))
        whole, digits = whole * (one + sign * values if sign else values), digits + part.decimals
    if telling.sum() < FEWEST // 2 or len(np.unique(whole[telling])) < FEWEST // 2:
        return None
    cut, wanted = digits - goal.decimals, goal.whole[at][known]
    kind = pa.schema([("v", search.rows.columns[target].type)])
    decimals = (*(_digits(search, f) for f in factors), goal.decimals)
    off = {e: np.abs(round_units(whole[known], cut, even=e) - wanted) for e in (False, True)}
    even = bool(off[True].sum() < off[False].sum())
    if off[even].max(initial=0) > (cut > 0):
        return None
    return Product(target, factors, signs, decimals, even, kind)


def _digits(search: Search, column: str) -> int:
    units = search.units(column)
    return units.decimals if units else 0
