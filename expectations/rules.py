"""Rules in force, declared and found, checked on all rows of the synthetic tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from prefect_synth.expectations.structure import guarded
from prefect_synth.expectations.verdict import Check
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.rules.checking import broken_rows
from prefect_synth.synth.rules.ruleset import TableRules

BREAK = "0 rows break "
"""How a check of a rule begins to say what is required; the rule follows."""


def check_rules(
    metadata: Metadata, synthetic: Mapping[str, Path], rules: Mapping[str, TableRules]
) -> list[Check]:
    """Check that every rule holds on every row: one check for each rule.

    Args:
        metadata: The schema.
        synthetic: The synthetic tables.
        rules: The rules in force, by table.
    """
    return [
        _check(metadata, synthetic, table, of_table, text)
        for table, of_table in rules.items()
        for text in dict.fromkeys(of_table.texts())
    ]


def _check(
    metadata: Metadata, synthetic: Mapping[str, Path], table: str, rules: TableRules, text: str
) -> Check:
    check = Check("rule", table, None, "structure", None, BREAK + text, "passed")
    one = replace(rules, rules=tuple(r for r in rules.rules if r.text() == text))

    def observe() -> Check:
        count = sum(broken_rows(metadata, table, one, synthetic).values())
        return replace(check, observed=count, status="failed" if count else "passed")

    return guarded(check, observe)
