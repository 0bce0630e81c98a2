"""How near synthetic rows, and rows never seen, are to the rows that models saw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from prefect_synth.expectations.report_content import PrivacyView
from prefect_synth.synth.metadata import Column
from prefect_synth.synth.metrics.gower import GowerRows, comparable_columns, nearest
from prefect_synth.synth.metrics.privacy_sample import Sampled, sample_sides
from prefect_synth.synth.metrics.sources import Floats, Source, count_rows, read_schema
from prefect_synth.synth.randomness import stream

_BINS = 20
_TAIL = 0.995  # of the distances lie inside; the last bin takes in the others
_FEWEST_ROWS = 50


def distance_view(
    table: str,
    training: Source,
    synthetic: Source,
    holdout: Source | None,
    columns: Sequence[Column],
    *,
    rows: int = 1_000,
    reference_rows: int = 20_000,
    seed: int = 0,
) -> PrivacyView:
    """Bin the distances to the closest training row (DCR, by Gower's distance).

    Args:
        table: The table's name.
        training: The rows that models saw.
        synthetic: The synthetic rows.
        holdout: Rows of the same population that they never saw; None where there are none.
        columns: The learned columns.
        rows: At most so many rows of each side are asked for their closest one.
        reference_rows: At most so many rows of each side are read.
        seed: Seed of all draws.

    Returns:
        The two histograms, without figures; or why there are none.
    """
    if holdout is None:
        return PrivacyView(table, why_not="No rows were held out to compare the distances with.")
    sides = (training, synthetic, holdout)
    compared = comparable_columns(columns, *map(read_schema, sides))
    if not compared or min(map(count_rows, sides)) < _FEWEST_ROWS:
        return PrivacyView(
            table, why_not="Too few rows, or no column from which to tell rows apart."
        )
    _, (seen, made, unseen) = sample_sides(sides, (None,) * 3, compared, reference_rows, seed)
    distances = [
        _distances(side.at_most(rows, stream(seed, "distances", table, name)), seen.rows)
        for name, side in (("synthetic", made), ("holdout", unseen))
    ]
    far = np.quantile(np.concatenate(distances), _TAIL)
    if far == 0:
        return PrivacyView(table, why_not="All rows lie at no distance: its columns hardly differ.")
    edges = np.linspace(0, far, _BINS + 1)
    counts = [np.histogram(np.minimum(d, edges[-1]), edges)[0].tolist() for d in distances]
    return PrivacyView(table, tuple(edges.tolist()), tuple(counts[0]), tuple(counts[1]))


def _distances(asked: Sampled, reference: GowerRows) -> Floats:
    return np.asarray(nearest(asked.rows, reference, 1)[0][:, 0], dtype=np.float64)
