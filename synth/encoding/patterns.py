"""Missing values as their own structure: which columns are null together.

Columns whose nulls depend on one another form a group, and each pattern of nulls of a group that
enough rows have is a category: the pattern is drawn first, and decides. What held without
exception (a null means b null) holds in what is drawn, whether the two are in one group or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prefect_synth.synth.encoding.layout import RARE, Floats, Ints, Layout
from prefect_synth.synth.encoding.units import holders
from prefect_synth.synth.storage import stored

_SIGNIFICANT = 30.0  # chi-square of one degree: p < 1e-7
_STRONG = 0.1
_EXPECTED = 10.0
_COVERED = 0.9
_LOOKED_AT = 50_000


@stored
@dataclass(frozen=True)
class NullPatterns:
    """The patterns of nulls of one group of columns.

    Args:
        columns: Names, c of them.
        absent: Whether a pattern has null in a column, [P, c] bool.
        layout: Shares of the patterns.
    """

    columns: tuple[str, ...]
    absent: np.ndarray
    layout: Layout

    def encode(self, absent: np.ndarray) -> Ints:
        """The nearest pattern of each row of `absent` [n, c], [n]."""
        kinds, code = unique_rows(absent)
        distance = (kinds[:, None, :] != self.absent[None, :, :]).sum(axis=2)
        # of equally near ones the commonest
        nearest = np.lexsort(
            (np.broadcast_to(-self.layout.probabilities, distance.shape), distance)
        )
        return np.asarray(nearest[:, 0][code])

    def redrawn(self, drawn: Ints, held: dict[str, bool], rng: np.random.Generator) -> Ints:
        """Patterns that agree with what is held: those that do not are drawn again by share.

        Args:
            drawn: Patterns, [n].
            held: Whether a column is null, for columns that are held at a value.
            rng: Source of the draws.
        """
        fits = self.fitting(held)
        wrong = np.flatnonzero(~fits[drawn])
        if len(wrong) and fits.any():
            shares = np.where(fits, self.layout.probabilities, 0.0)
            drawn = drawn.copy()
            drawn[wrong] = rng.choice(len(fits), len(wrong), p=shares / shares.sum())
        return drawn

    def fitting(self, held: dict[str, bool]) -> np.ndarray:
        """Which patterns agree with what is held, [P] bool."""
        fits = np.ones(len(self.absent), bool)
        for j, column in enumerate(self.columns):
            if column in held:
                fits &= self.absent[:, j] == held[column]
        return fits


def fit_patterns(
    names: Sequence[str], absent: np.ndarray, units: Ints | None = None
) -> tuple[NullPatterns, ...]:
    """Find groups of columns whose nulls depend on one another, and their patterns.

    Args:
        names: The columns that have nulls, c of them.
        absent: Which values are null, [n, c] bool.
        units: The unit of each row, if known.

    Returns:
        The groups: of two columns or more, and of two patterns or more that are not rare.
    """
    found = []
    for group in _groups(absent):
        kinds, code = unique_rows(absent[:, group])
        kept = np.flatnonzero(holders(code, len(kinds), units) >= RARE)
        if len(kept) < 2:
            continue
        shares = np.bincount(code, minlength=len(kinds))[kept].astype(float)
        layout = Layout(
            shares / shares.sum(), np.zeros(len(kept), bool), nominal=len(kept) > 2, has_null=False
        )
        patterns = NullPatterns(tuple(names[j] for j in group), kinds[kept], layout)
        found.append(_with_all_rows(patterns, absent[:, group]))
    return tuple(found)


def implications(names: Sequence[str], absent: np.ndarray) -> tuple[tuple[str, str], ...]:
    """Pairs of columns of which the second is null wherever the first is, on every row."""
    both = _together(absent)
    alone = np.diag(both)
    exact = (both == alone[:, None]) & (alone[:, None] > 0)
    np.fill_diagonal(exact, False)
    return tuple((names[i], names[j]) for i, j in np.argwhere(exact))


def unique_rows(flags: np.ndarray) -> tuple[np.ndarray, Ints]:
    """The different rows of a table of flags [n, c], and which of them each row is, [n]."""
    packed = np.packbits(flags, axis=1)
    whole = np.ascontiguousarray(packed).view(np.dtype((np.void, packed.shape[1])))[:, 0]
    _, first, code = np.unique(whole, return_index=True, return_inverse=True)
    return flags[first], code


def _with_all_rows(patterns: NullPatterns, absent: np.ndarray) -> NullPatterns:
    """The same with the rows of rare patterns counted where they go."""
    counts = np.bincount(patterns.encode(absent), minlength=len(patterns.absent)).astype(float)
    layout = patterns.layout
    shares = Layout(counts / counts.sum(), layout.ranges, layout.nominal, has_null=False)
    return NullPatterns(patterns.columns, patterns.absent, shares)


def _together(absent: np.ndarray) -> Floats:
    """How many rows have null in both of two columns, [c, c]."""
    counts = np.zeros((absent.shape[1], absent.shape[1]))
    for start in range(0, len(absent), _LOOKED_AT):
        part = absent[start : start + _LOOKED_AT].astype(np.float32)
        counts += part.T @ part  # exact: a part has fewer rows than a float has whole numbers
    return counts


def _groups(absent: np.ndarray) -> list[list[int]]:
    """Columns that belong together, strongest ties first, while their patterns stay common."""
    some = absent[:: max(len(absent) // _LOOKED_AT, 1)]
    group = {j: [j] for j in range(absent.shape[1])}
    for i, j in _ties(absent):
        if group[i] is group[j]:
            continue
        merged = sorted(group[i] + group[j])
        if _covered(some[:, merged]) >= _COVERED:
            for member in merged:
                group[member] = merged
    return [members for j, members in group.items() if members[0] == j and len(members) > 1]


def _ties(absent: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of columns whose nulls depend on each other, strongest first."""
    n, both = len(absent), _together(absent)
    share = np.diag(both) / max(n, 1)
    expected = n * np.outer(share, share)
    spread = np.sqrt(np.outer(share * (1 - share), share * (1 - share)))
    phi = np.divide(both / max(n, 1) - expected / max(n, 1), spread, out=np.zeros_like(both),
                    where=spread > 0)  # fmt: skip
    never = (both == 0) & (expected >= _EXPECTED)
    neither = n - np.add.outer(np.diag(both), np.diag(both)) + both
    never |= (neither == 0) & (n * np.outer(1 - share, 1 - share) >= _EXPECTED)
    tied = ((phi**2 * n > _SIGNIFICANT) & (np.abs(phi) > _STRONG)) | never
    pairs = [(int(i), int(j)) for i, j in np.argwhere(np.triu(tied, 1))]
    return sorted(pairs, key=lambda pair: -abs(phi[pair]))


def _covered(absent: np.ndarray) -> float:
    kinds, code = unique_rows(absent)
    counts = np.bincount(code, minlength=len(kinds))
    return float(counts[counts >= RARE].sum() / max(len(absent), 1))
