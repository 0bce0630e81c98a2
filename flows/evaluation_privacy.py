"""The privacy half of `prefect-synth evaluate`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from prefect_synth.synth.holdout import hold_out
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.privacy import copied_share, learned_columns, row_hashes
from prefect_synth.synth.metrics.privacy_scores import Units, assess_table
from prefect_synth.synth.metrics.sources import count_rows
from prefect_synth.synth.people import unit_codes

FEWEST_ROWS = 100
"""Copies are looked for in tables of at least so many rows and two learned columns."""


def evaluate_privacy(
    real: Mapping[str, Path],
    synthetic: Mapping[str, Path],
    schema: Metadata,
    holdout: Mapping[str, Path] | None = None,
    unit: str | None = None,
) -> dict[str, Any]:
    """Look for copies, and attack each table.

    Args:
        real: The real tables that were trained on.
        synthetic: The synthetic tables.
        schema: What the columns mean and how the tables are related.
        holdout: Real tables that no synthesizer saw; without them there is nothing to compare
            attacks with.
        unit: The table whose rows are people, where it is known.

    Returns:
        Plain JSON values: `exact_copies` (the largest share of a table), `nearer_to_training` (the
        mean over tables; 0.5 is best), `excess_copies` with a holdout, and all of it by table.
    """
    units = hold_out(schema, real, 0.0, unit=unit).units
    tables = {
        table: _copies(table, real, synthetic, schema, holdout)
        | _attacks(table, real, synthetic, schema, holdout, units)
        for table in schema.tables
    }
    copies = [t["exact_copies"] for t in tables.values() if "exact_copies" in t]
    nearer = [t["nearer_to_training"]["share"] for t in tables.values() if t["nearer_to_training"]]
    result: dict[str, Any] = {
        "exact_copies": max(copies, default=None),
        "nearer_to_training": fmean(nearer) if nearer else None,
    }
    if holdout is not None:
        excess = [
            t["exact_copies"] - t["exact_copies_holdout"]
            for t in tables.values()
            if "exact_copies" in t
        ]
        result["excess_copies"] = max(excess, default=None)
    return result | {"tables": tables}


def _copies(
    table: str,
    real: Mapping[str, Path],
    synthetic: Mapping[str, Path],
    schema: Metadata,
    holdout: Mapping[str, Path] | None,
) -> dict[str, float]:
    columns = learned_columns(schema, table)
    sides = {"exact_copies": synthetic[table]}
    if holdout is not None:
        sides["exact_copies_holdout"] = holdout[table]
    fewest = min(map(count_rows, [real[table], *sides.values()]))
    if len(columns) < 2 or fewest < FEWEST_ROWS:
        return {}
    known = row_hashes(real[table], columns)
    return {name: copied_share(side, columns, known) for name, side in sides.items()}


def _attacks(
    table: str,
    real: Mapping[str, Path],
    synthetic: Mapping[str, Path],
    schema: Metadata,
    holdout: Mapping[str, Path] | None,
    roots: tuple[str, ...],
) -> dict[str, Any]:
    meaning = schema.tables[table]
    columns = [meaning.columns[name] for name in learned_columns(schema, table)]
    units = Units(
        *(
            None if side is None else unit_codes(schema, side, table, roots)
            for side in (real, synthetic, holdout)
        )
    )
    unseen = None if holdout is None else holdout[table]
    told = assess_table(real[table], synthetic[table], unseen, columns, units=units)
    return told.to_dict()
