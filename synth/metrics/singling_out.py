"""Singling out: do predicates that isolate one synthetic row isolate one real row as well?

As in anonymeter (Giomi et al. 2023), after Cohen and Nissim (2020), "Towards formalizing the
GDPR's notion of singling out", PNAS 117: the attacker takes predicates that hold for exactly one
synthetic row (a value that occurs once, an extreme, or several attributes of one row together)
and wins with each that holds for exactly one real row. Repeated rows count once. How many rows a
predicate isolates depends on how many there are, so both real sides must be equally large. Other
than there, one predicate is taken for each synthetic row: a hundred ways to name the same outlier
are one piece of evidence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prefect_synth.synth.metrics.distances import Sided, units_of
from prefect_synth.synth.metrics.gower import FAR, Float32s, GowerRows
from prefect_synth.synth.metrics.hashing import combine, mix
from prefect_synth.synth.metrics.risk import Risk, risk, worst_risk
from prefect_synth.synth.metrics.sources import Floats, Ints
from prefect_synth.synth.randomness import stream

Bools = npt.NDArray[np.bool_]
EQUAL, AT_MOST, AT_LEAST = 0, 1, 2

_FEWEST = 30  # attacks, of which a rate can be told
_TRIES = 10  # candidates for each wanted predicate
_TOGETHER = 500  # predicates that are evaluated at a time
_ATTRIBUTES = 3


@dataclass(frozen=True)
class Predicates:
    """Conjunctions of conditions, each on a column of its own.

    Args:
        columns: Position of each condition's column among the rows' `names`: (predicates, terms).
        operators: `EQUAL`, `AT_MOST` or `AT_LEAST`, likewise.
        values: What is compared with: scaled numbers, or codes; likewise.
    """

    columns: Ints
    operators: Ints
    values: Floats

    def __len__(self) -> int:
        """How many predicates there are."""
        return len(self.columns)

    def take(self, which: Ints) -> Predicates:
        """Some of the predicates."""
        return Predicates(self.columns[which], self.operators[which], self.values[which])

    def distinct(self) -> Predicates:
        """Each predicate once."""
        words = np.stack([self.columns, self.operators, self.values], axis=2)
        _, first = np.unique(words.reshape(len(self), -1), axis=0, return_index=True)
        return self.take(np.sort(first))

    def isolated(self, rows: GowerRows) -> Ints:
        """The position of the one row for which each predicate holds; -1 where it is not one."""
        parts = [
            self.take(np.arange(start, min(start + _TOGETHER, len(self))))._isolated(rows)
            for start in range(0, len(self), _TOGETHER)
        ]
        return np.concatenate([np.zeros(0, dtype=np.int64), *parts])

    def _isolated(self, rows: GowerRows) -> Ints:
        holds = np.ones((len(self), len(rows)), dtype=bool)
        for i in range(len(rows.names)):
            which, term = np.nonzero(self.columns == i)
            if len(which):
                values, operators = self.values[which, term], self.operators[which, term]
                holds[which] &= _holds(_column(rows, i), values, operators)
        return np.where(holds.sum(axis=1) == 1, holds.argmax(axis=1), -1)


def singling_out(
    sides: Sided, synthetic: GowerRows, *, attacks: int = 1_000, seed: int = 0
) -> Risk | None:
    """Measure the singling-out risk, by one and by three attributes; the worse counts.

    Predicates that isolate the same real row are one piece of evidence, and the interval is as
    wide as that makes it.

    Args:
        sides: Rows that the synthesizer saw, and as many that it never saw.
        synthetic: The synthetic rows.
        attacks: The largest number of predicates of each kind.
        seed: Seed of the choice of predicates.

    Returns:
        None where hardly a predicate isolates a synthetic row.
    """
    own = synthetic.take(first_rows(synthetic))
    kinds = [univariate(own, attacks, seed), multivariate(own, attacks, seed)]
    kinds = [predicates for predicates in kinds if len(predicates) >= _FEWEST]
    return worst_risk([_attack(predicates, sides, len(kinds)) for predicates in kinds])


def univariate(synthetic: GowerRows, attacks: int, seed: int) -> Predicates:
    """Predicates of one attribute: values that occur once, and the extremes of numbers.

    Args:
        synthetic: The synthetic rows, each once.
        attacks: The largest number of predicates.
        seed: Seed of the choice.

    Returns:
        Predicates that isolate a synthetic row.
    """
    columns, operators, values = [], [], []
    for i in range(len(synthetic.names)):
        distinct, counts = np.unique(_column(synthetic, i), return_counts=True)
        once = distinct[counts == 1].astype(np.float64)
        found, how = [once], [np.full(len(once), EQUAL)]
        if i < len(synthetic.number_names) and len(finite := distinct[distinct != FAR]):
            found.append(np.array([finite[0], finite[-1]], dtype=np.float64))
            how.append(np.array([AT_MOST, AT_LEAST]))
        values.append(np.concatenate(found))
        operators.append(np.concatenate(how))
        columns.append(np.full(len(values[-1]), i))
    every = Predicates(*(np.concatenate(x)[:, None] for x in (columns, operators, values)))
    order = stream(seed, "singling out", "one").permutation(len(every))
    return _isolating(every.take(order[: _TRIES * attacks]), synthetic, attacks)


def multivariate(synthetic: GowerRows, attacks: int, seed: int) -> Predicates:
    """Predicates of three attributes of a synthetic row, numbers taken towards their extremes.

    Args:
        synthetic: The synthetic rows, each once.
        attacks: The largest number of predicates.
        seed: Seed of the choice.

    Returns:
        Predicates that isolate a synthetic row; fewer than asked where few do.
    """
    rng, width = stream(seed, "singling out", "several"), len(synthetic.names)
    rows = rng.integers(0, len(synthetic), _TRIES * attacks)
    columns = rng.random((len(rows), width)).argsort(axis=1)[:, :_ATTRIBUTES]
    values = np.empty(columns.shape)
    operators = np.full(columns.shape, EQUAL)
    for i in range(width):
        which, term = np.nonzero(columns == i)
        own = _column(synthetic, i)
        values[which, term] = chosen = own[rows[which]]
        if i < len(synthetic.number_names):
            present = own[own != FAR]
            middle = np.median(present) if len(present) else 0
            how = np.where(chosen > middle, AT_LEAST, AT_MOST)
            operators[which, term] = np.where(chosen == FAR, EQUAL, how)
    every = Predicates(columns, operators, values).distinct()
    order = rng.permutation(len(every))
    return _isolating(every.take(order), synthetic, attacks)


def first_rows(rows: GowerRows) -> Ints:
    """Positions of the distinct rows, of equal ones the first, in rising order."""
    hashes = np.zeros(len(rows), dtype=np.uint64)
    for column in (*rows.numbers.view(np.uint32), *rows.codes.view(np.uint32)):
        hashes = combine(hashes, mix(column.astype(np.uint64)))
    _, first = np.unique(hashes, return_index=True)
    return np.sort(first)


def _attack(predicates: Predicates, sides: Sided, kinds: int) -> Risk:
    hits, groups = [], []
    for rows, units in zip((sides.training, sides.holdout), sides.units, strict=True):
        first = first_rows(rows)
        found = predicates.isolated(rows.take(first))
        owners = units_of(units, first)
        # a miss is a piece of evidence of its own
        own = owners.max(initial=0) + 1 + np.arange(len(found))
        hits.append((found >= 0).astype(np.float64))
        groups.append(np.where(found >= 0, owners[found], own))
    return risk(hits[0], hits[1], (groups[0], groups[1]), comparisons=kinds)


def _isolating(predicates: Predicates, synthetic: GowerRows, attacks: int) -> Predicates:
    """Predicates that isolate a synthetic row, at most one for each row: the first."""
    found = predicates.isolated(synthetic)
    which = np.flatnonzero(found >= 0)
    _, first = np.unique(found[which], return_index=True)
    return predicates.take(which[np.sort(first)][:attacks])


def _column(rows: GowerRows, i: int) -> Float32s | npt.NDArray[np.int32]:
    left = len(rows.number_names)
    return rows.numbers[i] if i < left else rows.codes[i - left]


def _holds(column: npt.NDArray[np.generic], values: Floats, operators: Ints) -> Bools:
    """Which condition (line) holds for which row; a null is neither small nor large."""
    holds = np.empty((len(values), len(column)), dtype=bool)
    wanted = values.astype(column.dtype)[:, None]
    holds[operators == EQUAL] = column == wanted[operators == EQUAL]
    holds[operators == AT_MOST] = column <= wanted[operators == AT_MOST]  # null is the largest
    at_least = operators == AT_LEAST
    holds[at_least] = (column >= wanted[at_least]) & (column != FAR)
    return holds
