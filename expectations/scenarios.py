"""Scenarios, counted on all rows of the synthetic tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from prefect_synth.expectations.structure import guarded
from prefect_synth.expectations.verdict import Check
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.keys import child_counts, parent_rows, read_references
from prefect_synth.synth.metrics.sources import (
    count_rows,
    read_batches,
    read_columns,
    read_schema,
)
from prefect_synth.synth.scenarios.matching import bind, matching
from prefect_synth.synth.scenarios.scenario import Scenario, Scenarios, children_relation

SCENARIO = "scenario"
"""What the check of a scenario is called."""


def check_scenarios_hold(
    metadata: Metadata, synthetic: Mapping[str, Path], scenarios: Scenarios
) -> list[Check]:
    """Count the rows of each scenario: one check for each, in their order.

    Args:
        metadata: The schema.
        synthetic: The synthetic tables.
        scenarios: What must occur, by table.
    """
    return [
        _check(metadata, synthetic, table, scenario)
        for table, asked in scenarios.items()
        for scenario in asked
    ]


def _check(
    metadata: Metadata, synthetic: Mapping[str, Path], table: str, scenario: Scenario
) -> Check:
    required = f"at least {scenario.at_least:,} rows of '{scenario.name}'"
    check = Check(SCENARIO, table, None, "structure", None, required, "passed")

    def observe() -> Check:
        good = _matching(synthetic[table], scenario)
        for child in scenario.children:
            good &= _with_children(metadata, synthetic, table, scenario, child)
        found = int(good.sum())
        short = found < scenario.at_least
        return replace(check, observed=found, status="failed" if short else "passed")

    return guarded(check, observe)


def _matching(path: Path, scenario: Scenario) -> np.ndarray:
    """On which rows the condition holds, [n]."""
    comparisons = scenario.comparisons()
    if not comparisons:
        return np.ones(count_rows(path), bool)
    matches = bind(comparisons, read_schema(path))
    columns = list(dict.fromkeys(c.column for c in comparisons))
    return np.concatenate(
        [
            np.zeros(0, bool),
            *(
                matching(matches, dict(zip(columns, batch.columns, strict=True)), len(batch))
                for batch in read_batches(path, columns)
            ),
        ]
    )


def _with_children(
    metadata: Metadata,
    synthetic: Mapping[str, Path],
    table: str,
    scenario: Scenario,
    child: str,
) -> np.ndarray:
    """Which rows have as many children as asked, [n]."""
    relation, wanted = children_relation(metadata, table, child), scenario.children[child]
    keys = read_columns(synthetic[table], relation.parent_columns)
    referring = read_references(synthetic[relation.child], relation)
    at, _ = parent_rows(referring, relation.child_columns, keys, relation.parent_columns)
    counts = child_counts(at, keys.num_rows)
    return np.asarray(
        counts >= wanted.number if wanted.or_more else counts == wanted.number, dtype=bool
    )
