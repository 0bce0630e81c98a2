"""The tables of docs/benchmarks.md, from the records of the runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from statistics import fmean

from marks import Mark, Peer, Row
from places import PEERS, REPO
from records import Record, newest
from rows import ROWS

PAGE = REPO / "docs" / "benchmarks.md"
START, END = "<!-- figures: written by tests/benchmarks/run.py -->", "<!-- end of figures -->"
HEAD = (
    "| data | figure | mean | worst | must | aim | reached | ceiling | peer | ratio |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)
SECONDS = ("cpu s", "wall s")


def write() -> None:
    """Rewrite the part of the page that lies between the two comments."""
    before, rest = PAGE.read_text().split(START)
    PAGE.write_text(f"{before}{START}\n{tables()}\n{END}{rest.split(END)[1]}")


def tables() -> str:
    """A line for each mark of each row, and which runs stand behind them."""
    lines = [line for row in ROWS.values() for line in lines_of(row)]
    truth = list(truths(ROWS["planted"]))
    runs = [line for row in ROWS.values() for line in run_of(row)]
    about = (
        "Which runs these are (`+` after a commit: the library's files had changes on top of it):"
    )
    head = "| row | row model | seeds | commit | when (UTC) | load |\n|---|---|---|---|---|---|"
    return "\n".join([HEAD, *lines, "", *truth, "", about, "", head, *runs])


def lines_of(row: Row) -> Iterator[str]:
    """The marks of a row, as far as they were measured."""
    records, ceiling = newest(row.name, row.row_model), newest(row.name, "ceiling")
    title = row.what
    for mark in row.marks:
        values = [r.figures[mark.figure] for r in records if mark.figure in r.figures]
        best = ceiling[0].figures.get(mark.figure) if ceiling else None
        yield _line(title, mark, values, best)
        title = ""


def _line(title: str, mark: Mark, values: list[float], ceiling: float | None) -> str:
    bounds = [_bound(mark, value) for value in (mark.must, mark.aim)]
    if not values:
        shown = ["not measured", "", *bounds, ""]
    else:
        mean, worst = fmean(values), max(values) if mark.most else min(values)
        shown = [_number(mean), _number(worst), *bounds, mark.reached(mean, ceiling)]
    beside, ratio = "", ""
    if mark.peer is not None:
        peer, reached = mark.peer
        beside = f"{peer.label} {_number(reached)}"
        if mark.figure in SECONDS and values:
            ratio = f"{favoured(peer, row_seconds=reached) / fmean(values):.0f}x"
    cells = [title, mark.figure, *shown, _number(ceiling), beside, ratio]
    return f"| {' | '.join(cells)} |"


def favoured(peer: Peer, row_seconds: float) -> float:
    """The peer's seconds that favour it most: as recorded, or of a run on this machine.

    `bench/peers.py` gives wall time inside fit and sample, and processor time with imports: the
    smaller of the two stands for processor time inside fit and sample.
    """
    seconds = [row_seconds]
    for file in (PEERS / "out" / peer.tool).glob("*_A/timing.json"):
        timing = json.loads(file.read_text())
        if timing["status"] == "ok":
            seconds.append(min(timing["cpu_s"], timing["fit_s"] + timing["sample_s"]))
    return min(seconds)


def truths(row: Row) -> Iterator[str]:
    """Each planted statistic beside what came back."""
    records = newest(row.name, row.row_model)
    if records:
        yield "The planted statistics one by one, mean over the seeds:\n"
        yield "| statistic | truth | synthetic |\n|---|---|---|"
        for name in [n for n in records[0].figures if f"true {n}" in records[0].figures]:
            found = fmean(r.figures[name] for r in records)
            yield f"| {name} | {records[0].figures[f'true {name}']:.3f} | {found:.3f} |"


def _bound(mark: Mark, value: float | None) -> str:
    if value is None:
        return ""
    sign = "<=" if mark.most else ">="
    return f"ceiling's + {value:g}" if mark.over else f"{sign} {value:g}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if abs(value) < 2 and value != int(value) else f"{value:.4g}"


def run_of(row: Row) -> Iterator[str]:
    """Which runs a row shows."""
    records: list[Record] = newest(row.name, row.row_model)
    if records:
        commits = ", ".join(sorted({r.commit for r in records}))
        loads = f"{min(r.load for r in records):.1f}-{max(r.load for r in records):.1f}"
        when = max(r.when for r in records)[:16]
        cells = [row.name, row.row_model, str(len(records)), commits, when, loads]
        yield f"| {' | '.join(cells)} |"
