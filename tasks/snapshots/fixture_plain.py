"""An extract as plain files, one for each table, for readers that know nothing of snapshots."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa

from prefect_synth.tasks.parquet_form import PublishedForm
from prefect_synth.tasks.snapshots.fixture import Extract
from prefect_synth.tasks.snapshots.naming import folder_names
from prefect_synth.tasks.warehouses.staging_writer import write_parquet

PlainFormat = Literal["csv", "parquet"]

METADATA = "metadata.json"


def write_plain(extract: Extract, out: Path, kind: PlainFormat) -> list[Path]:
    """Write a file for each table, and the metadata.

    Args:
        extract: The rows.
        out: The folder; files of the same names are replaced, others stay.
        kind: `csv` has a header, and nothing where there is no value; `parquet` the exact schema.

    Returns:
        The files of the tables.
    """
    out.mkdir(parents=True, exist_ok=True)
    names = folder_names(extract.rows)
    files = [out / f"{names[name]}.{kind}" for name in extract.rows]
    for name, file in zip(extract.rows, files, strict=True):
        table = extract.table(name)
        if kind == "parquet":
            write_parquet(file, table.schema, table.to_batches(), PublishedForm())
        else:
            _write_csv(table, file)
    document = json.dumps(extract.metadata.to_dict(), indent=1, ensure_ascii=False)
    (out / METADATA).write_text(document + "\n", encoding="utf-8")
    return files


def _write_csv(table: pa.Table, file: Path) -> None:
    # DuckDB has a text for every type, nested ones included
    with closing(duckdb.connect()) as connection:
        connection.register("extract", table)
        connection.sql("SELECT * FROM extract").write_csv(str(file), header=True)
