"""Functional dependencies of one to three determinants, where they are a map of the domain.

Rows are sorted by the determinants' numbers; a dependency is broken where two neighbours have one
key and two values. What a random determinant, or a random target, would hardly break says nothing
and is not taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import RARE, Ints
from prefect_synth.synth.encoding.units import holders
from prefect_synth.synth.rules.lookup import fit_lookup
from prefect_synth.synth.rules.search import Search
from prefect_synth.synth.rules.units import is_number

_SCREENED = 20_000
_MOST_DETERMINANTS = 3
_REPEATED = 0.6
_STORED = 0.5
_BROKEN = 30
_MOST_KEYS = 20_000
_WIDEST = 24
_FIRST = 1500
_SPARSE = 10
_SLIPS = 0.001
_OF_CHANCE = 0.01


def find_lookups(search: Search) -> None:
    """Accept dependencies: of numbers on names first, of fewer determinants and keys first."""
    # neighbours of one key are compared: rows that are sorted in any way must not be
    mixed = np.random.Generator(np.random.Philox(key=4)).permutation(search.rows.length)
    codes = {name: code[mixed] for name, code in _codes(search).items()}
    units = None if search.rows.units is None else search.rows.units[mixed]
    rows = _screened(search.rows.length)
    few = {name: code[rows[:: len(rows) // _FIRST + 1]] for name, code in codes.items()}
    seen = {name: code[rows] for name, code in codes.items()}
    measured = {c for c in codes if c in search.free and is_number(search.rows.columns[c].type)}
    names = [c for c in codes if c not in measured]
    targets = [c for c in search.free if c in codes]
    done: dict[str, list[set[str]]] = {c: [] for c in targets}
    for among, of in ((names, [t for t in targets if t in measured]), (list(codes), targets)):
        for chosen in _sets(codes, among, len(rows)):
            wanted = [
                t
                for t in search.open(of)
                if t not in chosen and not any(d <= set(chosen) for d in done[t])
            ]
            left = _unbroken(few, chosen, wanted, 0)
            for target in _unbroken(seen, chosen, left, _BROKEN):
                done[target].append(set(chosen))
                if _is_map(codes, chosen, target, units) and _is_telling(codes, chosen, target):
                    _accept(search, chosen, target)


def _sets(codes: dict[str, Ints], among: list[str], rows: int) -> Iterator[tuple[str, ...]]:
    """Sets of determinants that are not too many keys for the rows."""
    sizes = {name: float(code.max()) + 1 for name, code in codes.items()}
    for size in range(1, _MOST_DETERMINANTS + 1):
        sets = {s: np.prod([sizes[c] for c in s]) for s in combinations(among, size)}
        most = rows * (_SPARSE if size > 1 else 1)
        yield from (s for s in sorted(sets, key=lambda s: sets[s]) if sets[s] <= most)


def _codes(search: Search) -> dict[str, Ints]:
    """Numbers of the values of each column that may take part, and of parents."""
    codes: dict[str, Ints] = {}
    for column in search.free:
        values = search.rows.columns[column]
        number = np.asarray(pc.dictionary_encode(values, "encode").indices).astype(np.int64)
        if len(number) and 0 < number.max() < min(_MOST_KEYS, 0.5 * len(number)):
            codes[column] = number
    codes = dict(sorted(codes.items(), key=lambda item: item[1].max())[:_WIDEST])
    for relation in search.relations:
        number = np.unique(search.rows.codes[relation], return_inverse=True)[1]
        if len(number) and 0 < number.max() < _MOST_KEYS:
            codes[_RELATION + relation] = number
    return codes


_RELATION = "\x1fcode "


def _screened(rows: int) -> Ints:
    return np.arange(min(rows, _SCREENED))


def _unbroken(
    codes: dict[str, Ints], chosen: Sequence[str], targets: Sequence[str], fewest: int
) -> list[str]:
    """Those of `targets` about which hardly any two rows of one key disagree.

    Args:
        codes: Numbers of each column's values.
        chosen: The determinants.
        targets: Columns that they may determine.
        fewest: Pairs of rows of one key that are asked for.
    """
    if not targets:
        return []
    number = _number(codes, chosen)
    order = np.argsort(number, kind="stable")
    same = np.diff(number[order]) == 0
    first, second = order[:-1][same], order[1:][same]
    if len(first) < fewest:
        return []
    most = max(_SLIPS * len(number), 2)
    return [t for t in targets if (codes[t][first] != codes[t][second]).sum() <= most]


def _is_map(codes: dict[str, Ints], chosen: Sequence[str], target: str, units: Ints | None) -> bool:
    """Whether most rows, with the usual value and without, have a key that may be stored."""
    key = np.unique(_number(codes, chosen), return_inverse=True)[1]
    counts = np.bincount(key)
    stored = (holders(key, len(counts), units) >= RARE)[key]
    unusual = codes[target] != np.bincount(codes[target]).argmax()
    repeated = (counts > 1)[key].mean() >= _REPEATED and len(counts) < _MOST_KEYS
    return bool(repeated and stored.mean() >= _STORED and stored[unusual].mean() >= _STORED)


def _is_telling(codes: dict[str, Ints], chosen: Sequence[str], target: str) -> bool:
    """Whether a random target, or a random one of the determinants, would break it often.

    Slips of the data are few beside that; rare events, which no key tells, would not be.
    """
    rng = np.random.Generator(np.random.Philox(key=2))
    slips = _broken(codes, chosen, target)
    if slips > _SLIPS * len(codes[target]):
        return False
    return all(
        _broken({**codes, c: rng.permutation(codes[c])}, chosen, target)
        >= max(_BROKEN, slips / _OF_CHANCE)
        for c in (target, *chosen)
    )


def _broken(codes: dict[str, Ints], chosen: Sequence[str], target: str) -> int:
    number = _number(codes, chosen)
    order = np.argsort(number, kind="stable")
    same = np.diff(number[order]) == 0
    return int((np.diff(codes[target][order]) != 0)[same].sum())


def _number(codes: dict[str, Ints], chosen: Sequence[str]) -> Ints:
    number = np.zeros(len(codes[chosen[0]]), np.int64)
    for name in chosen:
        number = number * (int(codes[name].max()) + 1) + codes[name]
    return number


def _accept(search: Search, chosen: Sequence[str], target: str) -> bool:
    columns = [c for c in chosen if not c.startswith(_RELATION)]
    relations = [c.removeprefix(_RELATION) for c in chosen if c.startswith(_RELATION)]
    parents = {r: search.relations[r] for r in relations}
    rule = fit_lookup(search.rows, target, columns, parents)
    return len(rule.keys) > 0 and search.accept(rule, nearly=True)
