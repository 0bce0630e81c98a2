"""What is new in each row of a sequence: numbers less what a linear autoregression expects.

Prices of a day are those of the day before and a little more. A small network that draws levels
draws that little badly; so it draws the innovations of a linear autoregression (Box and Jenkins
1970), as normal scores: on the numbers of the row before, on their mean in the family, and on the
numbers before it in its own row, in units of the family's spread. Summed up again they have the
memory of the data, around the family's own mean. The means and spreads are the family's *traits*:
they are drawn first, as the pseudo-attributes of DoppelGANger are (Lin et al. 2020, section 4.1.3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prefect_synth.synth.encoding.layout import Floats
from prefect_synth.synth.row_models.families import Families
from prefect_synth.synth.row_models.scores import Scores, fit_scores
from prefect_synth.synth.storage import stored

_RIDGE = 1e-9
_FEWEST = 20
_USUAL = 0.5
_SHRINK = 5.0
_TRACE = 1e-9


@stored
@dataclass(frozen=True)
class Innovations:
    """The autoregression of the numbers of a row, and the quantiles of what it leaves.

    Args:
        later: Coefficients of each number in a later row: on one, on the numbers of the row
            before, on the means of the family, and on the numbers of its own row, [s, 1 + 3 s].
        first: The same in the first row of a family, where there is no row before.
        spreads: Usual size of what is left, by number, [s].
        later_scores: What is left in later rows, by number.
        first_scores: What is left in first rows, by number.
    """

    later: Floats
    first: Floats
    spreads: Floats
    later_scores: tuple[Scores, ...]
    first_scores: tuple[Scores, ...]

    def __len__(self) -> int:
        return len(self.later)

    def of(self, known: Floats, there: np.ndarray, traits: Floats, families: Families) -> Floats:
        """The innovations of all rows, [n, s]; 0 where there is no number.

        Args:
            known: The numbers, or those last known, [n, s].
            there: Whether there is one, [n, s].
            traits: Of each family, [f, 2 s].
            families: Where the rows are.
        """
        means, spreads = self._told(families.spread(traits))
        before, heads = families.before(known), families.positions == 0
        scores = np.zeros(known.shape)
        for j in range(len(self)):
            for some, head in ((~heads, False), (heads, True)):
                expected = self._expected(j, before[some], means[some], known[some], head)
                apart = (known[some, j] - expected) / spreads[some, j]
                scores[some, j] = self._scores(j, head).to_scores(apart)
        return np.where(there, scores, 0.0)

    def number(
        self, j: int, score: Floats, before: Floats, traits: Floats, now: Floats, head: bool
    ) -> Floats:
        """A number from its innovation, [m]: the inverse.

        Args:
            j: Which number.
            score: Its innovation, [m].
            before: The numbers of the row before, [m, s].
            traits: Of the rows' families, [m, 2 s].
            now: The numbers of the same row, of which those before it are known, [m, s].
            head: Whether the rows are the first of their families.
        """
        means, spreads = self._told(traits)
        apart = self._scores(j, head).from_scores(score) * spreads[:, j]
        return np.asarray(self._expected(j, before, means, now, head) + apart)

    def summed(
        self, scores: Floats, there: np.ndarray, traits: Floats, families: Families
    ) -> Floats:
        """The numbers of whole families from their innovations, [n, s].

        Args:
            scores: Innovations, [n, s].
            there: Whether there is a number, [n, s]; where there is none, the last one is kept.
            traits: Of each family, [f, 2 s].
            families: Where the rows are.
        """
        numbers, last = np.zeros(scores.shape), np.zeros((len(traits), len(self)))
        for step, (rows, family) in enumerate(families.steps()):
            before = last[family]
            now = before.copy()
            for j in range(len(self)):
                made = self.number(j, scores[rows, j], before, traits[family], now, step == 0)
                now[:, j] = np.where(there[rows, j], made, now[:, j])
            last[family] = numbers[rows] = now
        return numbers

    def _told(self, traits: Floats) -> tuple[Floats, Floats]:
        """Means and spreads, [m, s] each."""
        s = len(self)
        return traits[:, :s], self.spreads * np.exp(traits[:, s:])

    def _scores(self, j: int, head: bool) -> Scores:
        return (self.first_scores if head else self.later_scores)[j]

    def _expected(self, j: int, before: Floats, means: Floats, now: Floats, head: bool) -> Floats:
        weights, s = (self.first if head else self.later)[j], len(self)
        parts = np.split(weights[1:], [s, 2 * s])
        expected = weights[0] + before @ parts[0] + means @ parts[1] + now[:, :j] @ parts[2][:j]
        return np.asarray(expected)


def fit_innovations(
    known: Floats, there: np.ndarray, families: Families
) -> tuple[Innovations, Floats]:
    """Fit the autoregression by least squares, and what it leaves by its quantiles.

    Args:
        known: Numbers of all rows, or those last known, [n, s].
        there: Whether there is one, [n, s].
        families: Where the rows are.

    Returns:
        The innovations, and the traits of the families [f, 2 s]: their means, and the logs of
        their spreads in units of the usual one, which those of few rows are near to.
    """
    heads, s = families.positions == 0, known.shape[1]
    means = families.sums(known) / families.lengths[:, None]  # [f, s]
    usual = there.mean(axis=0) > _USUAL  # others say nothing, and are expected at their mean
    every = [np.ones((len(known), 1)), families.before(known), families.spread(means), known]
    seen = np.hstack(every)  # [n, 1 + 3 s]
    alone = seen.copy()
    alone[:, 1 : 1 + s] = 0.0  # as if all rows were first ones, of which there are few
    later, first = np.zeros((s, 1 + 3 * s)), np.zeros((s, 1 + 3 * s))
    for j in range(s):
        earlier = np.arange(s) < j
        told = np.concatenate([[True], np.tile(usual, 2) & usual[j], usual & usual[j] & earlier])
        at = there[:, j] & ~heads
        later[j] = _least_squares(seen[at] * told, known[at, j])
        first[j] = _least_squares(alone[there[:, j]] * told, known[there[:, j], j])
    apart = known - np.where(heads[:, None], alone @ first.T, seen @ later.T)  # [n, s]
    moved = there & ~heads[:, None] if (there & ~heads[:, None]).any() else there
    squares = np.where(moved, apart**2, 0.0)
    spreads = np.sqrt(squares.sum(axis=0) / np.maximum(moved.sum(axis=0), 1)) + _TRACE  # [s]
    own = families.sums(squares) + _SHRINK * spreads**2
    own = np.sqrt(own / (families.sums(moved.astype(float)) + _SHRINK))  # [f, s]
    scaled = apart / families.spread(own)
    scores = [
        tuple(fit_scores(scaled[there[:, j] & some, j]) for j in range(s))
        for some in (~heads, heads)
    ]
    traits = np.hstack([means, np.log(own / spreads)])
    return Innovations(later, first, spreads, scores[0], scores[1]), traits


def last_known(numbers: Floats, there: np.ndarray, families: Families) -> Floats:
    """Each number, or the last one known before it in its family, else 0: [n, s]."""
    row, position = np.arange(len(numbers))[:, None], families.positions[:, None]
    last = np.maximum.accumulate(np.where(there, row, -1), axis=0)  # [n, s]
    found = np.take_along_axis(numbers, np.maximum(last, 0), axis=0) if len(numbers) else numbers
    return np.where(last >= row - position, found, 0.0)


def _least_squares(seen: Floats, number: Floats) -> Floats:
    """Coefficients, with a ridge that only matters where columns repeat each other; of few rows
    the mean."""
    weights = np.zeros(seen.shape[1])
    if len(seen) < _FEWEST:
        weights[0] = number.mean() if len(number) else 0.0
        return weights
    ridge = _RIDGE * np.eye(seen.shape[1]) * np.maximum((seen**2).mean(axis=0), 1e-3)
    moments = seen.T @ seen / len(seen)
    return np.asarray(np.linalg.solve(moments + ridge, seen.T @ number / len(seen)))
