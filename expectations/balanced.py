"""Balanced tables: valid like any table, classes as asked, and as private as the table itself.

Fidelity is not asked of them: they are unlike the real table on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.expectations.attacks import attack_table, privacy_scores
from prefect_synth.expectations.balanced_copies import as_balanced
from prefect_synth.expectations.copies import untold_copies
from prefect_synth.expectations.leaks import check_leaks, check_leaks_elsewhere
from prefect_synth.expectations.profile import TableProfile
from prefect_synth.expectations.rarity import check_rarity
from prefect_synth.expectations.rules import check_rules
from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.sides import Sides
from prefect_synth.expectations.structure import ExpectedRows, check_structure, guarded
from prefect_synth.expectations.thresholds import judge_scores
from prefect_synth.expectations.verdict import Check, CheckStatus
from prefect_synth.synth.metrics.hashing import Hashes
from prefect_synth.synth.metrics.privacy import copied_share
from prefect_synth.synth.metrics.sources import count_rows, read_columns
from prefect_synth.synth.rules.ruleset import TableRules
from prefect_synth.synth.scenarios.balance import Balance, with_balanced
from prefect_synth.synth.scenarios.matching import plain_values

_SLACK = 1


@dataclass(frozen=True)
class BalancedTable:
    """A balanced table, and what it is judged by.

    Args:
        balance: What was asked for.
        path: Its rows.
        rows: How many it must have.
        profile: What is remembered of the real table that it has the like of.
        rules: The rules in force in that table.
        pinned: How many of that table's rows are pinned, its last ones; their classes do not count.
    """

    balance: Balance
    path: Path
    rows: int
    profile: TableProfile
    rules: TableRules
    pinned: int = 0


def check_balanced(
    table: BalancedTable,
    sides: Sides,
    gates: Gates,
    pii: Mapping[str, Mapping[str, Hashes]],
) -> list[Check]:
    """Judge a balanced table.

    Args:
        table: The table.
        sides: The tables of the judgement, without it.
        gates: What must hold of the table that it has the like of.
        pii: By table and column, hashes of the real values that identify someone.
    """
    name, base = table.balance.name, table.balance.table
    beside = _beside(sides, table)
    meaning, profile = beside.metadata.tables[name], table.profile
    checks = check_structure(
        meaning,
        beside.metadata,
        beside.training[name],
        table.path,
        beside.synthetic,
        ExpectedRows(table.rows),
        gates.model_copy(update={"row_tolerance": 0.0}),
    )
    checks.append(_classes(table, sides.synthetic[base]))
    checks += [replace(c, table=name) for c in _rules(table, sides)]
    checks += check_leaks(meaning, table.path, profile.pii, gates.privacy)
    checks += check_leaks_elsewhere(name, beside.metadata, table.path, pii)
    checks += check_rarity(name, beside, gates)
    checks += _copies(table, sides, gates)
    told, broken = attack_table(name, beside, gates)
    checks += [*broken, *judge_scores(privacy_scores(name, told), gates, {base: gates})]
    return checks


def _beside(sides: Sides, table: BalancedTable) -> Sides:
    """The tables of the judgement with it, real as the one that it has the like of."""
    name, base = table.balance.name, table.balance.table

    def also(tables: Mapping[str, Path]) -> dict[str, Path]:
        return {**tables, **({name: tables[base]} if base in tables else {})}

    return Sides(
        with_balanced(sides.metadata, [table.balance]),
        also(sides.training),
        {**sides.synthetic, name: table.path},
        also(sides.holdout),
        also(sides.whole),
        sides.units,
    )


def _classes(table: BalancedTable, like: Path) -> Check:
    """The smallest class that the table has by itself, as a share of the largest."""
    balance = table.balance
    required = f"every class has {balance.ratio:.3g} times the rows of the largest, or more"
    check = Check(
        "class balance", balance.name, balance.column, "structure", None, required, "passed"
    )

    def observe() -> Check:
        drawn = _values(like, balance.column)
        expected = drawn.slice(0, len(drawn) - table.pinned).drop_null().unique()
        places = pc.index_in(_values(table.path, balance.column), expected).drop_null()
        counts = np.bincount(np.asarray(places), minlength=len(expected))
        # rounding takes a row, and never the last one of a class
        short = not counts.all() or counts.min() + _SLACK < balance.ratio * counts.max()
        found = float(counts.min() / max(counts.max(), 1))
        return replace(check, observed=found, status="failed" if short else "passed")

    return guarded(check, observe)


def _values(path: Path, column: str) -> pa.ChunkedArray:
    return plain_values(read_columns(path, [column]).column(0))


def _rules(table: BalancedTable, sides: Sides) -> list[Check]:
    """The rules of the table that it has the like of, on its rows."""
    base = table.balance.table
    tables = {**sides.synthetic, base: table.path}
    return check_rules(sides.metadata, tables, {base: table.rules}) if table.rules.rules else []


def _copies(table: BalancedTable, sides: Sides, gates: Gates) -> Iterator[Check]:
    """Copied rows, by the natural rate of its classes."""
    gate, base = gates.privacy.copied_rows, table.balance.table
    if gate is None or not table.profile.copies.is_copyable:
        return
    blank = Check("copied rows", table.balance.name, None, "privacy", None, "few", "passed")

    def observe() -> Check:
        copies = as_balanced(
            table.profile.copies,
            table.balance.column,
            table.path,
            sides.training[base],
            sides.holdout.get(base),
        )
        rows, above, strict = count_rows(table.path), gate.max or 0.0, gates.privacy.strict
        allowed = copies.allowed(rows, above, strict=strict)
        if not copies.can_tell(rows, above, strict=strict):
            return untold_copies(table.balance.name)
        share = copied_share(table.path, copies.columns, copies.hashes)
        over: CheckStatus = "warned" if gate.on_fail == "warn" else "failed"
        required = f"at most {allowed:.4g} of the rows equal a real row that occurs once"
        status = "passed" if share <= allowed else over
        return replace(blank, observed=share, required=required, status=status)

    yield guarded(blank, observe)
