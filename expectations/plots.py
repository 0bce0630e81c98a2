"""Small drawings: plain SVG that takes its colours from the page's style sheet."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import accumulate, pairwise

from prefect_synth.expectations.report_content import ColumnView, PrivacyView

_WIDTH, _HEIGHT = 240.0, 72.0


def draw_column(view: ColumnView) -> str:
    """Draw the shares of a number's bins: real filled, synthetic as a line, holdout dashed."""
    # Bins differ in width, so height is density and area is share.
    sides = [view.real, view.synthetic] + ([view.holdout] if view.holdout else [])
    heights = [_densities(side, view.widths) for side in sides]
    edges = [0.0, *accumulate(view.widths)]
    tips = "".join(
        f'<rect class="tip" x="{number(a * _WIDTH)}" y="0" width="{number((b - a) * _WIDTH)}" '
        f'height="{number(_HEIGHT)}"><title>{escape(_tip(view, place))}</title></rect>'
        for place, (a, b) in enumerate(pairwise(edges))
    )
    return _curves(heights, edges, f"Distribution of {view.name}", tips)


def draw_distances(view: PrivacyView) -> str:
    """Draw how near synthetic rows, and rows never seen, are to training rows."""
    low, high = view.dcr_edges[0], view.dcr_edges[-1]
    edges = [(edge - low) / ((high - low) or 1.0) for edge in view.dcr_edges]
    widths = [b - a for a, b in pairwise(edges)]
    shares = [
        [count / max(sum(side), 1) for count in side]
        for side in (view.dcr_holdout, view.dcr_synthetic)
    ]
    heights = [_densities(side, widths) for side in shares]
    return _curves(heights, edges, f"Distance to the closest training row, {view.table}", "")


def draw_history(values: Sequence[float]) -> str:
    """Draw a line through the values of the last snapshots, with a dot at the last."""
    low, high = min(values), max(values)
    spread = max(high - low, 0.02)  # a change that is nothing shall not look like one
    points = [
        (4 + 72 * place / max(len(values) - 1, 1), 4 + 16 * (high - value) / spread)
        for place, value in enumerate(values)
    ]
    line = " ".join(f"{number(x)},{number(y)}" for x, y in points)
    x, y = points[-1]
    label = f"The last {len(values)} snapshots, from {values[0]:.3f} to {values[-1]:.3f}"
    return (
        f'<svg class="spark" viewBox="0 0 80 24" width="80" height="24" role="img" '
        f'aria-label="{label}"><title>{label}</title><polyline points="{line}"/>'
        f'<circle cx="{number(x)}" cy="{number(y)}" r="2.5"/></svg>'
    )


def number(value: float) -> str:
    """A coordinate without needless digits."""
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"


def _densities(shares: Sequence[float], widths: Sequence[float]) -> list[float]:
    return [share / width if width else 0.0 for share, width in zip(shares, widths, strict=True)]


def _curves(
    heights: Sequence[Sequence[float]], edges: Sequence[float], label: str, tips: str
) -> str:
    top = max(max(side) for side in heights) or 1.0
    styles = ("real", "synthetic-line", "holdout-line")
    drawn = [
        f'<path class="{style}" d="{_outline(side, edges, top)}"/>'
        for style, side in zip(styles, heights, strict=False)
    ]
    # the dashed line of the holdout lies under the one that matters
    ordered = [drawn[0], *drawn[2:], drawn[1]]
    return (
        f'<svg class="shape" viewBox="0 -2 {number(_WIDTH)} {number(_HEIGHT + 4)}" '
        f'preserveAspectRatio="none" role="img" aria-label="{escape(label)}">{"".join(ordered)}'
        f'<line class="axis" x1="0" y1="{number(_HEIGHT)}" x2="{number(_WIDTH)}" '
        f'y2="{number(_HEIGHT)}"/>{tips}</svg>'
    )


def _outline(heights: Sequence[float], edges: Sequence[float], top: float) -> str:
    points = [f"M{number(edges[0] * _WIDTH)} {number(_HEIGHT)}"]
    for place, height in enumerate(heights):
        y = number(_HEIGHT * (1 - height / top))
        points.append(
            f"L{number(edges[place] * _WIDTH)} {y}L{number(edges[place + 1] * _WIDTH)} {y}"
        )
    return "".join([*points, f"L{number(edges[-1] * _WIDTH)} {number(_HEIGHT)}"])


def _tip(view: ColumnView, place: int) -> str:
    name = f"{view.labels[place]}: " if view.labels else ""
    return f"{name}real {view.real[place]:.1%}, synthetic {view.synthetic[place]:.1%}"
