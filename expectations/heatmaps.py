"""Heat maps of associations: real, synthetic, and their difference, side by side."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

from prefect_synth.expectations.plots import number
from prefect_synth.expectations.png import Colour, cells_as_data_uri
from prefect_synth.expectations.report_content import PairView

MOST_CELLS = 25
"""Up to so many columns each cell is drawn and named; above it each panel is one picture."""

_SIDE = 300  # of a panel, in pixels
_CELL = (12, 26)
_NAMES = 104  # width of the names beside the first panel
_TOP = 16
_LETTER = 10  # smallest size of a letter
_STEPS = 32
_FULL = 0.5  # a difference of so much has the full colour
_MOST_NAMED = 6
_SMALL = 0.15  # above what rounding to tenths can make of nothing

# The same hues as in the style sheet, legible on light and on dark pages alike.
_HUES = {"level": (15, 127, 120), "up": (190, 84, 32), "down": (64, 98, 187)}

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Panel:
    """One heat map.

    Args:
        title: What it shows.
        svg: The drawing.
    """

    title: str
    svg: str


@dataclass(frozen=True)
class Change:
    """A pair of columns whose association differs.

    Args:
        pair: The names of the two columns.
        real: Association in the real table.
        synthetic: Association in the synthetic table.
    """

    pair: str
    real: float
    synthetic: float


def draw_heatmaps(view: PairView) -> list[Panel]:
    """Draw the three panels: real, synthetic, and synthetic less real."""
    real, synthetic = np.array(view.real), np.array(view.synthetic)
    panels = (("Real", real), ("Synthetic", synthetic), ("Difference", synthetic - real))
    draw = _cells if len(view.columns) <= MOST_CELLS else _picture
    return [
        Panel(title, draw(view, matrix, title, named=place == 0))
        for place, (title, matrix) in enumerate(panels)
    ]


def largest_changes(view: PairView) -> list[Change]:
    """The pairs that differ most, the largest first; small changes are left out."""
    real, synthetic = np.array(view.real), np.array(view.synthetic)
    gaps = np.triu(np.nan_to_num(np.abs(synthetic - real)), 1)
    order = np.argsort(-gaps, axis=None, kind="stable")[:_MOST_NAMED]
    places = [divmod(int(place), len(gaps)) for place in order]
    return [
        Change(f"{view.columns[i]} ~ {view.columns[j]}", float(real[i, j]), float(synthetic[i, j]))
        for i, j in places
        if gaps[i, j] >= _SMALL
    ]


def cell_size(columns: int) -> float:
    """The side of a cell in pixels."""
    if columns <= MOST_CELLS:
        return float(min(_CELL[1], max(_CELL[0], _SIDE // columns)))
    return max(3.0, _SIDE / columns)


def _cells(view: PairView, matrix: _Floats, title: str, *, named: bool) -> str:
    size, left = cell_size(len(view.columns)), _NAMES if named else 0
    parts = []
    for i, row in enumerate(matrix.tolist()):
        for j, value in enumerate(row):
            shade = _shade(value, title)
            tip = f"{view.columns[i]} ~ {view.columns[j]}: {_told(view, i, j, title)}"
            parts.append(
                f'<rect class="{shade[0]}" x="{number(left + j * size)}" '
                f'y="{number(_TOP + i * size)}" width="{number(size - 1)}" '
                f'height="{number(size - 1)}" fill-opacity="{number(shade[1])}">'
                f"<title>{escape(tip)}</title></rect>"
            )
    dots = [
        _dot(left + (j + 0.5) * size, _TOP + (i + 0.5) * size)
        for i, j in np.argwhere(np.isnan(matrix)).tolist()
    ]
    return _panel(view, "".join([*parts, *dots]) + _labels(view, size, left), title, left)


def _dot(x: float, y: float) -> str:
    return f'<circle class="dot" cx="{number(x - 0.5)}" cy="{number(y - 0.5)}" r="1.2"/>'


def _picture(view: PairView, matrix: _Floats, title: str, *, named: bool) -> str:
    size, left = cell_size(len(view.columns)), _NAMES if named else 0
    side = number(size * len(view.columns))
    parts = [
        f'<image x="{left}" y="{_TOP}" width="{side}" height="{side}" '
        f'preserveAspectRatio="none" href="{_pixels(matrix, title)}"/>'
    ]
    for i, column in enumerate(view.columns):
        parts.append(
            f'<rect class="row" x="{left}" y="{number(_TOP + i * size)}" width="{side}" '
            f'height="{number(size)}"><title>{escape(f"{i + 1} {column}")}</title></rect>'
        )
    return _panel(view, "".join(parts) + _labels(view, size, left), title, left)


def _panel(view: PairView, drawn: str, title: str, left: float) -> str:
    side = cell_size(len(view.columns)) * len(view.columns)
    width, height = number(left + side + 1), number(_TOP + side + 1)
    return (
        f'<svg class="heat" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{title}: association of {len(view.columns)} columns">'
        f'<rect class="frame" x="{left + 0.5}" y="{_TOP - 0.5}" width="{number(side)}" '
        f'height="{number(side)}"/>{drawn}</svg>'
    )


def _labels(view: PairView, size: float, left: float) -> str:
    """Names of the rows where they fit, and their numbers above the columns."""
    step = max(1, math.ceil((_LETTER + 1) / size))
    across = max(step, math.ceil(20 / size)) if size < _CELL[1] else 1
    parts = []
    for i, column in enumerate(view.columns):
        y = number(_TOP + (i + 0.5) * size + 3.5)
        if left and i % step == 0:
            text = escape(_short(f"{i + 1} {column}"))
            parts.append(f'<text class="end-text" x="{left - 6}" y="{y}">{text}</text>')
        if i % across == 0:
            x = number(left + (i + 0.5) * size)
            parts.append(f'<text class="middle-text" x="{x}" y="{_TOP - 5}">{i + 1}</text>')
    return "".join(parts)


def _shade(value: float, title: str) -> tuple[str, float]:
    if math.isnan(value):
        return "hole", 1.0
    if title != "Difference":
        return "level", round(value, 2)
    return ("up" if value > 0 else "down"), round(min(1.0, abs(value) / _FULL), 2)


def _told(view: PairView, i: int, j: int, title: str) -> str:
    real, synthetic = view.real[i][j], view.synthetic[i][j]
    told = {"Real": _figure(real), "Synthetic": _figure(synthetic)}
    score = view.scores[i][j] if view.scores else math.nan
    more = "" if math.isnan(score) else f"; score {score:.3f}"
    return told.get(title, f"real {_figure(real)}, synthetic {_figure(synthetic)}{more}")


def _figure(value: float) -> str:
    return "cannot be told" if math.isnan(value) else f"{value:.2g}"


def _pixels(matrix: _Floats, title: str) -> str:
    """Places in a palette: 0 for nothing, then shades of one hue, then of the other."""
    kinds = ("up", "down") if title == "Difference" else ("level",)
    colours: list[Colour] = [(0, 0, 0, 0)]
    for kind in kinds:
        colours += [(*_HUES[kind], round(255 * step / _STEPS)) for step in range(_STEPS + 1)]
    level = np.nan_to_num(np.abs(matrix)) / (_FULL if len(kinds) > 1 else 1.0)
    places = 1 + np.rint(np.clip(level, 0, 1) * _STEPS)
    places += np.where(np.nan_to_num(matrix) < 0, (_STEPS + 1) * (len(kinds) - 1), 0)
    return cells_as_data_uri(np.where(np.isnan(matrix), 0, places).astype(np.uint8), colours)


def _short(text: str, most: int = 14) -> str:
    """A long name without its middle: names of wide tables differ at their ends."""
    return text if len(text) <= most else f"{text[: most - 7]}…{text[-6:]}"
