"""A cheap profile of a table's rows, and what moved between two of them.

A sketch holds quantiles, hashes and a watermark. Those are real data: sketches stay in private
staging. What is told of them are kinds, counts and shares.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from prefect_synth.expectations.column_profile import ColumnProfile, profile_column
from prefect_synth.expectations.columns import table_kinds
from prefect_synth.expectations.drift import column_lines, missing_categories
from prefect_synth.expectations.families import count_error, parent_codes
from prefect_synth.expectations.profile import TableProfile
from prefect_synth.synth.metadata import Metadata, Table
from prefect_synth.synth.metrics.sources import count_rows, read_columns, read_schema
from prefect_synth.synth.metrics.values import plain
from prefect_synth.synth.randomness import stream
from prefect_synth.tasks.drift.changes import Change
from prefect_synth.tasks.drift.policies import DriftPolicies, Kind

SAMPLE_ROWS = 20_000
"""So many rows of a table are looked at."""
_MATERIAL = 0.05
"""A distribution, or a share of nulls, that moved by less is no drift, however certain it is."""
_JUMP = 1.5
_STANDARD_ERRORS = 4


@dataclass(frozen=True)
class TableSketch:
    """What a sample of rows shows of a table.

    Args:
        table: The table's name.
        rows: Rows of the whole table.
        columns: Profile by column, of the sampled rows.
        rows_error: Standard error of the number of rows, given that they come with their parents.
        watermark: The largest value of `watermark_column`, as a text.
        watermark_column: The column that tells new rows from old ones, where there is one.
    """

    table: str
    rows: int
    columns: Mapping[str, ColumnProfile]
    rows_error: float = 0.0
    watermark: str | None = None
    watermark_column: str | None = None

    def save(self, file: Path) -> None:
        """Write it into private staging."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> TableSketch | None:
        """Read what `save` wrote; None where there is nothing, or another version wrote it."""
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
            columns = {k: ColumnProfile(**_tuples(v)) for k, v in document["columns"].items()}
            return cls(**{**document, "columns": columns})
        except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError):
            return None


def sketch_table(
    path: Path,
    table: Table,
    metadata: Metadata,
    *,
    rows: int | None = None,
    watermark: str | None = None,
    sample: int = SAMPLE_ROWS,
) -> TableSketch:
    """Sketch a table from its rows, or from a sample of them.

    Args:
        path: A Parquet file, or a folder of Parquet parts, in private staging.
        table: What the table means.
        metadata: The schema, whose foreign keys tell which rows come together.
        rows: Rows of the whole table, where `path` is a sample of it.
        watermark: The largest value of `watermark_column(table)`.
        sample: So many of the rows are looked at, the same ones every time.
    """
    there = count_rows(path)
    chosen = _chosen(there, sample, table.name)
    parents = [
        codes if chosen is None else codes[chosen] for codes in _parents(path, table, metadata)
    ]
    columns = {}
    for name, kind in table_kinds(table, read_schema(path), metadata).items():
        values = plain(read_columns(path, [name])[name])
        values = values if chosen is None else values.take(pa.array(chosen))
        columns[name] = profile_column(values, table.columns[name], kind, parents)
    whole = there if rows is None else rows
    scale = math.sqrt(whole / max(1, there if chosen is None else len(chosen)))
    error = count_error(parents) * scale
    return TableSketch(table.name, whole, columns, error, watermark, watermark_column(table))


def sketch_of(profile: TableProfile) -> TableSketch:
    """The sketch of a table of which all rows were profiled, as the judgement does."""
    return TableSketch(profile.table, profile.rows, profile.columns, profile.rows_error)


def watermark_column(table: Table) -> str | None:
    """The column by whose largest value new rows are told: a counted key, or a point in time."""
    key = table.primary_key
    counted = [c for c in table.columns.values() if c.identity]
    if counted or (len(key) == 1 and _is_whole(table.columns[key[0]].source_type)):
        return counted[0].name if counted else key[0]
    moments = [c.name for c in table.columns.values() if c.sdtype == "datetime" and not c.nullable]
    return moments[0] if moments else None


def _is_whole(source_type: str | None) -> bool:
    return "int" in (source_type or "").lower() and "[" not in (source_type or "")


def _chosen(rows: int, sample: int, table: str) -> np.ndarray[Any, np.dtype[np.int64]] | None:
    if rows <= sample:
        return None
    return np.sort(stream(0, "sketch", table).choice(rows, sample, replace=False))


def _parents(path: Path, table: Table, metadata: Metadata) -> list[Any]:
    there = set(read_schema(path).names)
    known = [r for r in metadata.parents(table.name) if set(r.child_columns) <= there]
    alone = Metadata(metadata.tables, tuple(known))
    return parent_codes(path, table, alone)


def compare_sketches(
    old: Mapping[str, TableSketch],
    new: Mapping[str, TableSketch],
    policies: DriftPolicies | None = None,
) -> tuple[Change, ...]:
    """Say what moved in the rows, as far as it matters and is more than chance explains.

    Tables and columns that only one side has are the schema's drift, and a column of which one
    side saw no value tells nothing.

    Args:
        old: The sketches of the last published snapshot's source, or of what models learned.
        new: The sketches of today.
        policies: What the project file says of each kind; `quarantine` blocks, as nothing can be
            held back of rows that are wanted.
    """
    policies = policies or DriftPolicies()
    found = [c for name in sorted(old.keys() & new.keys()) for c in _table(old[name], new[name])]
    return tuple(
        change.model_copy(
            update={
                "policy": (policy := policies.of(change.kind)),
                "effect": "followed" if policy == "evolve" else "blocks",
            }
        )
        for change in found
    )


def _table(old: TableSketch, new: TableSketch) -> Iterator[Change]:
    few, many = sorted((old.rows, new.rows))
    chance = math.hypot(math.sqrt(few + many), old.rows_error, new.rows_error)
    if many > _JUMP * few and many - few > _STANDARD_ERRORS * chance:
        told = (f"{rows:,}" for rows in (old.rows, new.rows))
        yield Change(
            kind="volume_jumped", table=new.table, old=next(told), new=f"{next(told)} rows"
        )
    for name in (n for n in old.columns if n in new.columns and n != new.watermark_column):
        yield from _column(new.table, name, old.columns[name], new.columns[name])


def _column(table: str, name: str, old: ColumnProfile, new: ColumnProfile) -> Iterator[Change]:
    if old.kind != new.kind or not old.rows or not new.rows:
        return
    moved = []
    for line in column_lines(table, name, old, new):
        if line.what == "new categories":
            count = len(missing_categories(new, old))
            said = f"{count} {'value' if count == 1 else 'values'}"
            yield _change("category_added", table, name, said)
        elif line.size is not None and line.size >= _MATERIAL:
            moved.append(f"{line.what} by {line.size:.0%}")
    if moved:
        yield _change("distribution_moved", table, name, ", ".join(moved))


def _change(kind: Kind, table: str, column: str, new: str) -> Change:
    return Change(kind=kind, table=table, column=column, new=new)


def _tuples(document: Mapping[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in document.items()}
