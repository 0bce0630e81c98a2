"""What is remembered of a real table so that a synthetic one can be judged without it.

A profile holds quantiles, shares and hashes. Those are still real data: profiles stay in private
staging.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from prefect_synth.expectations.column_profile import QUANTILES as QUANTILES
from prefect_synth.expectations.column_profile import ColumnProfile as ColumnProfile
from prefect_synth.expectations.column_profile import profile_column
from prefect_synth.expectations.columns import (
    compared_columns,
    table_kinds,
)
from prefect_synth.expectations.copies import CopyProfile, profile_copies
from prefect_synth.expectations.families import (
    count_error,
    parent_codes,
)
from prefect_synth.expectations.leaks import identifying_hashes
from prefect_synth.synth.metadata import Metadata, Table
from prefect_synth.synth.metrics.hashing import Hashes
from prefect_synth.synth.metrics.sources import (
    Ints,
    count_rows,
    read_columns,
    read_schema,
)
from prefect_synth.synth.metrics.values import plain

_FILE = "profile.json"
_HASHES = "hashes.npz"
_COPIES = "copies"
_PII = "pii:"


@dataclass(frozen=True)
class TableProfile:
    """What is remembered of one real table.

    Args:
        table: The table's name.
        rows: Its number of rows.
        rows_error: Standard error of that number, given that rows come with their parents.
        columns: Profile by column.
        copies: What finding copied rows needs.
        pii: By column, hashes of the values that identify someone.
    """

    table: str
    rows: int
    rows_error: float
    columns: Mapping[str, ColumnProfile]
    copies: CopyProfile
    pii: Mapping[str, Hashes] = field(default_factory=dict)

    def save(self, folder: Path) -> Path:
        """Write the profile into a folder of private staging, and the hashes beside it."""
        folder.mkdir(parents=True, exist_ok=True)
        pii = {_PII + name: hashes for name, hashes in self.pii.items()}
        hashes: Mapping[str, Any] = {_COPIES: self.copies.hashes, **pii}
        np.savez(folder / _HASHES, **hashes)
        (folder / _FILE).write_text(json.dumps(self._to_dict(), indent=1), encoding="utf-8")
        return folder

    @classmethod
    def load(cls, folder: Path) -> TableProfile:
        """Read what `save` wrote."""
        document = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        with np.load(folder / _HASHES, allow_pickle=False) as hashes:
            pii = {k.removeprefix(_PII): hashes[k] for k in hashes if k.startswith(_PII)}
            copies = CopyProfile(hashes=hashes[_COPIES], **_tuples(document["copies"]))
        columns = {
            name: ColumnProfile(**_tuples(column)) for name, column in document["columns"].items()
        }
        return cls(
            document["table"], document["rows"], document["rows_error"], columns, copies, pii
        )

    def _to_dict(self) -> dict[str, Any]:
        copies = asdict(replace(self.copies, hashes=np.zeros(0, dtype=np.uint64)))
        del copies["hashes"]
        return {
            "table": self.table,
            "rows": self.rows,
            "rows_error": self.rows_error,
            "columns": {name: dict(vars(column)) for name, column in self.columns.items()},
            "copies": copies,
        }


def profile_table(
    path: Path,
    table: Table,
    metadata: Metadata | None = None,
    *,
    seed: int = 0,
    families: Ints | None = None,
    training: Path | None = None,
    holdout: Path | None = None,
) -> TableProfile:
    """Profile a staged real table, one column in memory at a time.

    Args:
        path: A Parquet file, or a folder of Parquet parts.
        table: What the table means.
        metadata: The schema, whose foreign keys are then known to be keys.
        seed: Seed of the sample from which the natural rate of copies is told.
        families: The root entity of each row, which may lie several foreign keys up.
        training: Its rows that models saw, for only those can be copied; all of `path` by default.
        holdout: Its rows that no model saw, which tell how often rows recur by themselves.

    Returns:
        The profile, for private staging only.
    """
    schema = read_schema(path)
    kinds = table_kinds(table, schema, metadata)
    parents = parent_codes(path, table, metadata)
    if families is not None:
        parents.append(np.unique(families, return_inverse=True)[1])
    columns, pii = {}, {}
    for name, kind in kinds.items():
        values = plain(read_columns(path, [name])[name])  # NaN is null, as pandas has it
        columns[name] = profile_column(values, table.columns[name], kind, parents)
        hashes = identifying_hashes(values, table.columns[name])
        if hashes is not None:
            pii[name] = hashes
    copies = profile_copies(training or path, compared_columns(kinds), seed)
    if holdout is not None:
        copies = copies.beside(holdout)
    return TableProfile(table.name, count_rows(path), count_error(parents), columns, copies, pii)


def _tuples(document: Mapping[str, Any]) -> dict[str, Any]:
    items: Iterable[tuple[str, Any]] = document.items()
    return {k: tuple(v) if isinstance(v, list) else v for k, v in items}
