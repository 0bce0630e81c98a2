"""What a row of the acceptance table is: how it is measured, and what it must and should reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Figures = dict[str, float]


@dataclass(frozen=True)
class Peer:
    """A tool that is measured beside ours.

    Args:
        label: Name and version.
        tool: What `bench/peers.py` calls it.
    """

    label: str
    tool: str


ENGINE = Peer("MOSTLY AI engine 2.7.3", "mostly-engine")
COPULA = Peer("SDV 2.0.0 copula", "sdv-gc")
HMA = Peer("SDV 2.0.0 HMA", "sdv-hma")


@dataclass(frozen=True)
class Mark:
    """A figure of a row, and what it is to be.

    Args:
        figure: Its name among the row's figures.
        must: What the mean over the seeds must reach.
        aim: What it should reach.
        most: Whether the mark is the largest value allowed; else the smallest.
        peer: A peer, and what it reached in the recorded run of `shared/bench` (RESULTS.md).
        over: Whether the marks count from the ceiling's own figure.
    """

    figure: str
    must: float | None = None
    aim: float | None = None
    most: bool = False
    peer: tuple[Peer, float] | None = None
    over: bool = False

    def reached(self, value: float, ceiling: float | None = None) -> str:
        """`aim`, `must` (`yes` where there is no aim), `no`, or nothing where there is no mark."""
        start = (ceiling or 0.0) if self.over else 0.0
        for name, mark in (("aim", self.aim), ("must", self.must)):
            if mark is not None:
                room = start + mark - value if self.most else value - start - mark
                if room >= -1e-9:
                    return name if self.aim is not None else "yes"
        return "" if self.must is None else "**no**"


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Args:
        name: What the command line calls it.
        what: What the page calls it.
        measure: Measures one seed; it is given the row, the seed and a folder for what it makes.
        marks: Its marks.
        data: The data set of `PEERS/data`, where there is one.
        row_model: The row model, or `--synthesizer`.
        keep: Tables kept as they are.
        targets: Columns to predict, trained on synthetic rows.
        without: Columns that are not scored.
    """

    name: str
    what: str
    measure: Callable[[Row, int, Path], Figures]
    marks: tuple[Mark, ...]
    data: str = ""
    row_model: str = "auto"
    keep: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


Beside = tuple[Peer, float] | None


def up(
    figure: str, must: float | None = None, aim: float | None = None, peer: Beside = None
) -> Mark:
    """A figure that is to be large."""
    return Mark(figure, must, aim, False, peer)


def down(
    figure: str, must: float | None = None, aim: float | None = None, peer: Beside = None
) -> Mark:
    """A figure that is to be small."""
    return Mark(figure, must, aim, True, peer)
