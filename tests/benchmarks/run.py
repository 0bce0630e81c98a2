"""Measure prefect-synth by the rows of its acceptance table, and write docs/benchmarks.md.

    python tests/benchmarks/run.py adult nyc20k-keep --seeds 5      rows by name
    python tests/benchmarks/run.py planted --row-model fast         one row, another row model
    python tests/benchmarks/run.py --ceilings                       the unseen halves, once
    python tests/benchmarks/run.py --page                           rewrite docs/benchmarks.md
    make bench                                                      every row, then the page

Data sets, peers and the independent scorer come from ../shared/bench (setup.sh) and $PEERS
(default ~/.cache/peers). Every run is a process of its own on one thread; cpu s is processor time
inside fit and sample, imports left out. Each run appends a record to $PEERS/out/acceptance.jsonl;
the page shows, of each row and seed, the newest.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from dataclasses import replace

import halves
from marks import Figures, Row
from places import OUT, half
from records import Record, append
from rows import ROWS


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", help=f"of: {', '.join(ROWS)}; none for all")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, from 0 on")
    parser.add_argument("--row-model", help="another row model than the row's own")
    parser.add_argument("--ceilings", action="store_true", help="score the unseen halves")
    parser.add_argument("--page", action="store_true", help="only rewrite docs/benchmarks.md")
    chosen = parser.parse_args()
    unknown = set(chosen.rows) - set(ROWS)
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}; rows: {', '.join(ROWS)}")
    names = chosen.rows or list(ROWS)
    if chosen.ceilings:
        measure_ceilings([ROWS[name] for name in names])
    elif not chosen.page:
        failed = [name for name in names if not measure(ROWS[name], chosen)]
        if failed:
            sys.exit(f"not measured: {', '.join(failed)}")
    if chosen.page or not chosen.rows:
        import page

        page.write()


def measure(row: Row, chosen: argparse.Namespace) -> bool:
    """Measure a row for each seed, record the figures, and print them."""
    used = replace(row, row_model=chosen.row_model or row.row_model)
    for seed in range(chosen.seeds):
        folder = OUT / f"{row.name}-{used.row_model}-{seed}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        load = os.getloadavg()[0]
        try:
            figures = row.measure(used, seed, folder)
        except Exception as error:  # a row that fails must not lose the others
            print(f"{row.name}, seed {seed}: {type(error).__name__}: {error}", flush=True)
            return False
        append(Record(row.name, used.row_model, seed, figures, load))
        show(row, figures, f"{row.name} ({used.row_model}), seed {seed}, load {load:.1f}")
    return True


def show(row: Row, figures: dict[str, float], title: str) -> None:
    """Print the marks of a row first, then whatever else was found."""
    print(title)
    marked = {mark.figure: mark for mark in row.marks}
    others = [name for name in figures if name not in marked and not name.startswith("true ")]
    for name in [*marked, *others]:
        mark, value = marked.get(name), figures.get(name)
        said = "" if mark is None or mark.must is None else f"  must {mark.must}, aim {mark.aim}"
        if f"true {name}" in figures:
            said = f"  truth {figures[f'true {name}']:.4f}"
        print(f"  {name:44s} {'-' if value is None else f'{value:10.4f}'}{said}", flush=True)


def measure_ceilings(rows: list[Row]) -> None:
    """Score the half that no tool saw in the place of synthetic tables, once for each data set."""
    known: dict[tuple[object, ...], Figures] = {}
    for row in rows:
        if row.measure is halves.measure and half(row.data, "B").is_dir():
            same = (row.data, row.targets, row.without)
            figures = known.get(same) or halves.score(row, half(row.data, "B"))
            known[same] = figures
            append(Record(row.name, "ceiling", 0, figures, os.getloadavg()[0]))
            show(row, figures, f"{row.name}, ceiling")


if __name__ == "__main__":
    main()
