"""Copied rows: how many synthetic rows equal a real row that occurs only once.

A row that many share discloses nobody, so only real rows that occur once are looked for. Even an
honest synthesizer hits some of them, and how many depends on the table: its *natural rate* is

- what fresh rows of the same population would do: by Good and Turing (1953) the share of a new
  sample that falls on what was seen once is about `2 * N2 / n`, with `N2` the rows that were seen
  twice, here taken at the upper end of its sampling error; or
- what rows do whose columns are drawn independently of each other, if that is more: values that
  every row has of its own, in one column, come back from anyone who learned that column.

Up to one and a half times that rate, with a setting and sampling error on top, is accepted. Where
even a table copied whole would stay below (few rows, few columns, hardly a unique row), copying
cannot be told from chance, and the check says so instead of passing. With fewer than two learned
columns a row is a mere value, and there is nothing to copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from prefect_synth.expectations.margins import copies_margin
from prefect_synth.expectations.verdict import Check
from prefect_synth.synth.metrics.hashing import Hashes
from prefect_synth.synth.metrics.privacy import copied_share, row_hashes
from prefect_synth.synth.metrics.sources import count_rows, take_rows

SHUFFLED_ROWS = 20_000
"""Rows of a shuffled sample at most."""
_TOLERANCE = 1.5


@dataclass(frozen=True)
class CopyProfile:
    """What finding copied rows needs.

    Args:
        columns: The columns that are compared, in this order.
        rows: Real rows.
        unique: Share of real rows that occur once.
        natural: The natural rate of hits on them.
        holdout: What the holdout hits of them, which no model saw; None where there is none.
        hashes: Sorted hashes of the real rows that occur once.
    """

    columns: tuple[str, ...] = ()
    rows: int = 0
    unique: float = 0.0
    natural: float = 0.0
    holdout: float | None = None
    hashes: Hashes = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))

    def allowed(self, synthetic_rows: int, above: float, *, strict: bool = False) -> float:
        """The largest accepted share of synthetic rows that equal a unique real row.

        Args:
            synthetic_rows: How many synthetic rows are judged.
            above: What is accepted above the natural rate.
            strict: Whether none is accepted, natural or not.
        """
        if strict:
            return 0.0
        share = min(1.0, _TOLERANCE * self.natural + above)
        return share + copies_margin(share, synthetic_rows)

    def can_tell(self, synthetic_rows: int, above: float, *, strict: bool = False) -> bool:
        """Whether a table that was copied whole would be noticed."""
        return self.allowed(synthetic_rows, above, strict=strict) < self.unique

    def beside(self, holdout: Path) -> CopyProfile:
        """The same with what the holdout hits: the natural rate is at least that."""
        if not self.is_copyable:
            return self
        found = copied_share(holdout, self.columns, self.hashes)
        return replace(self, holdout=found, natural=max(self.natural, found))

    @property
    def is_copyable(self) -> bool:
        """Whether there are rows of several learned columns that occur once."""
        return self.unique > 0


def profile_copies(path: Path, columns: Sequence[str], seed: int) -> CopyProfile:
    """Remember the unique rows of a real table by their hashes.

    Args:
        path: The staged real table.
        columns: The learned columns.
        seed: Seed of the shuffled sample.
    """
    rows = count_rows(path)
    if len(columns) < 2 or rows == 0:
        return CopyProfile(tuple(columns), rows)
    distinct, counts = np.unique(row_hashes(path, columns), return_counts=True)
    hashes = distinct[counts == 1]
    twice = int((counts == 2).sum())
    fresh = 2 * (twice + 2 * np.sqrt(twice) + 3) / rows
    shuffled = copied_share(_shuffled(path, columns, rows, seed), columns, hashes)
    natural = min(1.0, max(float(fresh), shuffled))
    return CopyProfile(tuple(columns), rows, len(hashes) / rows, natural, None, hashes)


def untold_copies(table: str) -> Check:
    """Says that a copy could not be told from chance.

    Args:
        table: The table.
    """
    return Check(
        "copied rows",
        table,
        None,
        "privacy",
        "not judged",
        "rows in which a copy can be told from chance",
        "warned",
        "too few rows or columns, or hardly a row that occurs once",
    )


def _shuffled(path: Path, columns: Sequence[str], rows: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(rows, size=min(rows, SHUFFLED_ROWS), replace=False))
    sample = take_rows(path, columns, chosen)
    return pa.table({c: sample[c].take(pa.array(rng.permutation(len(chosen)))) for c in columns})
