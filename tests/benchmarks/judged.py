"""Real data in three parts, of which one that no model saw is judged as if it were synthetic."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from prefect_synth.expectations.freshness import check_freshness
from prefect_synth.expectations.gate import Judgement, judge_snapshot, judge_table
from prefect_synth.expectations.profile import profile_table
from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.sides import Sides
from prefect_synth.flows.evaluation import find_tables, read_metadata
from prefect_synth.synth.holdout import hold_out
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.keys import NO_PARENT, parent_rows, read_references
from prefect_synth.synth.rules.inference import infer_rules
from prefect_synth.synth.rules.ruleset import TableRules


@dataclass(frozen=True)
class Divided:
    """A real data set in three parts.

    Args:
        sides: Training rows, a holdout, and honest rows in the place of synthetic ones.
        shared: Tables that all parts have whole: published as they are.
    """

    sides: Sides
    shared: frozenset[str]

    def with_table(self, name: str, table: pa.Table) -> Divided:
        """Another synthetic table in the place of one."""
        path = self.sides.synthetic[name].with_name(f"{name}.instead.parquet")
        pq.write_table(table, path)
        synthetic = {**self.sides.synthetic, name: path}
        return replace(self, sides=replace(self.sides, synthetic=synthetic))

    def table(self, name: str, side: str = "synthetic") -> pa.Table:
        """A table of a side."""
        return pq.read_table(getattr(self.sides, side)[name])


def divide(
    data: Path,
    out: Path,
    seed: int,
    shares: tuple[float, float] = (0.1, 0.1),
    unit: str | None = None,
    only: Collection[str] = (),
) -> Divided:
    """Divide a data set by families, which stay together.

    Args:
        data: Folder of the tables and their metadata.
        out: Where the parts are written.
        seed: Another one divides otherwise.
        shares: Of the families in the synthetic tables' place, and in the holdout.
        unit: The table whose rows are people, where the guess is not meant.
        only: The tables to take; all by default.
    """
    metadata, tables = read_metadata(None, data), find_tables(data)
    metadata = metadata.subset(only or metadata.tables)
    tables = {name: pq.read_table(tables[name]) for name in metadata.tables}
    small = hold_out(metadata, tables, shares[1], unit=unit, salt=seed)
    both = hold_out(metadata, tables, sum(shares), unit=unit, salt=seed).held
    parts: dict[str, dict[str, Path]] = {"training": {}, "holdout": {}, "synthetic": {}}
    honest = {name: held & ~small.held.get(name, ~held) for name, held in both.items()}
    _close(metadata, tables, honest)
    for name, table in tables.items():
        held = both.get(name)
        if held is None or name not in small.held:
            for side in ("training", "synthetic"):
                parts[side][name] = _written(out / side / f"{name}.parquet", table)
            continue
        chosen = {"training": ~held, "holdout": small.held[name], "synthetic": honest[name]}
        for side, flags in chosen.items():
            part = table.filter(pa.array(flags))
            parts[side][name] = _written(out / side / f"{name}.parquet", part)
    train, honest_rows, unseen = (parts[side] for side in ("training", "synthetic", "holdout"))
    sides = Sides(metadata, train, honest_rows, unseen, train, small.units)
    return Divided(sides, frozenset(parts["training"].keys() - parts["holdout"].keys()))


def judge(
    divided: Divided,
    gates: Gates | None = None,
    rules: Mapping[str, tuple[str, ...]] | None = None,
    hours: float = 1.0,
) -> Judgement:
    """Judge the synthetic tables as a refresh does, so many hours after the pull."""
    sides, gates = divided.sides, gates or Gates()
    tables, pii = {}, {}
    for name, meaning in sides.metadata.tables.items():
        families = sides.families(sides.whole, name)
        profile = profile_table(
            sides.whole[name],
            meaning,
            sides.metadata,
            families=families,
            training=sides.training[name],
            holdout=sides.holdout.get(name),
        )
        rows = pq.read_metadata(sides.synthetic[name]).num_rows
        kept, pii[name] = name in divided.shared, profile.pii
        tables[name] = judge_table(name, sides, profile, gates, expected_rows=rows, kept=kept)
    declared = declared_rules(sides, rules or {})
    now = datetime.now(UTC)
    fresh = check_freshness(now - timedelta(hours=hours), now, gates.max_age_hours, None)
    return judge_snapshot(
        sides, gates, tables, rules=declared, pii=pii, kept=divided.shared, further=fresh
    )


def declared_rules(sides: Sides, lines: Mapping[str, tuple[str, ...]]) -> dict[str, TableRules]:
    """The rules of these lines, fitted to the training rows."""
    found = {}
    for name, texts in lines.items():
        table = {name: pq.read_table(sides.training[name])}
        found[name] = infer_rules(sides.metadata, table, {}, {name: texts}, infer=False).of(name)
    return found


def _close(
    metadata: Metadata, tables: Mapping[str, pa.Table], chosen: dict[str, np.ndarray]
) -> None:
    """Leave out rows with two families, of which one is elsewhere: their key would dangle."""
    changed = True
    while changed:
        changed = False
        for r in metadata.relationships:
            if r.child not in chosen or r.parent not in chosen:
                continue
            child = read_references(tables[r.child], r)
            link, _ = parent_rows(child, r.child_columns, tables[r.parent], r.parent_columns)
            lost = chosen[r.child] & (link != NO_PARENT)
            lost[lost] = ~chosen[r.parent][link[lost]]
            changed |= bool(lost.any())
            chosen[r.child] &= ~lost


def _written(path: Path, table: pa.Table) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    return path
