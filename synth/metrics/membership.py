"""Membership inference: can it be told from the synthetic data who was trained on?

The attacker has no access to the synthesizer. Each record is scored by how near the nearest
synthetic row is, relative to the nearest row of a reference sample of the population: the ratio
of two one-neighbour estimates of density, as DOMIAS has it (van Breugel et al. 2023, "Membership
inference attacks against synthetic data through overfitting detection", AISTATS). Attacks are
judged by what they find with few false accusations (Carlini et al. 2022, "Membership inference
attacks from first principles", IEEE S&P), beside the usual area under the curve.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prefect_synth.synth.metrics.clusters import fewest_units, quantile, standard_error
from prefect_synth.synth.metrics.distances import Sided
from prefect_synth.synth.metrics.gower import GowerRows, nearest
from prefect_synth.synth.metrics.sources import Floats
from prefect_synth.synth.randomness import stream

FALSE_POSITIVES = 0.01

_NOTHING = 1e-6  # below this two distances are not told apart
_RESAMPLES = 200


@dataclass(frozen=True)
class Membership:
    """How well members are told from others.

    Args:
        auc: Area under the receiver operating characteristic; 0.5 is best.
        error: Half width of its 95 % interval (DeLong, DeLong and Clarke-Pearson 1988).
        tpr_at_1_fpr: Members found when one in a hundred others is accused; 0.01 is best.
        tpr_error: Half width of its 95 % interval, by resampling.
        rows: Members asked, and as many others.
    """

    auc: float
    error: float
    tpr_at_1_fpr: float
    tpr_error: float
    rows: int


def membership(
    sides: Sided, synthetic: GowerRows, reference: GowerRows | None = None, *, seed: int = 0
) -> Membership:
    """Attack the synthetic data.

    Args:
        sides: Members, and as many records that were never trained on.
        synthetic: The synthetic rows.
        reference: Rows of the population that are neither; their families must be others too.
            None to score by the distance to the synthetic rows alone.
        seed: Seed of the resampling.
    """
    members, others = (
        nearness(rows, synthetic, reference) for rows in (sides.training, sides.holdout)
    )
    above, below = placements(members, others)
    errors = standard_error(above, sides.training_units), standard_error(below, sides.holdout_units)
    alone = np.hypot(standard_error(above), standard_error(below))
    spread = float(np.hypot(*errors) / alone) if alone > 0 else 1.0
    z = quantile(units=fewest_units(*sides.units))
    tpr_error = z * spread * _resampled_error(members, others, seed)
    return Membership(
        float(above.mean()),
        z * float(np.hypot(*errors)),
        true_positives(members, others),
        tpr_error,
        len(members),
    )


def nearness(rows: GowerRows, synthetic: GowerRows, reference: GowerRows | None) -> Floats:
    """Score each row: the more, the nearer the synthetic data are than the reference is."""
    distance = nearest(rows, synthetic, 1)[0][:, 0]
    if reference is None:
        return -distance
    other = nearest(rows, reference, 1)[0][:, 0]
    return np.asarray(np.log(other + _NOTHING) - np.log(distance + _NOTHING))


def placements(members: Floats, others: Floats) -> tuple[Floats, Floats]:
    """Compare each score with all scores of the other side.

    Args:
        members: Scores of members.
        others: Scores of others.

    Returns:
        For each member the share of others that score less, and for each other the share of
        members that score more; ties count half. The mean of either is the area under the curve.
    """
    return _below(members, others), 1 - _below(others, members)


def true_positives(members: Floats, others: Floats, rate: float = FALSE_POSITIVES) -> float:
    """The share of members found when `rate` of the others are accused.

    Between two thresholds the curve is a line, as if ties were broken by chance.
    """
    cuts = np.unique(np.concatenate([members, others]))
    false, true = (1 - np.searchsorted(np.sort(x), cuts) / len(x) for x in (others, members))
    # at the lowest cut everybody is accused; above the highest nobody
    return float(np.interp(rate, np.r_[0.0, false[::-1]], np.r_[0.0, true[::-1]]))


def _below(scores: Floats, others: Floats) -> Floats:
    ordered = np.sort(others)
    ends = (np.searchsorted(ordered, scores, side) for side in ("left", "right"))
    return np.asarray(sum(ends) / (2 * len(others)), dtype=np.float64)


def _resampled_error(members: Floats, others: Floats, seed: int) -> float:
    rng = stream(seed, "membership")
    found = [
        true_positives(
            members[rng.integers(0, len(members), len(members))],
            others[rng.integers(0, len(others), len(others))],
        )
        for _ in range(_RESAMPLES)
    ]
    return float(np.std(found))
