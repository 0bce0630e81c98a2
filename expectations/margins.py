"""Sampling error: how far two honest samples of one population may lie apart.

Small tables differ by chance; every threshold is widened by what chance explains.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from scipy.special import betainc, stdtrit


def two_sample_margin(real: int, synthetic: int, alpha: float) -> float:
    """Largest distance of two empirical distributions that chance explains.

    The two-sample form of the Dvoretzky-Kiefer-Wolfowitz inequality with Massart's constant. It
    bounds a difference of shares too (Hoeffding's inequality).

    Args:
        real: Rows of the real sample.
        synthetic: Rows of the synthetic sample.
        alpha: Chance that two honest samples differ by more.

    Returns:
        The margin, at most 1.

    Examples:
        >>> round(two_sample_margin(8, 8, 0.001), 3)
        0.975
        >>> round(two_sample_margin(100_000, 100_000, 0.001), 3)
        0.009
    """
    if real == 0 or synthetic == 0:
        return 1.0
    return min(1.0, math.sqrt(math.log(2 / alpha) / 2 * (1 / real + 1 / synthetic)))


def category_margin(shares: Iterable[float], real: int, synthetic: int, alpha: float) -> float:
    """Largest total variation distance of two honest samples of categories.

    The mean distance (half the mean absolute deviation of every share, 0.4 of its standard
    deviation) and the deviation from that mean by McDiarmid's inequality.
    """
    if real == 0 or synthetic == 0:
        return 1.0
    spread = sum(math.sqrt(max(p * (1 - p), 0.0)) for p in shares)
    mean = 0.4 * spread * math.sqrt(1 / real + 1 / synthetic)
    return min(1.0, mean + two_sample_margin(real, synthetic, alpha))


def mean_margin(real: int, synthetic: int, alpha: float) -> float:
    """Largest difference of two honest samples' means that chance explains.

    Welch's two-sample test with the real sample's standard deviation and degrees of freedom.

    Returns:
        The margin, in standard deviations of the real sample.

    Examples:
        >>> round(mean_margin(100_000, 100_000, 0.001), 3)
        0.015
    """
    if real < 2 or synthetic == 0:
        return math.inf
    return float(stdtrit(real - 1, 1 - alpha / 2)) * math.sqrt(1 / real + 1 / synthetic)


def absence(count: float, real: int, synthetic: int, hidden: int = 0) -> float:
    """Chance that a category which `count` real rows have is in no synthetic row.

    If both samples come from one population, every arrangement of the rows is equally likely
    (Fisher's exact test): the chance that all `count` fall on the real side.

    Args:
        count: Real rows that have the category.
        real: Rows of the real sample.
        synthetic: Rows of the synthetic sample.
        hidden: So many synthetic rows may have it and not be seen.
    """
    if not real or not count:
        return 1.0
    # the binomial distribution function of `hidden`, for counts that are no whole numbers too
    return float(betainc(count, hidden + 1, real / (real + synthetic)))


def coverage_margin(
    counts: Mapping[str, float],
    shares: Mapping[str, float],
    real: int,
    synthetic: int,
    alpha: float,
) -> float:
    """Largest share of the real rows whose categories an honest sample lacks, of those counted.

    How likely a category is to come again is told by its other rows, without the one that brought
    it into the sample: one that occurs once may never come again. What is missing exceeds its mean
    by `e` with a chance of at most exp(-n e^2) (Ortiz and McAllester 2003, theorem 16).

    Args:
        counts: Independent rows of each category.
        shares: Share of the rows of each category.
        real: Independent rows of the real sample.
        synthetic: Independent rows of the synthetic sample.
        alpha: Chance that an honest sample lacks more.
    """
    if real < 2 or synthetic == 0:
        return 1.0
    missing = sum(
        shares[name] * (1 - min(1.0, max(0.0, count - 1) / (real - 1))) ** synthetic
        for name, count in counts.items()
    )
    counted = sum(shares[name] for name in counts)  # rare categories are neither real nor missing
    if counted <= 0:
        return 1.0
    rows = 1 / (real * counted) + 1 / (synthetic * counted)
    return min(1.0, missing / counted + math.sqrt(math.log(1 / alpha) * rows))


def copies_margin(share: float, synthetic: int) -> float:
    """Three standard deviations of a share among `synthetic` rows, and three rows."""
    if synthetic == 0:
        return 1.0
    return 3 * math.sqrt(max(share * (1 - share), 0.0) / synthetic) + 3 / synthetic


def at_least(setting: float, least: float) -> str:
    """What is required, in words: the threshold, and the setting where they differ."""
    if least == setting:
        return f"at least {setting:.3g}"
    return f"at least {least:.3g} ({setting:.3g} less sampling error)"
