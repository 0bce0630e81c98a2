"""Linkability: can synthetic rows bring together what two sources know of the same person?

As in anonymeter (Giomi et al. 2023): the attacker knows some columns of a person from one source
and others from another. Both lead to synthetic rows; where they lead to the same one, the two are
linked. The learned columns are split in two at random.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from prefect_synth.synth.metrics.gower import GowerRows, nearest
from prefect_synth.synth.metrics.risk import Risk, risk
from prefect_synth.synth.metrics.sources import Floats, Ints
from prefect_synth.synth.randomness import stream


def linkability(
    training: GowerRows,
    holdout: GowerRows,
    synthetic: GowerRows,
    parts: tuple[Collection[str], Collection[str]],
    *,
    neighbours: int = 1,
    units: tuple[Ints | None, Ints | None] = (None, None),
) -> Risk:
    """Measure the linkability risk.

    Args:
        training: The attacked rows that the synthesizer saw.
        holdout: The attacked rows that it never saw.
        synthetic: The synthetic rows.
        parts: The columns that the one and the other source know.
        neighbours: How many of the nearest synthetic rows count.
        units: The unit of each attacked row, where rows come in families.
    """
    left, right = (_linked(rows, synthetic, parts, neighbours) for rows in (training, holdout))
    return risk(left, right, units)


def split_columns(names: Collection[str], seed: int) -> tuple[list[str], list[str]]:
    """Split columns in two halves at random."""
    order = stream(seed, "linkability").permutation(len(names))
    shuffled = [list(names)[i] for i in order]
    return shuffled[: len(shuffled) // 2], shuffled[len(shuffled) // 2 :]


def _linked(
    rows: GowerRows,
    synthetic: GowerRows,
    parts: tuple[Collection[str], Collection[str]],
    neighbours: int,
) -> Floats:
    (_, one), (_, other) = (nearest(rows, synthetic, neighbours, part) for part in parts)
    same = (one[:, :, None] == other[:, None, :]) & (one[:, :, None] >= 0)
    return np.asarray(same.any(axis=(1, 2)), dtype=np.float64)
