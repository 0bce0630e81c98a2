"""Time our fidelity metrics on a large table, and SDMetrics beside them where it is at hand.

    python tests/benchmarks/metrics.py                          1,000,000 rows of 30 columns
    python tests/benchmarks/metrics.py --rows 200000
    python tests/benchmarks/metrics.py --oracle PYTHON          and SDMetrics, in its interpreter

The table is made twice from a seed: numbers, whole numbers, dates, categories, truth values, with
nulls. Ours are quality, single-column metrics and diagnosis; SDMetrics' are QualityReport, the same
single-column metrics and DiagnosticReport. Both look at all rows of tables in memory, whose reading
is not timed, on one thread, each in a process of its own; ours also run on Parquet files, column by
column. Seconds are of the processor, which other work on the machine hardly
changes. By default SDMetrics counts contingency tables on a draw of 50,000 rows, which differs from
run to run: --draw times that as well. It prints seconds, the ratio, the peak of memory, and the
largest difference of a shared score.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import runpy
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

THREADS = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
PROPERTIES = ["Column Shapes", "Column Pair Trends", "Data Validity", "Data Structure"]


def main() -> None:
    """Measure, or do the part of the work that `--side` names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--oracle", help="a Python that has sdmetrics 0.32")
    parser.add_argument("--limit", type=float, default=3600, help="seconds given to SDMetrics")
    parser.add_argument("--draw", action="store_true", help="time SDMetrics' draw of rows as well")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.side:
        print(json.dumps(SIDES[chosen.side](chosen.folder, chosen.rows)))
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(chosen, Path(folder))


def measure(chosen: argparse.Namespace, folder: Path) -> None:
    """Run each side in a process of its own and print the figures."""
    run("make", sys.executable, folder, chosen.rows)
    ours, on_files = (run(side, sys.executable, folder, chosen.rows) for side in ("ours", "files"))
    print(f"{chosen.rows:,} rows of {len(document()['tables']['t']['columns'])} columns")
    show("ours", ours)
    show("ours, from files", on_files)
    sides = ["theirs", *(["drawn"] if chosen.draw else [])] if chosen.oracle else []
    for side in sides:
        theirs = run(side, chosen.oracle, folder, chosen.rows, chosen.limit)
        show(f"SDMetrics{', drawn' if side == 'drawn' else ''}", theirs)
        print(f"  ratio {theirs['seconds'] / ours['seconds']:.1f}")
        compare(ours["scores"], theirs["scores"])


def show(title: str, found: dict[str, Any]) -> None:
    """Print seconds and memory."""
    steps = ", ".join(f"{name} {seconds:.2f}" for name, seconds in found["steps"].items())
    print(
        f"{title}: {found['seconds']:.2f} cpu s ({steps}), {found['wall']:.2f} s, "
        f"peak {found['peak GB']:.2f} GB",
        flush=True,
    )


def compare(ours: dict[str, float], theirs: dict[str, float]) -> None:
    """Print the largest difference of a score that both have, and what only one has."""
    shared = sorted(ours.keys() & theirs.keys())
    worst = max(shared, key=lambda name: abs(ours[name] - theirs[name]))
    print(f"  {len(shared)} shared scores, largest difference "
          f"{abs(ours[worst] - theirs[worst]):.2e} ({worst})")  # fmt: skip
    alone = ours.keys() ^ theirs.keys()
    print(f"  {len(alone)} scores only on one side{': ' if alone else ''}{sorted(alone)[:5]}")


def run(side: str, python: str, folder: Path, rows: int, limit: float | None = None) -> Any:
    """Run one side of the work and return what it prints."""
    command = [python, "-W", "ignore", __file__, "--side", side, "--folder", folder]
    done = subprocess.run(
        [*map(str, command), "--rows", str(rows)],
        env={**os.environ, **THREADS},
        stdout=subprocess.PIPE,
        timeout=limit,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def document() -> dict[str, Any]:
    """SDV's metadata of the table."""
    kinds = {"n": "numerical", "i": "numerical", "d": "datetime", "c": "categorical"}
    kinds |= {"l": "categorical", "b": "boolean"}
    counts = {"n": 9, "i": 6, "d": 3, "c": 6, "l": 3, "b": 2}
    columns = {f"{k}{at}": {"sdtype": kinds[k]} for k, n in counts.items() for at in range(n)}
    table = {"columns": {"id": {"sdtype": "id"}, **columns}, "primary_key": "id"}
    return {"METADATA_SPEC_VERSION": "V1", "tables": {"t": table}, "relationships": []}


def make(folder: Path, rows: int) -> None:
    """Write the table twice, as real and as synthetic."""
    import pyarrow.parquet as pq

    for seed, side in enumerate(("real", "synthetic")):
        pq.write_table(table(rows, seed), folder / f"{side}.parquet")


def table(rows: int, seed: int) -> Any:
    """A table whose columns all follow one hidden number, more or less."""
    import numpy as np
    import pyarrow as pa

    rng = np.random.default_rng(seed)
    hidden = rng.normal(0.05 * seed, 1, rows)
    made: dict[str, Any] = {"id": pa.array(np.arange(rows))}
    for place, name in enumerate(document()["tables"]["t"]["columns"]):
        follows = hidden + rng.normal(size=rows) * (0.2 + place / 40)
        if name != "id":
            made[name] = pa.array(values(name[0], follows), mask=rng.random(rows) < place % 3 / 20)
    return pa.table(made)


def values(kind: str, follows: Any) -> Any:
    """Numbers, whole numbers, dates, few or many categories, or truth values."""
    import numpy as np

    if kind == "n":
        return np.exp(follows)
    if kind == "i":
        return np.round(follows * 20).astype(np.int64)
    if kind == "d":
        days = np.datetime64("2024-01-01", "s") + (follows * 1e6).astype("timedelta64[s]")
        return days.astype("datetime64[us]")
    if kind == "b":
        return follows > 0.5
    few = np.clip((follows * (2 if kind == "c" else 30)).astype(np.int64), -300, 300)
    names = np.array([f"kind {n}" for n in range(601)], dtype=object)
    return names[few + 300]


def ours(folder: Path, _: int) -> dict[str, Any]:
    """Our quality, single-column metrics and diagnosis, of tables in memory."""
    import pyarrow.parquet as pq

    return scored(*(pq.read_table(folder / f"{side}.parquet") for side in ("real", "synthetic")))


def files(folder: Path, _: int) -> dict[str, Any]:
    """The same of files."""
    return scored(folder / "real.parquet", folder / "synthetic.parquet")


def scored(left: Any, right: Any) -> dict[str, Any]:
    """Time our metrics and name their scores."""
    from prefect_synth.synth.metadata import Metadata
    from prefect_synth.synth.metrics.coverage import column_scores
    from prefect_synth.synth.metrics.diagnostic import diagnostic
    from prefect_synth.synth.metrics.quality import quality

    metadata = Metadata.from_sdv(document())
    real, synthetic = {"t": left}, {"t": right}
    clock = Clock()
    whole = clock.time("quality", lambda: quality(real, synthetic, metadata))
    columns = clock.time("columns", lambda: column_scores(real, synthetic, metadata))
    checked = clock.time("diagnosis", lambda: diagnostic(real, synthetic, metadata))
    properties = [whole.column_shapes, whole.column_pair_trends]
    properties += [checked.data_validity, checked.data_structure]
    scores = dict(zip(PROPERTIES, properties, strict=True))
    scores |= {f"shape {name}": score for name, score in whole.per_column.items()}
    scores |= {f"trend {name}": score for name, score in whole.per_pair.items()}
    scores |= {f"valid {name}": score for name, score in checked.per_column.items()}
    scores |= {
        f"{m} {name}": score for name, found in columns.items() for m, score in found.items()
    }
    return clock.figures() | {"scores": scores}


def theirs(folder: Path, _: int, draw: int | None = None) -> dict[str, Any]:
    """SDMetrics' two reports."""
    import pandas as pd
    from sdmetrics.reports.single_table import DiagnosticReport, QualityReport

    real, synthetic = (
        pd.read_parquet(folder / f"{side}.parquet") for side in ("real", "synthetic")
    )
    metadata = document()["tables"]["t"]  # only single-table reports can look at all rows
    clock, scores = Clock(), {}
    for name, report in (("quality", QualityReport()), ("diagnosis", DiagnosticReport())):
        report.num_rows_subsample = draw
        clock.time(name, lambda r=report: r.generate(real, synthetic, metadata, verbose=False))
        found = report.get_properties().itertuples()
        scores |= {row.Property: row.Score for row in found if row.Property in PROPERTIES}
        if name == "diagnosis":
            rows = report.get_details("Data Validity").itertuples()
            scores |= {f"valid t.{row.Column}": row.Score for row in rows}
            continue
        for row in report.get_details("Column Shapes").itertuples():
            scores[f"shape t.{row.Column}"] = row.Score
        for row in report.get_details("Column Pair Trends").to_dict("records"):
            scores[f"trend t.{row['Column 1']} ~ t.{row['Column 2']}"] = row["Score"]
    columns = clock.time("columns", lambda: their_columns(real, synthetic, metadata["columns"]))
    scores |= {
        f"{m} t.{name}": score for name, found in columns.items() for m, score in found.items()
    }
    known = {name: float(score) for name, score in scores.items() if score == score}
    return clock.figures() | {"scores": known}


def their_columns(real: Any, synthetic: Any, columns: dict[str, Any]) -> dict[str, Any]:
    """SDMetrics' single-column metrics, as the oracle of the tests asks for them."""
    oracle = runpy.run_path(str(Path(__file__).parents[1] / "oracle" / "sdmetrics_scores.py"))
    return {
        name: oracle["column_metrics"](real[name], synthetic[name], column["sdtype"])
        for name, column in columns.items()
        if column["sdtype"] in oracle["METRICS"]
    }


def drawn(folder: Path, rows: int) -> dict[str, Any]:
    """The same by SDMetrics' default draw of rows."""
    return theirs(folder, rows, 50_000)


class Clock:
    """Seconds of the processor by step, and of the wall in all."""

    def __init__(self) -> None:
        self.steps: dict[str, float] = {}
        self.wall = 0.0

    def time(self, name: str, work: Any) -> Any:
        """Do some work and note how long it took."""
        start, begun = time.process_time(), time.perf_counter()
        found = work()
        self.steps[name] = time.process_time() - start
        self.wall += time.perf_counter() - begun
        return found

    def figures(self) -> dict[str, Any]:
        """Seconds in all and by step, and the process's peak of memory."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        seconds = {"seconds": sum(self.steps.values()), "wall": self.wall}
        return {**seconds, "steps": self.steps, "peak GB": peak}


SIDES = {"make": make, "ours": ours, "files": files, "theirs": theirs, "drawn": drawn}


if __name__ == "__main__":
    main()
