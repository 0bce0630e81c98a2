"""What noise costs: zero-concentrated differential privacy, and the sampled Gaussian mechanism.

Costs are bounds on the Renyi divergence of order a between what two neighbouring data sets give:
`rho * a` for all orders up to a limit (zero-concentrated, Bun and Steinke 2016; with a limit
truncated, Bun, Dwork, Rothblum and Steinke 2018). They add up over everything that is released.
The sampled Gaussian mechanism is that of Mironov, Talwar and Zhang (2019), with add-or-remove
neighbours; the conversion to epsilon and delta that of Canonne, Kamath and Steinke (2020).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, logsumexp

from prefect_synth.synth.encoding.layout import Floats

_MOST = 2048
_ORDERS = np.concatenate([np.arange(11, 200) / 10, np.arange(20, _MOST + 1)])
_STEPS = 100


@dataclass(frozen=True)
class Spending:
    """A cost in privacy, of one release or of several together.

    Args:
        rho: The Renyi divergence of order a is at most `rho * a`.
        limit: Up to which order that holds.
        delta: Probability with which nothing holds, beside it.
    """

    rho: float = 0.0
    limit: float = math.inf
    delta: float = 0.0

    def __add__(self, other: Spending) -> Spending:
        return Spending(
            self.rho + other.rho, min(self.limit, other.limit), self.delta + other.delta
        )

    def times(self, count: float) -> Spending:
        """The cost of so many of it."""
        return Spending(self.rho * count, self.limit, self.delta * count)

    def epsilon(self, delta: float) -> float:
        """The epsilon of (epsilon, delta) that it comes to; infinite where delta is too small."""
        if self.rho == 0:
            return 0.0 if self.delta <= delta else math.inf
        if self.delta >= delta:
            return math.inf
        orders = _ORDERS if math.isinf(self.limit) else np.arange(2, int(self.limit) + 1)
        return float(_converted(orders, self.rho * orders, delta - self.delta).min(initial=np.inf))


def total(spendings: Iterable[Spending]) -> Spending:
    """What several releases cost together."""
    return sum(spendings, Spending())


def rho_for(epsilon: float, delta: float) -> float:
    """The largest rho whose cost is at most (epsilon, delta), told at a whole order.

    So it may be split between releases that have a cost at every order, and sampled ones, whose
    cost is known at whole orders alone.
    """
    low, high = 0.0, max(epsilon, 1.0) ** 2 + epsilon
    for _ in range(_STEPS):
        middle = (low + high) / 2
        within = Spending(middle, _MOST).epsilon(delta) <= epsilon
        low, high = (middle, high) if within else (low, middle)
    return low


def best_order(rho: float, delta: float) -> int:
    """The whole order at which a cost of `rho` converts to the smallest epsilon."""
    orders = np.arange(2, _MOST)
    return int(orders[_converted(orders, rho * orders, delta).argmin()])


def epsilon_of(orders: Floats, divergences: Floats, delta: float) -> float:
    """The epsilon of a curve of Renyi divergences.

    Args:
        orders: Orders, all above 1, [k].
        divergences: The divergence at each, [k].
        delta: The delta.
    """
    return float(_converted(orders, divergences, delta).min())


def sampled_gaussian(rate: float, noise: float, orders: Floats) -> Floats:
    """Renyi divergences of one step of the sampled Gaussian mechanism, at whole orders, [k].

    Args:
        rate: Probability with which a unit takes part in the step.
        noise: Standard deviation of the noise, in units of the sensitivity.
        orders: Whole orders of at least 2, [k].
    """
    if rate == 0:
        return np.zeros(len(orders))
    if rate == 1:
        return np.asarray(orders, float) / (2 * noise**2)
    return np.array([_log_moment(rate, noise, int(order)) / (order - 1) for order in orders])


def noise_for(rho: float, limit: int, rate: float, steps: int) -> float:
    """The least noise with which so many sampled steps cost at most `rho` up to order `limit`.

    Args:
        rho: The cost, as of `Spending`.
        limit: Up to which order it has to hold.
        rate: Probability with which a unit takes part in a step.
        steps: Steps.

    Returns:
        A noise multiplier.
    """
    orders = np.arange(2, limit + 1)
    low, high = 0.1, 1.0
    while not _within(rho, orders, rate, high, steps):
        high *= 2
    for _ in range(_STEPS // 2):
        middle = (low + high) / 2
        enough = _within(rho, orders, rate, middle, steps)
        low, high = (low, middle) if enough else (middle, high)
    return high


def _within(rho: float, orders: Floats, rate: float, noise: float, steps: int) -> bool:
    return bool((steps * sampled_gaussian(rate, noise, orders) <= rho * orders).all())


def _log_moment(rate: float, noise: float, order: int) -> float:
    """The logarithm of the sum over k of (a over k) (1-q)^(a-k) q^k exp(k (k-1) / (2 noise^2))."""
    k = np.arange(order + 1)
    choose = gammaln(order + 1) - gammaln(k + 1) - gammaln(order - k + 1)
    weights = choose + (order - k) * math.log1p(-rate) + k * math.log(rate)
    return float(logsumexp(weights + k * (k - 1) / (2 * noise**2)))


def _converted(orders: Floats, divergences: Floats, delta: float) -> Floats:
    """The epsilon at each order, [k]; never below 0."""
    shrunk = np.log1p(-1 / orders) - (math.log(delta) + np.log(orders)) / (orders - 1)
    return np.asarray(np.maximum(divergences + shrunk, 0.0))
