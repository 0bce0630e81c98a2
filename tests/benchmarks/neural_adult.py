"""Half A of `adult` by a network of ours and by SDV's of the same name, in one run.

    python tests/benchmarks/neural_adult.py tvae --epochs 30
    python tests/benchmarks/neural_adult.py tvae --epochs 300 --seeds 3 --no-peer
    python tests/benchmarks/neural_adult.py tvae --epochs 30 --peers ~/.cache/peers-sdv

Both run on one thread, one after the other, each in processes of its own; processor seconds are
those of the whole process, imports included. The independent scorer compares with half A, and half
B is what neither saw. A column has collapsed if it lost half of its entropy (numbers by tenths of
the real ones), or a value that 5 % of the real rows have. `--peers` names the folder that has SDV's
environment as `sdv/` (`shared/bench/setup.sh`); without one there the peer is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from halves import score
from marks import Figures, Row
from places import BENCH, OUT, PEERS, half, one_thread, prefect_synth

from prefect_synth.synth.collapse import Pair, collapsed

DATA, TARGET = "adult", "adult.income_per_year"
SDV = {"tvae": "sdv-tvae", "ctgan": "sdv-ctgan", "copula-gan": "sdv-copulagan"}
"""What `bench/peers.py` calls SDV's, by our names."""
FIGURES = (
    "cpu s",
    "quality",
    "c2st",
    f"tstr {TARGET.split('.')[1]}",
    "nearer to training",
    "collapsed",
)


DIGITS = {"cpu s": 1, "collapsed": 0}


def ours(name: str, epochs: int, seed: int, out: Path) -> Figures:
    """Fit and sample by our command line."""
    before, folder = _children_seconds(), half(DATA)
    prefect_synth(
        "synthesize", folder, out, "--metadata", folder / "metadata.json", "--seed", str(seed),
        "--synthesizer", name, "--epochs", str(epochs),
    )  # fmt: skip
    return {"cpu s": _children_seconds() - before} | _scored(name, out)


def peers(name: str, epochs: int, root: Path, out: Path) -> Figures:
    """Fit and sample by SDV, in its own environment."""
    command = ["python3", BENCH / "peers.py", SDV[name], half(DATA), out, "--epochs", str(epochs)]
    environment = one_thread() | {"PEERS": str(root)}
    words = [str(word) for word in command]
    subprocess.run(words, check=True, capture_output=True, env=environment)
    timing = json.loads((out / "timing.json").read_text())
    if timing["status"] != "ok":
        raise RuntimeError(f"{SDV[name]} ended as {timing['status']}.")
    return {"cpu s": timing["cpu_s"]} | _scored(name, out)


def line(label: str, runs: Sequence[Figures]) -> str:
    """One line of the table: means over the runs, and their spread where there are several."""
    cells = []
    for figure in FIGURES:
        values = [run[figure] for run in runs]
        mean, digits = sum(values) / len(values), DIGITS.get(figure, 3)
        spread = f" ± {(max(values) - min(values)) / 2:.{digits}f}" if len(values) > 1 else ""
        cells.append(f"{mean:.{digits}f}{spread}")
    return f"| {label} | {' | '.join(cells)} |"


def main() -> None:
    """Print a line for each tool as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--peers", type=Path, default=PEERS)
    parser.add_argument("--no-peer", action="store_true")
    asked = parser.parse_args()
    print(f"| | {' | '.join(FIGURES)} |\n|---|{'---|' * len(FIGURES)}", flush=True)
    for name in asked.names:
        out = OUT / f"{DATA}-{name}-{asked.epochs}"
        if name in SDV and not asked.no_peer and _has_sdv(asked.peers):
            runs = [peers(name, asked.epochs, asked.peers.resolve(), out / "peer")]
            print(line(f"SDV 2.0.0 {name}, {asked.epochs} epochs", runs), flush=True)
        runs = [ours(name, asked.epochs, seed, out / str(seed)) for seed in range(asked.seeds)]
        print(line(f"`{name}`, {asked.epochs} epochs at most", runs), flush=True)
    print(f"load {os.getloadavg()[0]:.1f} at the end", flush=True)


def _scored(name: str, out: Path) -> Figures:
    figures = score(Row(DATA, DATA, _nothing, (), DATA, name, targets=(TARGET,)), out)
    return figures | {"collapsed": float(lost_columns(out))}


def lost_columns(out: Path) -> int:
    """How many columns have collapsed."""
    real, made = (pq.read_table(folder / f"{DATA}.parquet") for folder in (half(DATA), out))
    pairs = [_codes(made[c].combine_chunks(), real[c].combine_chunks()) for c in real.column_names]
    return len(collapsed(pairs))


def _codes(made: pa.Array, real: pa.Array) -> Pair:
    if pa.types.is_integer(real.type) or pa.types.is_floating(real.type):
        numbers = [np.asarray(side.cast(pa.float64()).drop_null()) for side in (made, real)]
        cuts = np.unique(np.quantile(numbers[1], np.linspace(0.1, 0.9, 9)))
        return np.searchsorted(cuts, numbers[0]), np.searchsorted(cuts, numbers[1])
    texts = [side.cast(pa.string()).fill_null("") for side in (made, real)]
    coded = pa.chunked_array(texts).dictionary_encode().chunks
    return np.asarray(coded[0].indices), np.asarray(coded[1].indices)


def _nothing(row: Row, seed: int, out: Path) -> Figures:
    """Rows of this script are measured by the functions above."""
    raise NotImplementedError(row.name, seed, out)


def _has_sdv(root: Path) -> bool:
    return any(root.glob("sdv/lib/python3*/site-packages/sdv/__init__.py"))


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
