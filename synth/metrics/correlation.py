"""Pearson correlations of all pairs of columns at once, nulls left out pair by pair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from prefect_synth.synth.metrics.sources import Floats
from prefect_synth.synth.row_models.threads import one_blas_thread

_CHUNK = 8_192  # a block of some thirty columns stays in the processor's cache
_CONSTANT = 1e-12  # of the whole column's variance


def correlations(columns: Sequence[Floats]) -> Floats:
    """Correlate each column with each.

    Args:
        columns: D columns of N numbers; NaN and infinity count as null.

    Returns:
        A D x D matrix; NaN where a column is constant, or constant among the rows that both have.
    """
    with one_blas_thread:  # blocks are too small for several, and sums must not depend on them
        n, sums, squares, products = _moments(columns)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = squares - sums**2 / n
        spread = np.where(spread > _CONSTANT * n, spread, np.nan)
        covariance = products - sums * sums.T / n
        return np.clip(covariance / np.sqrt(spread * spread.T), -1.0, 1.0)


def _moments(columns: Sequence[Floats]) -> tuple[Floats, Floats, Floats, Floats]:
    """Counts, sums, squares and products of each column with each, over the rows both have."""
    count = len(columns)
    n, sums, squares, products = np.zeros((4, count, count))
    scales = [_centre_and_scale(column) for column in columns]
    centres, widths = np.array(scales).reshape(count, 2).T[:, :, None]  # each (D, 1)
    for start in range(0, len(columns[0]) if count else 0, _CHUNK):
        block = np.stack([column[start : start + _CHUNK] for column in columns])  # (D, B)
        block -= centres
        block /= widths
        mask = np.isfinite(block)
        if mask.all():
            whole = block.sum(axis=1)[:, None]
            n += block.shape[1]
            sums += whole
            squares += (block**2).sum(axis=1)[:, None]
        else:
            block[~mask] = 0.0
            mask = mask.astype(np.float64)
            n += mask @ mask.T
            sums += block @ mask.T  # of column i over the rows where j is present too
            squares += block**2 @ mask.T
        products += block @ block.T
    return n, sums, squares, products


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
