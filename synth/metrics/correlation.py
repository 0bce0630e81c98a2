"""Pearson correlations of all pairs of columns at once, nulls left out pair by pair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from prefect_synth.synth.metrics.sources import Floats

_CHUNK = 65_536
_CONSTANT = 1e-12  # of the whole column's variance


def correlations(columns: Sequence[Floats]) -> Floats:
    """Correlate each column with each.

    Args:
        columns: D columns of N numbers; NaN and infinity count as null.

    Returns:
        A D x D matrix; NaN where a column is constant, or constant among the rows that both have.
    """
    count = len(columns)
    n, sums, squares, products = np.zeros((4, count, count))
    scales = [_centre_and_scale(column) for column in columns]
    for start in range(0, len(columns[0]) if count else 0, _CHUNK):
        block = np.stack([column[start : start + _CHUNK] for column in columns], axis=1)  # (B, D)
        block = (block - [centre for centre, _ in scales]) / [scale for _, scale in scales]
        present = np.isfinite(block)
        block, mask = np.where(present, block, 0.0), present.astype(np.float64)
        n += mask.T @ mask
        sums += block.T @ mask  # of column i over the rows where j is present too
        squares += (block**2).T @ mask
        products += block.T @ block
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = squares - sums**2 / n
        spread = np.where(spread > _CONSTANT * n, spread, np.nan)
        covariance = products - sums * sums.T / n
        return np.clip(covariance / np.sqrt(spread * spread.T), -1.0, 1.0)


def _centre_and_scale(column: Floats) -> tuple[float, float]:
    finite = column[np.isfinite(column)]
    if len(finite) == 0 or finite.min() == finite.max():
        return 0.0, float("nan")
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        centre, scale = float(finite.mean()), float(finite.std())
    if not (np.isfinite(centre) and np.isfinite(scale) and scale > 0):
        # at either end of what a float can hold, squares are infinite or 0; the range is neither
        low, high = float(finite.min()) / 2, float(finite.max()) / 2
        centre, scale = low + high, high - low
    return centre, scale if scale > 0 else float("nan")
