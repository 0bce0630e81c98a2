"""Judge a million rows of thirty columns, in a process of its own, and print seconds and memory."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq
from metrics import THREADS, document, table

ROWS, HELD_OUT = 1_000_000, 100_000


def report_million() -> None:
    """Make the tables, judge them elsewhere, and print what that took."""
    with tempfile.TemporaryDirectory() as folder:
        sizes = {"training": ROWS - HELD_OUT, "holdout": HELD_OUT, "synthetic": ROWS}
        for seed, (side, rows) in enumerate(sizes.items()):
            pq.write_table(table(rows, seed), Path(folder) / f"{side}.parquet")
        done = subprocess.run(
            [sys.executable, __file__, folder],
            env={**os.environ, **THREADS},
            capture_output=True,
            text=True,
            check=True,
        )
    found = json.loads(done.stdout.splitlines()[-1])
    print(
        f"{ROWS:,} rows of 30 columns judged: {found['wall']:.0f} s, {found['cpu']:.0f} cpu s, "
        f"peak {found['peak']:.2f} GB, {found['checks']} checks, {found['failures']} failed"
    )


def judge_million(folder: Path) -> dict[str, float]:
    """Profile and judge, as a refresh does."""
    from judged import Divided, judge

    from prefect_synth.expectations.sides import Sides
    from prefect_synth.synth.sdv import metadata_from_sdv

    files = {
        side: {"t": folder / f"{side}.parquet"} for side in ("training", "holdout", "synthetic")
    }
    metadata = metadata_from_sdv(document())
    started = time.perf_counter()
    sides = Sides(
        metadata, files["training"], files["synthetic"], files["holdout"], files["training"], ("t",)
    )
    found = judge(Divided(sides, frozenset()))
    for check in found.verdict.failures:
        print(check, file=sys.stderr)
    return {
        "wall": time.perf_counter() - started,
        "cpu": sum(os.times()[:2]),
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "checks": len(found.verdict.checks),
        "failures": len(found.verdict.failures),
    }


if __name__ == "__main__":
    print(json.dumps(judge_million(Path(sys.argv[1]))))
