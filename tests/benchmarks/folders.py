"""Tables and their metadata in a folder, as the command line takes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from prefect_synth.synth.metadata import Metadata


def write_folder(folder: Path, tables: Mapping[str, pa.Table], metadata: Metadata) -> Path:
    """Write `<table>.parquet` and `metadata.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    (folder / "metadata.json").write_text(json.dumps(metadata.to_dict()))
    return folder


def read_folder(folder: Path) -> dict[str, pa.Table]:
    """Read them back."""
    return {path.stem: pq.read_table(path) for path in sorted(folder.glob("*.parquet"))}
