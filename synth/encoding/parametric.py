"""Parametric marginals, for a column whose family the user knows better than its sample.

Families as in SDV's public documentation of `default_distribution`: norm, truncnorm, beta, gamma,
student_t, uniform, gaussian_kde. Location and scale come from the sample, shapes by the method of
moments (Casella and Berger, Statistical Inference, section 7.2), so no optimiser runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from prefect_synth.synth.encoding.layout import RARE, Floats, Ints
from prefect_synth.synth.encoding.units import kth_unit
from prefect_synth.synth.marginal_names import FAMILIES
from prefect_synth.synth.storage import stored

_KDE_KNOTS = 512
_STEPS = 20


@stored
@dataclass(frozen=True)
class ParametricMarginal:
    """A fitted family between two ends; its one piece is a range whose place is the CDF there.

    Args:
        family: One of `marginal_names.FAMILIES`.
        parameters: Shapes, then location and scale, as scipy.stats takes them; for gaussian_kde
            a table of ticks.
        low: Smallest tick sampled.
        high: Largest tick sampled.
        whole: Whether ticks are whole numbers.
    """

    family: str
    parameters: tuple[float, ...]
    low: float
    high: float
    whole: bool

    @property
    def weights(self) -> Floats:
        """One piece holds everything."""
        return np.ones(1)

    @property
    def ranges(self) -> np.ndarray:
        """The piece is a range."""
        return np.ones(1, bool)

    @property
    def edges(self) -> Floats:
        """None: the place in the piece is a rank, and says nothing of distances."""
        return np.zeros(0)

    def locate(self, ticks: Floats) -> tuple[Ints, Floats]:
        """Piece 0 and the CDF of each tick, between the ends."""
        below, width = self._stretch()
        place = (self._cdf(ticks) - below) / width
        return np.zeros(len(ticks), np.int64), np.clip(place, 0.0, 1.0)

    def value(self, piece: Ints, place: Floats) -> Floats:
        """Ticks at the given CDF values, inside the sample's protected range."""
        below, width = self._stretch()
        # truncated rather than clipped: the ends are two rows' values, and not common ones
        inside = np.clip(below + np.clip(place, 1e-9, 1 - 1e-9) * width, 1e-9, 1 - 1e-9)
        ticks = np.clip(self._ppf(inside), self.low, self.high)
        return np.rint(ticks) if self.whole else ticks

    def _stretch(self) -> tuple[float, float]:
        """CDF at the lower end, and its rise to the upper one."""
        half = 0.5 if self.whole else 0.0
        below, above = self._cdf(np.array([self.low - half, self.high + half]))
        return float(below), max(float(above - below), 1e-12)

    def _cdf(self, ticks: Floats) -> Floats:
        if self.family == "gaussian_kde":
            return np.interp(ticks, np.array(self.parameters), np.linspace(0, 1, _KDE_KNOTS))
        return np.asarray(_FROZEN[self.family](*self.parameters).cdf(ticks))

    def _ppf(self, place: Floats) -> Floats:
        if self.family == "gaussian_kde":
            return np.interp(place, np.linspace(0, 1, _KDE_KNOTS), np.array(self.parameters))
        return np.asarray(_FROZEN[self.family](*self.parameters).ppf(place))


_FROZEN = {
    "norm": stats.norm,
    "truncnorm": stats.truncnorm,
    "beta": stats.beta,
    "gamma": stats.gamma,
    "student_t": stats.t,
    "uniform": stats.uniform,
}


def fit_parametric(
    family: str,
    ticks: Floats,
    whole: bool,
    *,
    tail_rows: int = RARE,
    units: Ints | None = None,
) -> ParametricMarginal:
    """Fit `family` to non-null ticks.

    Args:
        family: One of `marginal_names.FAMILIES`.
        ticks: The values, [n].
        whole: Whether ticks are whole numbers.
        tail_rows: Samples stay between these order statistics from either end.
        units: The unit of each value, if known, [n]: order statistics are then of units.

    Raises:
        ValueError: The family is not known.
    """
    if family not in FAMILIES:
        raise ValueError(
            f"The marginal '{family}' is not known. Use quantile or one of: {', '.join(FAMILIES)}."
        )
    order = np.argsort(ticks, kind="stable")
    ordered = ticks[order] if len(ticks) else np.zeros(1)
    owners = None if units is None else units[order]
    middle, most = (len(ordered) - 1) // 2, len(ordered) - 1
    first = min(kth_unit(owners, tail_rows), middle)
    last = max(most + 1 + kth_unit(owners, tail_rows, last=True), most - middle)
    low, high = float(ordered[first]), float(ordered[last])
    inside = np.clip(ordered, low, high)
    return ParametricMarginal(family, _parameters(family, inside, low, high), low, high, whole)


def _parameters(family: str, ticks: Floats, low: float, high: float) -> tuple[float, ...]:
    mean, spread = float(ticks.mean()), max(float(ticks.std()), 1e-9 * max(1.0, abs(high)))
    width = max(high - low, 1e-9 * max(1.0, abs(high)))
    if family == "norm":
        return mean, spread
    if family == "uniform":
        return low, width
    if family == "truncnorm":
        centre, scale = _before_truncation(mean, spread, low, low + width)
        return (low - centre) / scale, (low + width - centre) / scale, centre, scale
    if family == "student_t":
        kurtosis = float(stats.kurtosis(ticks)) if low < high else 0.0
        freedom = 4 + 6 / kurtosis if kurtosis > 0.06 else 100.0
        return freedom, mean, spread * float(np.sqrt((freedom - 2) / freedom))
    if family == "gamma":
        start = low - 0.01 * width
        return ((mean - start) / spread) ** 2, start, spread**2 / (mean - start)
    if family == "beta":
        start, stretch = low - 0.01 * width, 1.02 * width
        m, v = (mean - start) / stretch, (spread / stretch) ** 2
        size = max(m * (1 - m) / v - 1, 0.1)
        return m * size, (1 - m) * size, start, stretch
    return _kde_knots(ticks, low, high)


def _before_truncation(mean: float, spread: float, low: float, high: float) -> tuple[float, float]:
    """Centre and scale of the normal that has this mean and spread once it is cut at the ends."""
    centre, scale, width = mean, spread, high - low
    for _ in range(_STEPS):
        got, variance = stats.truncnorm.stats(
            (low - centre) / scale, (high - centre) / scale, centre, scale
        )
        if not (np.isfinite(got) and variance > 0):
            return mean, spread
        centre = float(np.clip(centre + mean - got, low - width, high + width))
        scale = float(min(scale * spread / np.sqrt(variance), 5 * width))
    return centre, scale


def _kde_knots(ticks: Floats, low: float, high: float) -> tuple[float, ...]:
    """Quantiles of a Gaussian kernel density estimate (Silverman's bandwidth), as a table."""
    spread = float(ticks.std()) or 1.0
    bandwidth = 1.06 * spread * len(ticks) ** -0.2
    grid = np.linspace(low - 3 * bandwidth, high + 3 * bandwidth, 4096)
    counts, _ = np.histogram(ticks, bins=len(grid), range=(grid[0], grid[-1]))
    offsets = np.arange(-2048, 2049) * (grid[1] - grid[0]) / bandwidth
    density = np.maximum(_convolve(counts, np.exp(-0.5 * offsets**2)), 1e-12)
    mass = np.cumsum(density)
    quantiles = np.interp(np.linspace(0, 1, _KDE_KNOTS), mass / mass[-1], grid)
    return tuple(float(q) for q in np.maximum.accumulate(quantiles))


def _convolve(counts: np.ndarray, kernel: Floats) -> Floats:
    from scipy.signal import fftconvolve

    return np.asarray(fftconvolve(counts.astype(float), kernel, mode="same"))
