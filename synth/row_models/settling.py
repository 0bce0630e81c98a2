"""Innovations that a generator draws, settled: a small bias of each would sum up to a drift.

What is left by an autoregression around a family's own mean has itself the mean 0 in each family,
and is a normal score over all of them. A generator has that only nearly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prefect_synth.synth.encoding.layout import Floats
from prefect_synth.synth.row_models.families import Families
from prefect_synth.synth.row_models.scores import Scores, fit_scores
from prefect_synth.synth.storage import stored

_SHRINK = 10.0


@stored
@dataclass(frozen=True)
class Settling:
    """How drawn innovations become normal scores.

    Args:
        marginals: Quantiles of each innovation as it is drawn, in rows that were drawn at fit.
    """

    marginals: tuple[Scores, ...] = ()

    def settled(self, scores: Floats, there: np.ndarray, families: Families) -> Floats:
        """Innovations around the mean of each family, as normal scores, [n, s].

        Args:
            scores: As they are drawn, [n, s].
            there: Whether there is a number, [n, s].
            families: Where the rows are.
        """
        apart = _centred(scores, there, families)
        columns = [m.to_scores(c) for m, c in zip(self.marginals, apart.T, strict=True)]
        return np.column_stack([np.zeros((len(scores), 0)), *columns])


def fit_settling(scores: Floats, there: np.ndarray, families: Families) -> Settling:
    """Learn how drawn innovations are distributed; arguments as `settled` has them."""
    apart = _centred(scores, there, families)
    return Settling(tuple(fit_scores(c[t]) for c, t in zip(apart.T, there.T, strict=True)))


def _centred(scores: Floats, there: np.ndarray, families: Families) -> Floats:
    """Less the mean of the family, of which few rows say little, [n, s]."""
    count = families.sums(there.astype(float))
    mean = families.sums(np.where(there, scores, 0.0)) / (count + _SHRINK)
    return np.asarray(scores - families.spread(mean))
