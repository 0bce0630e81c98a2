"""The far end of a number of children, which no single parent may tell.

The largest numbers are known up to the so-manieth largest only; beyond it a power law is drawn on,
with the exponent of those below (Hill 1975, with the largest values censored).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from prefect_synth.synth.encoding.layout import RARE, Floats
from prefect_synth.synth.encoding.quantile import QuantileMarginal

_FEWEST, _MOST = 4 * RARE, 200
_SHARE = 0.1
_STRETCH = 1.75
_WORTH_IT = 1.1


def with_tail(marginal: QuantileMarginal, numbers: Floats) -> QuantileMarginal:
    """The marginal with a last range beyond the largest number that it may tell.

    Args:
        marginal: Fitted to `numbers`, its end at the so-manieth largest.
        numbers: Whole numbers, [n].
    """
    end = marginal.highs[-1]
    growth = _growth(np.sort(numbers[numbers > 0])[::-1])
    far = np.rint(end * growth)
    left_over = marginal.weights[-1] - RARE / max(len(numbers), 1)
    if growth < _WORTH_IT or far < end + 2 or left_over <= 0:
        return marginal
    bends = np.ones(len(marginal.lows)) if marginal.bends is None else marginal.bends
    # half of what lies beyond the end lies below the median of the power law
    middle = RARE ** (-np.log(2) / np.log(RARE))
    median = growth ** (np.log(2) / np.log(RARE))
    bend = np.log((median - 1) / (growth - 1)) / np.log(middle)
    return replace(
        marginal,
        lows=np.append(marginal.lows, end + 1),
        highs=np.append(marginal.highs, far),
        weights=np.append([*marginal.weights[:-1], left_over], RARE / len(numbers)),
        bends=np.append(bends, bend),
    )


def _growth(largest: Floats) -> float:
    """How far the largest number is from the so-manieth largest, by the power law of the rest."""
    known = int(np.clip(len(largest) * _SHARE, _FEWEST, _MOST))
    if len(largest) <= known:
        return 1.0
    logs = np.log(largest[RARE - 1 : known] / largest[known])
    inverse = (logs.sum() + (RARE - 1) * logs[0]) / len(logs)
    return float(min(RARE**inverse, _STRETCH))
