"""How many rows of a balanced table equal a real row by chance: the natural rate by class.

A rare class has more rows that occur once, and a balanced table has more of that class. The rate
of `copies` is therefore told for each class, and weighted by the classes of the balanced table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.expectations.copies import SHUFFLED_ROWS, CopyProfile
from prefect_synth.synth.encoding.layout import Floats
from prefect_synth.synth.metrics.hashing import Hashes
from prefect_synth.synth.metrics.privacy import table_hashes
from prefect_synth.synth.metrics.sources import Ints, read_columns, take_rows
from prefect_synth.synth.metrics.values import plain


@dataclass(frozen=True)
class _Classed:
    """Rows by class.

    Args:
        path: The rows.
        classes: Number of each row's class, [n]; -1 for one that the balanced table lacks.
        weights: Share of each class in the balanced table, [c].
    """

    path: Path
    classes: Ints
    weights: Floats

    def counts(self, which: np.ndarray | None = None) -> Floats:
        """Rows of each class, all or some, [c]."""
        chosen = self.classes if which is None else self.classes[which]
        return np.bincount(chosen[chosen >= 0], minlength=len(self.weights)).astype(float)

    def share(self, which: np.ndarray) -> float:
        """A share of rows, as it were if classes were as frequent as in the balanced table."""
        rows = self.counts()
        there = rows > 0
        weight = self.weights[there].sum()
        shares = self.counts(which)[there] / rows[there]
        return float((self.weights[there] * shares).sum() / weight) if weight else 0.0


def as_balanced(
    copies: CopyProfile, column: str, balanced: Path, real: Path, holdout: Path | None
) -> CopyProfile:
    """What finding copied rows in a balanced table needs.

    Args:
        copies: The same of the table that it has the like of.
        column: The column of the classes.
        balanced: The balanced table.
        real: The real rows that models saw.
        holdout: Those that they did not; None where nothing is held out.
    """
    counted = pc.value_counts(_plain(balanced, column).drop_null()).flatten()
    weights = np.asarray(counted[1], dtype=float)
    weights /= max(weights.sum(), 1.0)
    seen = _classed(real, column, counted[0], weights)
    hashes = table_hashes(real, copies.columns)
    _, place, times = np.unique(hashes, return_inverse=True, return_counts=True)
    rates = [_fresh(seen, times[place] == 2), _shuffled(copies, seen)]
    found = None
    if holdout is not None and copies.holdout is not None:
        unseen = _classed(holdout, column, counted[0], weights)
        found = unseen.share(_met(copies, table_hashes(holdout, copies.columns)))
        rates.append(found)
    unique = seen.share(times[place] == 1)
    return replace(copies, natural=min(1.0, max(rates)), unique=unique, holdout=found)


def _plain(path: Path, column: str) -> pa.ChunkedArray:
    return plain(read_columns(path, [column])[column])


def _classed(path: Path, column: str, classes: pa.Array, weights: Floats) -> _Classed:
    numbers = pc.index_in(_plain(path, column).cast(classes.type), classes)
    return _Classed(path, np.asarray(pc.fill_null(numbers, -1).to_numpy()), weights)


def _met(copies: CopyProfile, hashes: Hashes) -> np.ndarray:
    """Which rows equal a real row that occurs once, [n]."""
    return np.isin(hashes, copies.hashes)


def _fresh(seen: _Classed, twice: np.ndarray) -> float:
    """Good and Turing's rate at the upper end of its sampling error, as `profile_copies` has it."""
    each = 2 * seen.weights / np.maximum(seen.counts(), 1.0)
    pairs = seen.counts(twice) / 2
    error = 2 * np.sqrt((each**2 * pairs).sum()) + 3 * each[seen.counts() > 0].max(initial=0.0)
    return float((each * pairs).sum() + error)


def _shuffled(copies: CopyProfile, seen: _Classed) -> float:
    """The rate of rows whose columns are drawn independently of each other within their class."""
    rng = np.random.default_rng(0)
    most = SHUFFLED_ROWS // max(len(seen.weights), 1)
    chosen = np.sort(np.concatenate([np.zeros(0, np.int64), *_some(seen.classes, most, rng)]))
    rows = take_rows(seen.path, copies.columns, chosen)
    classes = seen.classes[chosen]
    # the rows in an order of their own within each class, for each column
    order = np.argsort(classes, kind="stable")
    mixed = {}
    for column in copies.columns:
        to = np.empty(len(chosen), np.int64)
        to[order] = np.lexsort((rng.random(len(chosen)), classes))
        mixed[column] = rows[column].take(pa.array(to))
    drawn = _Classed(seen.path, classes, seen.weights)
    return drawn.share(_met(copies, table_hashes(pa.table(mixed), copies.columns)))


def _some(classes: Ints, most: int, rng: np.random.Generator) -> Iterator[Ints]:
    """Rows of each class, so many at most; a balanced table has few classes."""
    for number in range(classes.max(initial=-1) + 1):
        rows = np.flatnonzero(classes == number)
        yield rows if len(rows) <= most else rng.choice(rows, most, replace=False)
