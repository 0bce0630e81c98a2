"""How much of a sample stays from night to night.

python tests/benchmarks/stability.py demo chinook sakila            one per cent more rows
python tests/benchmarks/stability.py demo --scale 1.2 --quality     how good the appended rows are
python tests/benchmarks/stability.py chinook --without invoice_line retrained without a table
python tests/benchmarks/stability.py chinook --without customer.fax retrained without a column

With the model reused, rows are appended to an earlier sample; retrained, only keys are promised.
`rows` is the share of the earlier rows that the later sample has, cell by cell, under the same
primary key; `keys` the share of their primary keys, `cells` of their cells.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from folders import read_folder
from places import SHARED
from structure import broken_rules, violations

from prefect_synth.flows.demo import build_demo_warehouse
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.inference import refine_metadata
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.hashing import Hashes, combine, hash_values
from prefect_synth.synth.metrics.quality import quality
from prefect_synth.synth.sdv import metadata_from_sdv
from prefect_synth.tasks.warehouses.warehouse import open_warehouse

Tables = Mapping[str, pa.Table]


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+", choices=["demo", "chinook", "sakila"])
    parser.add_argument("--scale", type=float, default=1.01, help="rows, for each that there was")
    parser.add_argument("--nights", type=int, default=1, help="in so many steps")
    parser.add_argument("--without", help="a table, or table.column: retrain without it")
    parser.add_argument("--quality", action="store_true", help="score appended and drawn at once")
    chosen = parser.parse_args()
    for name in chosen.data:
        metadata, real = read(name)
        if chosen.without:
            show(name, dropped(metadata, real, chosen.without))
        else:
            measure_growth(name, metadata, real, chosen)


def read(name: str) -> tuple[Metadata, Tables]:
    """A data set and its schema."""
    if name != "demo":
        folder = SHARED / "data" / name
        metadata = metadata_from_sdv(folder / "metadata.json")
        tables = read_folder(folder)
        return metadata, {name: tables[name] for name in metadata.tables}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "demo.duckdb"
        build_demo_warehouse(path)
        with closing(open_warehouse(f"duckdb:///{path}", allow_writable=True)) as warehouse:
            metadata = warehouse.reflect()
            schemas = warehouse.schemas(metadata)
        with duckdb.connect(str(path), read_only=True) as database:
            found = {n: database.table(n).to_arrow_table().cast(s) for n, s in schemas.items()}
    return refine_metadata(metadata, found), found


def measure_growth(name: str, metadata: Metadata, real: Tables, chosen: argparse.Namespace) -> None:
    """Append to a sample, and say what has stayed and whether all keys and rules hold."""
    model = HMASynthesizer(metadata, seed=7).fit(real)
    grown = [chosen.scale ** (n / chosen.nights) for n in range(chosen.nights + 1)]
    first, last = model.sample(grown[0]), model.sample(grown[-1], after=grown[:-1])
    show(name, {table: unchanged(metadata, table, first, last) for table in metadata.tables})
    print(name, violations(metadata, real, last), "rules broken", broken_rules(model, last))
    if chosen.quality:
        for what, made in (("appended", last), ("at once", model.sample(grown[-1]))):
            score = quality(real, made, metadata, rows=20_000)
            parts = (score.column_shapes, score.column_pair_trends, score.cardinality)
            print(what, *(f"{p:.4f}" for p in (score.overall, *parts, score.intertable_trends)))


def dropped(metadata: Metadata, real: Tables, what: str) -> dict[str, dict[str, float]]:
    """What stays of the other tables when a table, or a column, is gone and all is retrained."""
    table, _, column = what.partition(".")
    names = [n for n in metadata.tables if column or n != table]
    less, data = metadata.subset(names), {n: real[n] for n in names}
    if column:
        described = metadata.tables[table]
        kept = {c: v for c, v in described.columns.items() if c != column}
        tables = less.tables | {table: replace(described, columns=kept)}
        less = replace(less, tables=tables)
        data[table] = data[table].drop_columns([column])
    both = [HMASynthesizer(m, seed=7).fit(t).sample() for m, t in ((less, data), (metadata, real))]
    return {name: unchanged(less, name, *both) for name in names}


def unchanged(metadata: Metadata, table: str, before: Tables, after: Tables) -> dict[str, float]:
    """Shares of the earlier rows, keys and cells that the later tables have."""
    columns, rows = before[table].column_names, len(before[table])
    old, new = (hashed(tables[table], columns) for tables in (before, after))
    key = metadata.tables[table].primary_key
    at = [columns.index(c) for c in key or columns]
    both = (together(side[:, at]) for side in (old, new))
    _, here, there = np.intersect1d(*both, return_indices=True)
    same = old[here] == new[there]
    return {
        "before": rows,
        "after": len(new),
        "rows": same.all(axis=1).sum() / max(rows, 1),
        "keys": len(here) / max(rows, 1),
        "cells": same.mean(axis=1).sum() / max(rows, 1),
    }


def hashed(table: pa.Table, columns: list[str]) -> Hashes:
    """A hash of each cell, [n, d]."""
    found = [
        np.concatenate([np.zeros(0, np.uint64), *map(hash_values, table[c].chunks)])
        for c in columns
    ]
    return np.column_stack(found)


def together(cells: Hashes) -> Hashes:
    """A hash of each row, [n]."""
    found = np.zeros(len(cells), np.uint64)
    for column in cells.T:
        found = combine(found, column)
    return found


def show(name: str, found: Mapping[str, Mapping[str, float]]) -> None:
    """Print a line for each table."""
    for table, figures in found.items():
        counts = " -> ".join(f"{figures[c]:,.0f}" for c in ("before", "after"))
        shares = "  ".join(
            f"{k} {v:7.2%}" for k, v in figures.items() if k not in ("before", "after")
        )
        print(f"{name:8} {table:22} {counts:20} {shares}")


if __name__ == "__main__":
    main()
