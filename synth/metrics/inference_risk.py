"""Inference: does the nearest synthetic row tell a secret about a person?

As in anonymeter (Giomi et al. 2023): the attacker knows every column of a person but one, looks
for the synthetic row that is nearest by them, and reads the secret from it. Every column is the
secret once.
"""

from __future__ import annotations

import numpy as np

from prefect_synth.synth.metrics.gower import (
    FAR,
    Float32s,
    GowerRows,
    GowerSpace,
    nearest_but_one,
)
from prefect_synth.synth.metrics.risk import Risk, risk
from prefect_synth.synth.metrics.sources import Floats, Ints

TOLERANCE = 0.05
"""A number is guessed where it differs from the guess by at most this part of the guess."""

_MOMENT = 0.01  # of the range: dates have no natural zero that a part could be taken of


def inference_risks(
    training: GowerRows,
    holdout: GowerRows,
    synthetic: GowerRows,
    space: GowerSpace,
    *,
    units: tuple[Ints | None, Ints | None] = (None, None),
) -> dict[str, Risk]:
    """Measure the inference risk of each column, known all the others.

    Args:
        training: The attacked rows that the synthesizer saw.
        holdout: The attacked rows that it never saw.
        synthetic: The synthetic rows.
        space: What encoded them.
        units: The unit of each attacked row, where rows come in families.

    Returns:
        The risk by column; the intervals hold for all columns together (Bonferroni).
    """
    left, right = (_guessed(rows, synthetic, space) for rows in (training, holdout))
    return {
        name: risk(left[i], right[i], units, comparisons=len(space.names), column=name)
        for i, name in enumerate(space.names)
    }


def _guessed(rows: GowerRows, synthetic: GowerRows, space: GowerSpace) -> Floats:
    """Whether each column (line) of each row is guessed."""
    found = nearest_but_one(rows, synthetic)
    right = np.empty(found.shape)
    for i, column in enumerate(space.number_columns):
        guess, secret = synthetic.numbers[i][found[i]], rows.numbers[i]
        if column.sdtype == "datetime":
            allowed = np.full(len(guess), _MOMENT)
        else:  # scaled numbers lost their zero, of which a part is taken
            zero = -space.centres[i] / space.widths[i]
            allowed = TOLERANCE * np.abs(guess.astype(np.float64) - zero)
        right[i] = _near(guess, secret, allowed)
    for i in range(len(space.code_columns), 0, -1):
        right[-i] = synthetic.codes[-i][found[-i]] == rows.codes[-i]
    return right


def _near(guess: Float32s, secret: Float32s, allowed: Floats) -> Floats:
    null, other = guess == FAR, secret == FAR
    slack = allowed + 1e-6  # what 32 bits lose
    near = np.abs(guess.astype(np.float64) - secret) <= slack
    return np.where(null | other, null & other, near).astype(np.float64)
