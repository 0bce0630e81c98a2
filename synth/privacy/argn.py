"""The autoregressive network, learned by noised steps."""

from __future__ import annotations

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded
from prefect_synth.synth.privacy.accounting import Spending, noise_for
from prefect_synth.synth.privacy.counting import Counting
from prefect_synth.synth.privacy.sgd import Steps, train_privately
from prefect_synth.synth.row_models.argn import ARGNRowModel
from prefect_synth.synth.row_models.argn_codes import first_embedding, layout_codes
from prefect_synth.synth.row_models.argn_network import Shape

CODES = 24
RATE, STEPS, CLIP, LEARNING = 0.1, 150, 1.0, 0.01


def fit_argn(
    rows: Encoded, context: Encoded, counting: Counting, units: int, cost: Spending
) -> ARGNRowModel:
    """Train the network.

    Args:
        rows: The rows to learn from, whose layouts are noised, [n, d].
        context: Their contexts, likewise, [n, c].
        counting: Counts them; none of them is left out.
        units: The noised number of units.
        cost: What it may cost, and up to which order.

    Raises:
        MissingTorchError: torch is not installed.
    """
    context_codes = tuple(layout_codes(layout, CODES) for layout in context.layouts)
    codes = tuple(layout_codes(layout, CODES) for layout in rows.layouts)
    model = ARGNRowModel(layouts=rows.layouts, context_codes=context_codes, codes=codes)
    if not rows.width:
        return model
    every, both = (*context_codes, *codes), Encoded.beside([context, rows], len(rows))
    coded = np.column_stack([c.of(both.pieces[:, j]) for j, c in enumerate(every)])
    shape, rng = Shape(tuple(len(c) for c in every), context.width), counting.noise.rng
    tables = [
        first_embedding(c, layout.nominal, width, rng)
        for c, layout, width in zip(every, both.layouts, shape.embedded, strict=True)
    ]
    counting.noise.spend(cost)
    steps = steps_for(cost, units)
    shares = [c.shares for c in codes]
    model.network = train_privately(coded, counting.units, shape, tables, shares, steps, rng)
    return model


def steps_for(cost: Spending, units: int) -> Steps:
    """Steps that cost no more than they may.

    Args:
        cost: What they may cost, and up to which order.
        units: The noised number of units.
    """
    noise = noise_for(cost.rho, int(cost.limit), RATE, STEPS)
    return Steps(RATE, STEPS, noise, CLIP, units, LEARNING)
