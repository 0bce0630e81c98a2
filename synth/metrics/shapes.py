"""How alike two columns are, each taken by itself."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from prefect_synth.synth.metrics.kolmogorov import largest_gap
from prefect_synth.synth.metrics.sources import Floats, Ints

_DECIMALS = 14


def ks_complement(real: npt.NDArray[np.generic], synthetic: npt.NDArray[np.generic]) -> float:
    """Compare two numerical columns: one minus the Kolmogorov-Smirnov statistic.

    As SDMetrics 0.32 defines KSComplement: nulls are left out, values are rounded to 14 decimals.

    Args:
        real: The real values.
        synthetic: The synthetic values.

    Returns:
        1 for the same distribution, 0 for distributions apart; NaN where a side has no value.

    Example:
        >>> ks_complement(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.0, 3.0, 9.0]))
        0.75
    """
    left, right = _rounded(real), _rounded(synthetic)
    if not (len(left) and len(right)):
        return float("nan")
    return 1 - largest_gap(left, right)


def tv_complement(real: npt.NDArray[np.generic], synthetic: npt.NDArray[np.generic]) -> float:
    """Compare two categorical columns: one minus the total variation distance.

    As SDMetrics 0.32 defines TVComplement, nulls (None, NaN) are left out: shares are those among
    the values. To compare nulls as well, give them a value of their own.

    Args:
        real: The real values: category codes, booleans, numbers, or text.
        synthetic: The synthetic values.

    Returns:
        1 for the same shares, 0 where no category is shared; NaN where a side has no value.

    Example:
        >>> tv_complement(np.array(["a", "a", "b", "b"]), np.array(["a", "a", "a", "b"]))
        0.75
    """
    left, right = _present(real), _present(synthetic)
    if not (len(left) and len(right)):
        return float("nan")
    _, numbered = np.unique(np.concatenate([left, right]), return_inverse=True)
    size = int(numbered.max()) + 1
    return tv_complement_of_counts(
        np.bincount(numbered[: len(left)], minlength=size),
        np.bincount(numbered[len(left) :], minlength=size),
    )


def tv_complement_of_counts(real: Ints, synthetic: Ints) -> float:
    """`tv_complement` of how often each category occurs; NaN where a side has none."""
    if not (real.any() and synthetic.any()):
        return float("nan")
    distance = np.abs(real / real.sum() - synthetic / synthetic.sum()).sum() / 2
    return float(max(0.0, 1 - distance))


def _rounded(values: npt.NDArray[np.generic]) -> Floats:
    numbers = np.asarray(values, dtype=np.float64)
    numbers = numbers[~np.isnan(numbers)]
    whole = np.abs(numbers) >= 2.0**52  # these would lose digits
    if whole.any():
        return np.where(whole, numbers, np.round(numbers, _DECIMALS))
    return np.round(numbers, _DECIMALS)


def _present(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    if values.dtype.kind == "f":
        return values[~np.isnan(values.astype(np.float64))]
    if values.dtype.kind == "O":
        # Only NaN differs from itself.
        values = values[[value is not None and value == value for value in values.tolist()]]
        return values.astype(str)
    return values
