"""The risk that remains of an attack when what it achieves on strangers is taken off.

As in anonymeter: Giomi, Boenisch, Wehmeyer and Tasnádi (2023), "A unified framework for
quantifying privacy risk in synthetic data", PoPETs 2023(2). An attack is run on rows that the
synthesizer was trained on and on rows that it never saw; what it gets right about the latter, it
has from the population, not from anyone's record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from prefect_synth.synth.metrics.clusters import design_effect, fewest_units, quantile
from prefect_synth.synth.metrics.sources import Floats, Ints


@dataclass(frozen=True)
class Risk:
    """What an attack achieves on training rows beyond what it achieves on others.

    Args:
        value: (attack - control) / (1 - control), from 0 to 1; 0 is best.
        low: Lower end of the confidence interval.
        high: Upper end.
        attack: Success rate on training rows.
        control: Success rate on holdout rows.
        attacks: Attacks made on each.
        column: The column that was guessed, where there is one.
    """

    value: float
    low: float
    high: float
    attack: float
    control: float
    attacks: int
    column: str | None = None


def wilson(successes: float, attempts: float, z: float) -> tuple[float, float]:
    """A success rate and the half width of its interval: Wilson (1927), J. Am. Stat. Ass. 22.

    Args:
        successes: Attempts that succeeded.
        attempts: All attempts, at least one.
        z: Normal quantile of the confidence.

    Returns:
        The middle of the interval, drawn from the observed rate towards one half; the half width.
    """
    variance = successes * (attempts - successes) / attempts
    size = attempts + z**2
    return (successes + z**2 / 2) / size, z / size * float(np.sqrt(variance + z**2 / 4))


def risk(
    attack: Floats,
    control: Floats,
    units: tuple[Ints | None, Ints | None] = (None, None),
    *,
    comparisons: int = 1,
    column: str | None = None,
) -> Risk:
    """Compare an attack on training rows with the same attack on holdout rows.

    Args:
        attack: 1 for each attack on a training row that succeeded, else 0.
        control: Likewise on holdout rows.
        units: The unit of each attacked row on both sides, where rows come in families: the
            interval is then as wide as independent attacks of the same information make it.
        comparisons: How many attacks the worst is taken from; the interval holds for all.
        column: The column that was guessed.
    """
    z = quantile(comparisons=comparisons, units=fewest_units(*units))
    sides = list(zip((attack, control), units, strict=True))
    # where all attacks of a side succeed, its families show in the other side alone
    effect = max(design_effect(outcomes, own) for outcomes, own in sides)
    (left, left_error), (right, right_error) = (
        wilson(outcomes.sum() / effect, len(outcomes) / effect, z) for outcomes, _ in sides
    )
    value = (left - right) / (1 - right)
    error = float(np.hypot(left_error / (1 - right), right_error * (1 - left) / (1 - right) ** 2))
    # Near 1 the propagated error forgets that the control is not known: the difference must hold.
    least = min(value - error, value - float(np.hypot(left_error, right_error)) / (1 - right))
    low, value, high = (float(np.clip(x, 0, 1)) for x in (least, value, value + error))
    rates = float(attack.mean()), float(control.mean())
    return Risk(value, low, high, *rates, min(len(attack), len(control)), column)


def worst_risk(risks: Mapping[str, Risk] | list[Risk]) -> Risk | None:
    """The risk of which most is certain; of equal ones the largest. None where there is none."""
    found = list(risks.values()) if isinstance(risks, Mapping) else risks
    return max(found, key=lambda r: (r.low, r.value), default=None)
