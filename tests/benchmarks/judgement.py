"""Measure the judgement itself: false alarms on honest data, and faults that it must find.

    python tests/benchmarks/judgement.py --false-alarms
    python tests/benchmarks/judgement.py --faults
    python tests/benchmarks/judgement.py --million

Honest data are real rows that no model saw, judged as if they were synthetic: every default gate
must pass. Related data are divided by several roots in turn, so that tables that the families of
one root share are held out by another. Faults are planted into such data: the right check must
fail, and name the place. It ends with 1 where one of this does not hold.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
from faults import FAULTS, Fault
from judged import Divided, divide, judge
from places import SHARED

from prefect_synth.expectations.gate import Judgement

FOLDERS = sorted(f.parent for f in (SHARED / "data").glob("*/metadata.json"))
ONLY = {"adult": ("adult",)}
"""Tables of the data sets that faults are planted into, where not all are needed."""

FAULT_SHARES = (0.4, 0.1)

ROOTS: dict[str, tuple[str | None, ...]] = {
    "chinook": (None, "artist", "playlist"),
    "sakila": (None, "film", "address"),
}
"""Tables whose rows are held out with all that hangs on them; the guess of `init` where None."""


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--false-alarms", action="store_true")
    parser.add_argument("--faults", action="store_true")
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", action="append", default=[])
    chosen = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    bad = 0
    if chosen.false_alarms:
        bad += report_false_alarms(chosen.seeds, chosen.data)
    if chosen.faults:
        bad += report_faults()
    if chosen.million:
        from million import report_million

        report_million()
    sys.exit(1 if bad else 0)


def report_false_alarms(seeds: int, names: list[str]) -> int:
    """Judge honest data, print every gate that would stop them, and count these."""
    total = judged = 0
    for folder in FOLDERS:
        for root in ROOTS.get(folder.name, (None,)) if not names or folder.name in names else ():
            for seed in range(seeds):
                started = perf_counter()
                verdict = honest(folder, seed, root).verdict
                total += len(verdict.failures)
                judged += len(verdict.checks)
                print(
                    f"{folder.name:12s} by {root or 'the guess':10s} seed {seed}: "
                    f"{len(verdict.failures)} of {len(verdict.checks)} checks failed, "
                    f"{perf_counter() - started:.1f} s",
                    flush=True,
                )
                for check in verdict.failures:
                    print(f"    {check}", flush=True)
    print(f"false alarms: {total} of {judged} checks")
    return total


def honest(folder: Path, seed: int, root: str | None = None) -> Judgement:
    """Judge a part of a data set that no model saw."""
    with tempfile.TemporaryDirectory() as out:
        return judge(divide(folder, Path(out), seed, unit=root))


def report_faults() -> int:
    """Plant every fault, print whether it was found, and count those that were not."""
    missed = 0
    for name, fault in FAULTS.items():
        with tempfile.TemporaryDirectory() as out:
            found, others = find(fault, Path(out))
        missed += found is None
        print(f"{name:32s} {found or 'MISSED'}")
        for other in others:
            print(f"    also: {other}")
    print(f"missed: {missed} of {len(FAULTS)} faults")
    return missed


def find(fault: Fault, out: Path) -> tuple[str | None, list[str]]:
    """Plant a fault: what the right check says, None where it passed; and what others say."""
    spoilt = fault.plant(prepared(fault.data, out), np.random.default_rng(0))
    checks = judge(spoilt, fault.read_gates(), fault.rules, fault.hours).verdict.failures
    found = [str(c) for c in checks if (c.name, c.place) == (fault.check, fault.place)]
    return (found or [None])[0], [str(c) for c in checks if str(c) not in found]


def prepared(data: str, out: Path) -> Divided:
    """The data set, half of it to train on."""
    return divide(SHARED / "data" / data, out, 0, FAULT_SHARES, only=ONLY.get(data, ()))


if __name__ == "__main__":
    main()
