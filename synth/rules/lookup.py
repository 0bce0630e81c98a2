"""Functional dependencies: one to three columns, or parents, that determine another column.

The map is stored only as far as it is a map of the domain: keys of fewer than `RARE` rows, or of
fewer people where these are known, are left out. A key that is not stored gets a value that is
consistent for the longest part of it that is, chosen by a hash of the key, so that equal keys have
equal values in whatever block they are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import RARE, Ints
from prefect_synth.synth.encoding.units import holders
from prefect_synth.synth.metrics.hashing import Hashes, combine, hash_values, mix
from prefect_synth.synth.rules.formulas import quoted
from prefect_synth.synth.rules.rule import ALONE, Rows
from prefect_synth.synth.storage import stored


@stored
@dataclass(frozen=True)
class Backoff:
    """A part of the key: which stored keys share it.

    Args:
        parts: Places of the determinants that it consists of.
        keys: The part's distinct numbers among the stored keys, ascending.
        starts: Where the entries of each begin, and their end.
        entries: Stored keys in the order of this part.
    """

    parts: tuple[int, ...]
    keys: Ints
    starts: Ints
    entries: Ints


@stored
@dataclass(frozen=True)
class Lookup:
    """`origin, dest -> distance`.

    Args:
        target: The column that is determined.
        columns: Determinants that are columns.
        parents: Determinants that are foreign keys, as the project file has them, by relation.
        levels: Known values of each column.
        codes: Known codes of each parent.
        keys: Stored keys as one number each, ascending.
        values: The target of each stored key.
        backoffs: Parts of the key, the most telling first.
        kind: Schema with one field of the target's type.
    """

    target: str
    columns: tuple[str, ...]
    parents: dict[str, str]
    levels: tuple[pa.Array, ...]
    codes: tuple[Ints, ...]
    keys: Ints
    values: pa.Array
    backoffs: tuple[Backoff, ...]
    kind: pa.Schema
    determines: bool = True

    @property
    def inputs(self) -> tuple[str, ...]:
        """The determinants that are columns."""
        return self.columns

    @property
    def relations(self) -> tuple[str, ...]:
        """The determinants that are foreign keys."""
        return tuple(self.parents)

    def text(self) -> str:
        """`a, b -> c`."""
        names = [quoted(c) for c in (*self.columns, *self.parents.values())]
        return f"{', '.join(names)} -> {quoted(self.target)}"

    def holds(self, rows: Rows) -> np.ndarray:
        """Rows whose target is that of the first row of their key."""
        parts = [pc.dictionary_encode(rows.columns[c], "encode").indices for c in self.columns]
        number = np.zeros(rows.length, np.int64)
        for part in [*map(np.asarray, parts), *(rows.codes[r] for r in self.parents)]:
            number = np.unique(part, return_inverse=True)[1] + number * (
                int(part.max(initial=0)) + 2
            )
            number = np.unique(number, return_inverse=True)[1]
        return same_within(number, _codes(rows.columns[self.target]))

    def forward(self, rows: Rows) -> dict[str, pa.Array]:
        """Nothing: the key says it all."""
        return {}

    def backward(self, rows: Rows, rng: np.random.Generator) -> pa.Array:
        """The stored value of each key, or one that is consistent for a part of it."""
        parts = self._parts(rows)
        number = _number(parts, range(len(parts)), self._sizes)
        found = _locate(self.keys, number, np.all([p >= 0 for p in parts], axis=0))
        lost = np.flatnonzero(found < 0)
        if len(lost):
            found[lost] = self._fallback([p[lost] for p in parts], self._hash(rows, lost))
        return self.values.take(pa.array(found))

    @property
    def _sizes(self) -> list[int]:
        return [len(level) for level in (*self.levels, *self.codes)]

    def _parts(self, rows: Rows) -> list[Ints]:
        """The number of each determinant's value among the known ones, -1 for others."""
        columns = [
            np.asarray(pc.index_in(rows.columns[c], level).fill_null(-1)).astype(np.int64)
            for c, level in zip(self.columns, self.levels, strict=True)
        ]
        parents = [
            _locate(known, rows.codes[relation], np.ones(rows.length, bool))
            for relation, known in zip(self.parents, self.codes, strict=True)
        ]
        return [*columns, *parents]

    def _hash(self, rows: Rows, at: Ints) -> Hashes:
        hashes = np.zeros(len(at), np.uint64)
        for column in self.columns:
            hashes = combine(hashes, hash_values(rows.columns[column].take(pa.array(at))))
        for relation in self.parents:
            hashes = combine(hashes, mix(rows.codes[relation][at].astype(np.int64).view(np.uint64)))
        return hashes

    def _fallback(self, parts: list[Ints], hashes: Hashes) -> Ints:
        chosen = (hashes % np.uint64(len(self.values))).astype(np.int64)
        waiting = np.ones(len(chosen), bool)
        for backoff in self.backoffs:
            number = _number(parts, backoff.parts, self._sizes)
            known = np.all([parts[k] >= 0 for k in backoff.parts], axis=0) & waiting
            at = _locate(backoff.keys, number, known)
            there = np.flatnonzero(at >= 0)
            starts = backoff.starts[at[there]]
            sizes = backoff.starts[at[there] + 1] - starts
            picked = starts + (hashes[there] % sizes.astype(np.uint64)).astype(np.int64)
            chosen[there] = backoff.entries[picked]
            waiting[there] = False
        return chosen


def fit_lookup(
    rows: Rows, target: str, columns: Sequence[str], parents: Mapping[str, str]
) -> Lookup:
    """Store the map that `rows` obey, without keys of fewer than `RARE` rows or people."""
    values = rows.columns[target]
    levels = [pc.unique(rows.columns[c]) for c in columns]
    codes = [np.unique(rows.codes[r]) for r in parents]
    parts = [
        np.asarray(pc.index_in(rows.columns[c], level)).astype(np.int64)
        for c, level in zip(columns, levels, strict=True)
    ]
    parts += [np.searchsorted(k, rows.codes[r]) for r, k in zip(parents, codes, strict=True)]
    sizes = [len(level) for level in (*levels, *codes)]
    first = _usual(_number(parts, range(len(parts)), sizes), _codes(values), rows.units)
    shared = [rows.codes[r][first] > ALONE for r in parents]
    first = first[np.all(shared, axis=0)] if shared else first
    # numbers of levels that no stored key has tell of rare rows: number the others anew
    kept = [np.unique(part[first]) for part in parts]
    parts = [np.searchsorted(k, part[first]) for k, part in zip(kept, parts, strict=True)]
    sizes = [len(k) for k in kept]
    number = _number(parts, range(len(parts)), sizes)
    order = np.argsort(number)
    parts = [part[order] for part in parts]
    backoffs = _backoffs(parts, sizes, _codes(values.take(pa.array(first[order]))))
    count = len(columns)
    return Lookup(
        target, tuple(columns), dict(parents),
        tuple(v.take(pa.array(k)) for v, k in zip(levels, kept[:count], strict=True)),
        tuple(v[k] for v, k in zip(codes, kept[count:], strict=True)),
        number[order], values.take(pa.array(first[order])), backoffs,
        pa.schema([("v", values.type)]),
    )  # fmt: skip


def _usual(number: Ints, values: Ints, units: Ints | None) -> Ints:
    """For each key of `RARE` rows or people, a row that has the value most of its rows have."""
    pairs = number * (int(values.max(initial=0)) + 1) + values
    _, first, counts = np.unique(pairs, return_index=True, return_counts=True)
    order = np.lexsort((first, -counts, number[first]))
    first = first[order]
    first = first[np.flatnonzero(np.diff(number[first], prepend=-1))]
    key = np.unique(number, return_inverse=True)[1]
    return first[holders(key, len(first), units)[key[first]] >= RARE]


def same_within(group: Ints, values: Ints) -> np.ndarray:
    """Rows whose value is that of the first row of their group, [n] bool."""
    if not len(group):
        return np.ones(0, bool)
    first = np.full(int(group.max()) + 1, len(group), np.int64)
    np.minimum.at(first, group, np.arange(len(group)))
    return np.asarray(values == values[first[group]])


def _backoffs(parts: list[Ints], sizes: list[int], values: Ints) -> tuple[Backoff, ...]:
    made = []
    for size in range(len(parts) - 1, 0, -1):
        of_size = [_backoff(parts, sizes, c) for c in combinations(range(len(parts)), size)]
        of_size.sort(key=lambda b: (_spread(b, values), b.parts))
        made += of_size
    return tuple(made)


def _backoff(parts: list[Ints], sizes: list[int], chosen: tuple[int, ...]) -> Backoff:
    number = _number(parts, chosen, sizes)
    order = np.argsort(number, kind="stable")
    keys, starts = np.unique(number[order], return_index=True)
    return Backoff(chosen, keys, np.append(starts, len(number)), order)


def _spread(backoff: Backoff, values: Ints) -> float:
    """Distinct values for each number of the part: the fewer, the more it tells."""
    group = np.repeat(np.arange(len(backoff.keys)), np.diff(backoff.starts))
    pairs = group * (int(values.max(initial=0)) + 1) + values[backoff.entries]
    return len(np.unique(pairs)) / max(len(backoff.keys), 1)


def _number(parts: Sequence[Ints], chosen: Sequence[int], sizes: Sequence[int]) -> Ints:
    number = np.zeros(len(parts[0]), np.int64)
    for k in chosen:
        number = number * (sizes[k] + 1) + parts[k]
    return number


def _locate(known: Ints, wanted: Ints, where: np.ndarray) -> Ints:
    """Place of each number among `known` (ascending), -1 where it is not or is not asked for."""
    if not len(known):
        return np.full(len(wanted), -1, np.int64)
    at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where((known[at] == wanted) & where, at, -1)


def _codes(values: pa.Array) -> Ints:
    return np.asarray(pc.dictionary_encode(values, "encode").indices).astype(np.int64)
