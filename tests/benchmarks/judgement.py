"""Measure the judgement itself: false alarms on honest data, and faults that it must find.

    python tests/benchmarks/judgement.py --false-alarms --seeds 5
    python tests/benchmarks/judgement.py --faults
    python tests/benchmarks/judgement.py --million

Honest data are real rows that no model saw, judged as if they were synthetic: every default gate
must pass. Faults are planted into such data: the right check must fail, and name the place.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
from faults import FAULTS, Fault
from judged import Divided, divide, judge
from places import SHARED

FOLDERS = sorted(f.parent for f in (SHARED / "data").glob("*/metadata.json"))
ONLY = {"adult": ("adult",)}
"""Tables of the data sets that faults are planted into, where not all are needed."""

FAULT_SHARES = (0.4, 0.1)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--false-alarms", action="store_true")
    parser.add_argument("--faults", action="store_true")
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--data", action="append", default=[])
    chosen = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if chosen.false_alarms:
        report_false_alarms(chosen.seeds, chosen.data)
    if chosen.faults:
        report_faults()
    if chosen.million:
        from million import report_million

        report_million()


def report_false_alarms(seeds: int, names: list[str]) -> None:
    """Judge honest data, and print every gate that would stop them."""
    total = judged = 0
    for folder in FOLDERS:
        if names and folder.name not in names:
            continue
        for seed in range(seeds):
            with tempfile.TemporaryDirectory() as out:
                started = perf_counter()
                found = judge(divide(folder, Path(out), seed))
            total += len(found.verdict.failures)
            judged += len(found.verdict.checks)
            print(
                f"{folder.name:12s} seed {seed}: {len(found.verdict.failures)} of "
                f"{len(found.verdict.checks)} checks failed, {perf_counter() - started:.1f} s",
                flush=True,
            )
            for check in found.verdict.failures:
                print(f"    {check}", flush=True)
    print(f"false alarms: {total} of {judged} checks")


def report_faults() -> None:
    """Plant every fault, and print whether it was found."""
    missed = 0
    for name, fault in FAULTS.items():
        with tempfile.TemporaryDirectory() as out:
            found, others = find(fault, Path(out))
        missed += found is None
        print(f"{name:32s} {found or 'MISSED'}")
        for other in others:
            print(f"    also: {other}")
    print(f"missed: {missed} of {len(FAULTS)} faults")


def find(fault: Fault, out: Path) -> tuple[str | None, list[str]]:
    """Plant a fault: what the right check says, None where it passed; and what others say."""
    spoilt = fault.plant(prepared(fault.data, out), np.random.default_rng(0))
    checks = judge(spoilt, fault.read_gates(), fault.rules).verdict.failures
    found = [str(c) for c in checks if (c.name, c.place) == (fault.check, fault.place)]
    return (found or [None])[0], [str(c) for c in checks if str(c) not in found]


def prepared(data: str, out: Path) -> Divided:
    """The data set, half of it to train on."""
    return divide(SHARED / "data" / data, out, 0, FAULT_SHARES, only=ONLY.get(data, ()))


if __name__ == "__main__":
    main()
