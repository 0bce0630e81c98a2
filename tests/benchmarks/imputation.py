"""Values of `adult`'s half B that were hidden, filled by a network that learned from half A.

    OMP_NUM_THREADS=1 python tests/benchmarks/imputation.py --hidden 0.2

A fifth of all values is hidden at random and drawn given the rest of the row, and once more from
the column's other values alone. Told are the share of categories that come back, and the rank
correlation of numbers with what was hidden. Draws are no best guesses: of a category with two
equally likely values half come back.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from places import half
from scipy.stats import spearmanr

from prefect_synth.synth.single import ARGNSynthesizer


def hide(table: pa.Table, share: float, rng: np.random.Generator) -> tuple[pa.Table, Any]:
    """The table with some values taken out, and which, [n, d]."""
    hidden = rng.random((len(table), table.num_columns)) < share
    columns = [
        pa.compute.if_else(pa.array(hidden[:, j]), pa.scalar(None, c.type), c)
        for j, c in enumerate(table.columns)
    ]
    return pa.table(columns, table.schema), hidden


def main() -> None:
    """Print a line for each column."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hidden", type=float, default=0.2)
    parser.add_argument("--epochs", type=int, default=80)
    asked = parser.parse_args()
    learned, unseen = (pq.read_table(half("adult", side) / "adult.parquet") for side in "AB")
    rng, start = np.random.default_rng(0), time.process_time()
    model = ARGNSynthesizer(flexible=True, epochs=asked.epochs).fit(learned)
    fitted = time.process_time()
    holes, hidden = hide(unseen, asked.hidden, rng)
    filled = model.impute(holes)
    print(f"fit {fitted - start:.1f} cpu s, impute {time.process_time() - fitted:.1f} cpu s")
    print("| column | figure | given the row | the column alone |\n|---|---|---|---|")
    for j, name in enumerate(unseen.column_names):
        at = np.flatnonzero(hidden[:, j] & np.asarray(unseen[name].is_valid()))
        real = unseen[name].take(pa.array(at))
        others = unseen[name].drop_null()
        alone = others.take(pa.array(rng.integers(0, len(others), len(at))))
        made = filled[name].take(pa.array(at))
        figure, given = _agreement(real, made)
        print(f"| {name} | {figure} | {given:.3f} | {_agreement(real, alone)[1]:.3f} |", flush=True)


def _agreement(real: pa.ChunkedArray, made: pa.ChunkedArray) -> tuple[str, float]:
    if pa.types.is_integer(real.type) or pa.types.is_floating(real.type):
        return "rank correlation", float(spearmanr(np.asarray(real), np.asarray(made))[0])
    return "share that is right", float(np.mean(np.array(real) == np.array(made)))


if __name__ == "__main__":
    main()
