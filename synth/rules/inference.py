"""Rules that hold on every row, found in data."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.rules.ruleset import RuleSet


def infer_rules(
    metadata: Metadata,
    tables: Mapping[str, pa.Table],
    codes: Mapping[str, Ints] | None = None,
) -> RuleSet:
    """Find the rules that every row of `tables` obeys.

    Args:
        metadata: The schema.
        tables: All rows.
        codes: By relation, the code of each child row's parent (the row of a kept table, or the
            parent's style), -1 for none. A foreign key without codes determines nothing.
    """
    return RuleSet()
