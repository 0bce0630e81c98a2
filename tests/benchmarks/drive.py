"""Fit and sample in a process of its own, and print what it took.

    python tests/benchmarks/drive.py DATA OUT --row-model auto --seed 0 --scale 1

DATA holds `<table>.parquet` and `metadata.json`; OUT gets the tables, and the model in OUT/model.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from prefect_synth.flows.evaluation import find_tables, read_metadata
from prefect_synth.synth.hierarchy.hma import HMASynthesizer


def main() -> None:
    """Run once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--row-model", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, default=1.0)
    chosen = parser.parse_args()
    metadata = read_metadata(chosen.data / "metadata.json", chosen.data)
    tables = {name: pq.read_table(path) for name, path in find_tables(chosen.data).items()}
    model = HMASynthesizer(metadata, row_model=chosen.row_model, seed=chosen.seed)
    spent = {"fit": timed(lambda: model.fit(tables))}
    made: dict[str, Any] = {}
    spent["sample"] = timed(lambda: made.update(model.sample(chosen.scale)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model.save(chosen.out / "model")
    for name, table in made.items():
        pq.write_table(table, chosen.out / f"{name}.parquet")
    print(
        json.dumps(
            {
                "cpu s": spent["fit"][0] + spent["sample"][0],
                "wall s": spent["fit"][1] + spent["sample"][1],
                "peak GB": peak / 2**20,
                "model bytes": folder_bytes(chosen.out / "model"),
            }
        )
    )


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Processor and wall seconds of `work`."""
    cpu, wall = sum(os.times()[:4]), time.perf_counter()
    work()
    return sum(os.times()[:4]) - cpu, time.perf_counter() - wall


def folder_bytes(folder: Path) -> int:
    """What a stored model weighs."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
