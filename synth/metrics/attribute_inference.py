"""Attribute inference by exact matching: the correct attribution probability (CAP).

The attacker knows some key fields of a person, takes the synthetic rows that equal them, and
believes in each value of the sensitive field as often as it occurs there: Taub, Elliot, Pampaka
and Smith (2018), "Differential correct attribution probability for synthetic data". What this
tells of rows that were never trained on is knowledge of the population; what it tells of training
rows beyond that is disclosure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from prefect_synth.synth.metrics.bins import cell_hashes
from prefect_synth.synth.metrics.clusters import design_effect, fewest_units, quantile
from prefect_synth.synth.metrics.hashing import Hashes, combine
from prefect_synth.synth.metrics.privacy import table_hashes
from prefect_synth.synth.metrics.sources import Floats, Ints
from prefect_synth.synth.randomness import stream

_FEWEST = 50  # rows whose keys were found, of which a mean can be told


@dataclass(frozen=True)
class AttributeInference:
    """What synthetic rows tell about training rows beyond the population, at the worst column.

    Args:
        column: The sensitive column.
        excess: Mean CAP of training rows less that of holdout rows; 0 is best.
        error: Half width of its interval, which holds at 95 % for all columns together.
        training: Mean CAP of training rows, among those whose keys were found.
        holdout: Likewise of holdout rows.
    """

    column: str
    excess: float
    error: float
    training: float
    holdout: float


def categorical_cap(
    real: pa.Table, synthetic: pa.Table, key_fields: Sequence[str], sensitive_fields: Sequence[str]
) -> float:
    """Score protection against attribute inference as SDMetrics 0.32 defines CategoricalCAP.

    Args:
        real: The attacked rows.
        synthetic: The synthetic rows.
        key_fields: The columns that the attacker knows.
        sensitive_fields: The columns to guess, together.

    Returns:
        One minus the mean probability of the right guess, over the rows whose keys occur in the
        synthetic data: 1 is best. NaN where none does.
    """
    left, right = (
        (table_hashes(table, key_fields), table_hashes(table, sensitive_fields))
        for table in (real, synthetic)
    )
    found = attributions(left, right)
    found = found[~np.isnan(found)]
    return 1 - float(found.mean()) if len(found) else float("nan")


def attributions(real: tuple[Hashes, Hashes], synthetic: tuple[Hashes, Hashes]) -> Floats:
    """The correct attribution probability of each real row.

    Args:
        real: Hashes of the keys and of the secret of each attacked row.
        synthetic: Likewise of the synthetic rows.

    Returns:
        The share of synthetic rows with a row's keys that have its secret; NaN where there are
        no such rows.
    """
    keys, secrets = synthetic
    same_keys = _count(np.sort(keys), real[0])
    same = _count(np.sort(combine(keys, secrets)), combine(*real))
    return np.divide(same, same_keys, out=np.full(len(same), np.nan), where=same_keys > 0)


def attribute_inference(
    training: Ints,
    holdout: Ints,
    synthetic: Ints,
    names: Sequence[str],
    *,
    units: tuple[Ints | None, Ints | None] = (None, None),
    seed: int = 0,
) -> AttributeInference | None:
    """Find the column about which the synthetic rows tell most beyond the population.

    The attacker knows as many other columns, in a random order, as it takes for most of the
    synthetic rows to differ: fewer tell less, more are hardly found.

    Args:
        training: Cells of rows that the synthesizer saw, as `Bins.cut` makes them.
        holdout: Of rows that it never saw.
        synthetic: Of the synthetic rows.
        names: The columns.
        units: The unit of each attacked row, where rows come in families.
        seed: Seed of the order.

    Returns:
        None where too few keys are found.
    """
    tried = [
        _excess(training, holdout, synthetic, names, secret, units, seed)
        for secret in range(len(names))
    ]
    found = [one for one in tried if one is not None]
    return max(found, key=lambda one: one.excess - one.error, default=None)


def _excess(
    training: Ints,
    holdout: Ints,
    synthetic: Ints,
    names: Sequence[str],
    secret: int,
    units: tuple[Ints | None, Ints | None],
    seed: int,
) -> AttributeInference | None:
    order = stream(seed, "attribute inference", names[secret]).permutation(len(names))
    keys = _keys(synthetic, [int(i) for i in order if i != secret])
    sides = [(cell_hashes(x, keys), cell_hashes(x, [secret])) for x in (training, holdout)]
    own = cell_hashes(synthetic, keys), cell_hashes(synthetic, [secret])
    scores = [attributions(side, own) for side in sides]
    known = [~np.isnan(s) for s in scores]
    if min(int(k.sum()) for k in known) < _FEWEST:
        return None
    left, right = (s[k] for s, k in zip(scores, known, strict=True))
    groups = [None if u is None else u[k] for u, k in zip(units, known, strict=True)]
    z = quantile(comparisons=len(names), units=fewest_units(*groups))
    return AttributeInference(
        names[secret],
        float(left.mean() - right.mean()),
        z * _error(left, right, groups),
        float(left.mean()),
        float(right.mean()),
    )


def _error(left: Floats, right: Floats, units: Sequence[Ints | None]) -> float:
    """The standard error of the difference were both sides alike; most scores are 0 or 1."""
    spread = float(np.concatenate([left, right]).std())
    effect = max(design_effect(left, units[0]), design_effect(right, units[1]))
    return spread * float(np.sqrt(effect * (1 / len(left) + 1 / len(right))))


def _keys(synthetic: Ints, order: Sequence[int]) -> list[int]:
    for count in range(1, len(order)):
        if 2 * len(np.unique(cell_hashes(synthetic, order[:count]))) > synthetic.shape[1]:
            return list(order[:count])
    return list(order)


def _count(ordered: Hashes, wanted: Hashes) -> Floats:
    return (np.searchsorted(ordered, wanted, "right") - np.searchsorted(ordered, wanted)).astype(
        np.float64
    )
