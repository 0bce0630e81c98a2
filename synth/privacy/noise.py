"""Mechanisms: all that is released of real rows passes here, and is counted.

Noise comes from the operating system's entropy, never from the seed of a project, which others may
know. Noised numbers are put on a grid far coarser than a float's last digits, which would tell of
the number below them (Mironov 2012, "On significance of the least significant bits").
"""

from __future__ import annotations

import math
import secrets

import numpy as np
from scipy.special import ndtri

from prefect_synth.synth.encoding.layout import Floats, Ints
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.privacy.accounting import Spending
from prefect_synth.synth.randomness import stream

FINE = 10
_SLACK = 1e-9


class Noise:
    """Noises numbers, as long as its budget lasts.

    Args:
        budget: What may be spent.
        seed: For tests alone: who knows it can take the noise away. The operating system's entropy
            where None.
        purpose: What is noised, so that a seed gives different noise to different things.

    Attributes:
        spent: What was spent.
    """

    def __init__(self, budget: Spending, seed: int | None = None, *purpose: str) -> None:
        fresh = np.random.Generator(np.random.Philox(key=secrets.randbits(128)))
        self.rng = fresh if seed is None else stream(seed, "noise", *purpose)
        self.budget, self.spent = budget, Spending()

    def gaussian(self, numbers: Floats, sensitivity: float, rho: float) -> Floats:
        """Numbers with Gaussian noise.

        Args:
            numbers: The numbers, of any shape.
            sensitivity: By how much one unit can move them, in Euclidean norm.
            rho: What it may cost.

        Raises:
            SynthesisError: The budget does not allow it.
        """
        self.spend(Spending(rho))
        deviation = sigma(sensitivity, rho)
        grid = 2.0 ** (math.floor(math.log2(deviation)) - FINE)
        noised = numbers + self.rng.normal(0.0, deviation, np.shape(numbers))
        return np.asarray(np.rint(noised / grid) * grid)

    def popular(self, holders: Ints, most: int, rho: float, delta: float) -> np.ndarray:
        """Which of an unknown set of values enough units have, [k] bool.

        The Gaussian mechanism over the values that occur, with a threshold that hides a value that
        a single unit has but for `delta` (Korolova et al. 2009; Wilkins et al. 2024).

        Args:
            holders: How many different units have each value, [k].
            most: Values that one unit can have.
            rho: What it may cost.
            delta: Probability with which a value that only one unit has may get through.

        Raises:
            SynthesisError: The budget does not allow it.
        """
        # the grid may lift a count by a little
        above = float(-ndtri(delta / most)) + 2.0**-FINE
        threshold = 1 + sigma(math.sqrt(most), rho) * above
        self.spend(Spending(delta=delta))
        noised = self.gaussian(holders.astype(float), math.sqrt(most), rho)
        return np.asarray((noised > threshold) & (holders > 0))

    def spend(self, cost: Spending) -> None:
        """Count a cost.

        Raises:
            SynthesisError: The budget does not allow it.
        """
        spent, budget = self.spent + cost, self.budget
        limit = 1 + _SLACK
        if spent.rho > budget.rho * limit or spent.delta > budget.delta * limit:
            raise SynthesisError(
                "More privacy would be spent than was planned for this table. This is a mistake "
                "of prefect-synth: nothing was released; please report it."
            )
        self.spent = spent


def sigma(sensitivity: float, rho: float) -> float:
    """Standard deviation of the Gaussian noise that costs `rho`."""
    return sensitivity / math.sqrt(2 * rho)
