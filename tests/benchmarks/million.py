"""Judge a million rows of 33 columns, in a process of its own, and print seconds and memory.

Thirty columns are those of the metrics' benchmark. Two of free text, in which every twentieth cell
holds somebody's address, and one of personal e-mail addresses are what leaks are looked for in.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from metrics import THREADS, document, table

ROWS, HELD_OUT = 1_000_000, 100_000
WORDS = ("the", "order", "came", "late", "and", "customer", "asked", "for", "refund", "twice")


def report_million() -> None:
    """Make the tables, judge them elsewhere, and print what that took."""
    with tempfile.TemporaryDirectory() as folder:
        sizes = {"training": ROWS - HELD_OUT, "holdout": HELD_OUT, "synthetic": ROWS}
        for seed, (side, rows) in enumerate(sizes.items()):
            made = with_texts(table(rows, seed), seed)
            pq.write_table(made, Path(folder) / f"{side}.parquet")
        done = subprocess.run(
            [sys.executable, __file__, folder],
            env={**os.environ, **THREADS},
            capture_output=True,
            text=True,
            check=True,
        )
    found = json.loads(done.stdout.splitlines()[-1])
    print(
        f"{ROWS:,} rows of 33 columns judged: {found['wall']:.0f} s, {found['cpu']:.0f} cpu s, "
        f"peak {found['peak']:.2f} GB, {found['checks']} checks, {found['failures']} failed"
    )


def with_texts(made: pa.Table, seed: int) -> pa.Table:
    """The table with an e-mail address in each row, another for each side, and two free texts."""
    rng = np.random.default_rng(seed)
    rows = len(made)
    addresses = pa.array([f"person{seed}.{row}@example.com" for row in range(rows)])
    made = made.append_column("email", addresses)
    for name in ("note", "remark"):
        words = [
            pa.array(WORDS).take(pa.array(rng.integers(0, len(WORDS), rows))) for _ in range(6)
        ]
        text = pc.binary_join_element_wise(*words, " ")
        told = pa.array(rng.random(rows) < 0.05)
        other = pa.array([f"ask other{seed}.{row}@example.org" for row in range(rows)])
        made = made.append_column(name, pc.if_else(told, other, text))
    return made


def described() -> dict[str, Any]:
    """SDV's metadata of the table with its texts."""
    found = document()
    found["tables"]["t"]["columns"] |= {
        "email": {"sdtype": "email", "pii": True},
        "note": {"sdtype": "text"},
        "remark": {"sdtype": "text"},
    }
    return found


def judge_million(folder: Path) -> dict[str, float]:
    """Profile and judge, as a refresh does."""
    from judged import Divided, judge

    from prefect_synth.expectations.sides import Sides
    from prefect_synth.synth.sdv import metadata_from_sdv

    files = {
        side: {"t": folder / f"{side}.parquet"} for side in ("training", "holdout", "synthetic")
    }
    metadata = metadata_from_sdv(described())
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
