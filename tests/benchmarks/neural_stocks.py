"""Five years of 100 shares by the models of sequences: can a network tell, and is the memory kept?

    OMP_NUM_THREADS=1 python tests/benchmarks/neural_stocks.py
    python tests/benchmarks/neural_stocks.py --models par --epochs 10 --repeats 1

Each model is the row model of `stocks` below `ticker`, and draws as many rows as there are. Scores
are those of TimeGAN's paper (`time_series`), on windows of 24 days that do not overlap: `levels`
scaled to [0, 1] by the least and the largest value, as there; and, what is harder, `changes` from
day to day with the prices of a day by its last one. The mean over lags 1 to 20 and over columns of
how far autocorrelations are from the real ones is that of levels and of changes of the logarithms,
each a mean over shares. The row `real` compares one half of the shares with the other.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from places import SHARED
from threadpoolctl import threadpool_limits
from time_series import Floats, Ints, discriminative, moved, predictive, scaled, windows

from prefect_synth.synth.effort import Effort
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.sequences import Sequences, autocorrelation

DATA = SHARED / "data" / "stocks"
COLUMNS = ("open", "high", "low", "close", "volume")
LAGS = range(1, 21)
PUBLISHED = {"discriminative": 0.102, "predictive": 0.038, "predictive of real rows": 0.036}
"""Of TimeGAN on Google's share, 2004 to 2019: Yoon et al. 2019, table 2."""


def main() -> None:
    """Fit, draw and score each model; one line of JSON for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["par", "timegan", "doppelganger"])
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="folder for drawn rows, taken up again from there")
    asked = parser.parse_args()
    real = {name: pq.read_table(DATA / f"{name}.parquet") for name in ("ticker", "stocks")}
    print(json.dumps({"published": PUBLISHED}), flush=True)
    rows = numbers(real["stocks"])
    with threadpool_limits(1):
        print(json.dumps({"model": "real", **halves(rows, asked.repeats)}), flush=True)
        for name in asked.models:
            made, seconds = drawn(name, real, asked.epochs, asked.out)
            found = scores(rows, numbers(made), asked.repeats)
            print(json.dumps({"model": name, **seconds, **found}), flush=True)


def drawn(
    name: str, real: dict[str, pa.Table], epochs: int | None, out: Path | None
) -> tuple[pa.Table, dict[str, float]]:
    """As many rows as there are, and the processor seconds of fitting and drawing."""
    path = out / f"{name}.parquet" if out else None
    if path and path.exists():
        table = pq.read_table(path)
        return table, json.loads(table.schema.metadata[b"seconds"])
    metadata = Metadata.from_sdv(DATA / "metadata.json")
    model = HMASynthesizer(metadata, row_model=name, effort=Effort(epochs=epochs), seed=1)
    start = time.process_time()
    model.fit(real)
    fitted = time.process_time()
    made = model.sample(seed=1)["stocks"]
    seconds = {"fit_cpu_s": fitted - start, "sample_cpu_s": time.process_time() - fitted}
    seconds = {what: round(number, 1) for what, number in seconds.items()}
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(made.replace_schema_metadata({"seconds": json.dumps(seconds)}), path)
    return made, seconds


def numbers(table: pa.Table) -> tuple[Floats, Ints]:
    """Prices and volumes [n, 5] in order of share and day, and the share of each row, [n]."""
    table = table.sort_by([("Name", "ascending"), ("date", "ascending")])
    key = np.asarray(table["Name"].combine_chunks().dictionary_encode().indices).astype(np.int64)
    columns = [table[c].cast(pa.float64()).to_numpy() for c in COLUMNS]
    values = np.column_stack(columns)
    for column in values.T:  # three values are missing: those of the day before stand for them
        known = np.maximum.accumulate(np.where(np.isfinite(column), np.arange(len(column)), 0))
        column[:] = column[known]
    return values, key


def scores(
    real: tuple[Floats, Ints], made: tuple[Floats, Ints], repeats: int
) -> dict[str, float | list[float]]:
    """All figures of drawn rows beside the real ones."""
    ours, theirs = windows(*real), windows(*made)
    levels, changes = scaled(ours, theirs), (moved(ours), moved(theirs))
    found: dict[str, list[float]] = {
        "discriminative_levels": [discriminative(*levels, seed=s) for s in range(repeats)],
        "discriminative_changes": [discriminative(*changes, seed=s) for s in range(repeats)],
        "predictive_levels": [predictive(*levels, seed=s) for s in range(repeats)],
    }
    told = {what: [round(float(np.mean(all_)), 4), round(float(np.std(all_)), 4)]
            for what, all_ in found.items()}  # fmt: skip
    return {**told, **autocorrelations(real, made), **validity(made[0])}


def halves(rows: tuple[Floats, Ints], repeats: int) -> dict[str, float | list[float]]:
    """The same of one half of the shares beside the other: what no model can be asked to beat."""
    values, key = rows
    odd = key % 2 == 1
    return scores((values[odd], key[odd]), (values[~odd], key[~odd]), repeats)


def autocorrelations(real: tuple[Floats, Ints], made: tuple[Floats, Ints]) -> dict[str, float]:
    """Mean distance of autocorrelations at lags 1 to 20, of levels and of changes."""
    apart = {}
    for what in ("levels", "changes"):
        sides = []
        for values, key in (real, made):
            if what == "changes":
                same = np.diff(key) == 0
                values, key = np.diff(np.log(values), axis=0)[same], key[1:][same]
            order = np.arange(len(key))
            sequences = Sequences(order, np.unique(key, return_inverse=True)[1], order * 1.0)
            sides.append([[autocorrelation(c, sequences, lag) for lag in LAGS] for c in values.T])
        apart[f"autocorrelation_{what}"] = round(float(np.abs(np.subtract(*sides)).mean()), 4)
    return apart


def validity(values: Floats) -> dict[str, float]:
    """The share of rows on which no price is above the highest or below the lowest."""
    first, high, low, last = values[:, :4].T
    fine = (high >= np.maximum(first, last)) & (low <= np.minimum(first, last))
    return {"prices_in_order": round(float(fine.mean()), 4)}


if __name__ == "__main__":
    main()
