"""Where the frame meets the rules: before a table is encoded, and after it is decoded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

import pyarrow as pa

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.hierarchy.plan import TablePlan
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.rules.inference import infer_rules
from prefect_synth.synth.rules.ruleset import RuleSet, TableRules

Rules = RuleSet | Literal["infer", "none"]
"""Rules as a synthesizer takes them."""


def parent_codes(
    metadata: Metadata, plan: TablePlan, links: Mapping[str, Ints], kept: Collection[str]
) -> dict[str, Ints]:
    """What stands for the parents of a table's rows: the row of each that is kept."""
    early = {plan.primary, *plan.assigned, *plan.as_category}
    return {
        r.name: links[r.name]
        for r in metadata.relationships
        if r.name in early and r.name in links and r.parent in kept
    }


def take_out(
    metadata: Metadata,
    name: str,
    table: pa.Table,
    codes: Mapping[str, Ints],
    chosen: Rules,
) -> tuple[TableRules, Metadata, pa.Table]:
    """The rules of a table, and its metadata and rows without what they determine."""
    if chosen == "none":
        return TableRules(), metadata, table
    rules = infer_rules(metadata, {name: table}, codes) if chosen == "infer" else chosen
    left = rules.forward(name, table, codes)
    return rules.of(name), rules.metadata(metadata, {name: left}), left
