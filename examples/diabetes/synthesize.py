"""Make a balanced synthetic table of the diabetes health indicators: a WGAN-GP for each class.

    python synthesize.py diabetes.parquet synthetic.parquet

The table is one of whole numbers (BRFSS 2015, 253,680 rows, 22 columns; see the README). A network
learns the rows of each class, and as many rows are drawn of it as asked for: 100,000 diabetic ones,
and as many of the others. At the end the script reads what it wrote, and fails unless there is no
negative number of days, none above 30, and as many zeros as in the real rows, within 2 points.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from prefect_synth.synth.single_gan import GANSynthesizer

LABEL, DIABETIC = "Diabetes_binary", 1
DAYS = ("MentHlth", "PhysHlth")
"""Days of the last 30 on which health was not good."""
MOST_DAYS = 30
POINTS = 0.02


def main() -> None:
    """Learn, draw, write, and check."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("real", type=Path, help="Parquet file of the real rows")
    parser.add_argument("synthetic", type=Path, help="Parquet file that is written")
    parser.add_argument("--diabetic", type=int, default=100_000, help="rows of the diabetic class")
    parser.add_argument("--others", type=int, default=100_000, help="rows of each other class")
    parser.add_argument("--epochs", type=int, default=20, help="passes over a class at most")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    real = pq.read_table(chosen.real)
    made = []
    for label in np.unique(real[LABEL]):
        wanted = chosen.diabetic if label == DIABETIC else chosen.others
        made.append(synthesize(of_class(real, label), wanted, chosen.epochs, chosen.seed))
    pq.write_table(pa.concat_tables(made), chosen.synthetic)
    problems = check(real, pq.read_table(chosen.synthetic))
    if problems:
        sys.exit("\n".join(problems))
    print(f"{chosen.synthetic}: days are from 0 to {MOST_DAYS}, zeros as in the real rows.")


def of_class(table: pa.Table, label: int) -> pa.Table:
    """The rows of one class."""
    return table.filter(np.asarray(table[LABEL]) == label)


def synthesize(rows: pa.Table, wanted: int, epochs: int, seed: int) -> pa.Table:
    """Train a network on the rows of one class, and draw from it."""
    begun = time.process_time()
    model = GANSynthesizer(objective="wgan-gp", epochs=epochs, seed=seed).fit(rows)
    made = model.sample(wanted)
    for alarm in model.alarms:
        print(alarm)
    spent = time.process_time() - begun
    print(f"{LABEL} = {rows[LABEL][0]}: {wanted:,} of {len(rows):,} rows, {spent:.0f} CPU seconds")
    return made


def check(real: pa.Table, made: pa.Table) -> list[str]:
    """What is wrong with the synthetic rows, in sentences."""
    found = []
    if made.schema != real.schema:
        found.append("The synthetic columns or their types are not those of the real table.")
    for label in np.unique(real[LABEL]):
        pair = of_class(real, label), of_class(made, label)
        for name in DAYS:
            real_days, days = (np.asarray(table[name]) for table in pair)
            where = f"{name} where {LABEL} = {label}"
            if len(days) == 0:
                found.append(f"{where}: there are no rows.")
                continue
            zeros, real_zeros = (days == 0).mean(), (real_days == 0).mean()
            print(
                f"{where}: {days.min()} to {days.max()}, zeros {zeros:.3f} (real {real_zeros:.3f})"
            )
            if days.min() < 0 or days.max() > MOST_DAYS:
                found.append(f"{where}: there are days below 0 or above {MOST_DAYS}.")
            if abs(zeros - real_zeros) > POINTS:
                found.append(f"{where}: the share of zeros is {zeros:.3f}, not {real_zeros:.3f}.")
    return found


if __name__ == "__main__":
    main()
