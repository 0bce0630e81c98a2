"""Small drawings of a column's shape: plain SVG that takes its colours from the page."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from prefect_synth.expectations.shapes import Shape

_WIDTH, _HEIGHT = 200.0, 64.0


def draw_shape(shape: Shape) -> str:
    """Draw real (filled) and synthetic (line, or second bar) shares over each other."""
    drawn = _bars(shape) if shape.kind == "category" else _steps(shape)
    label = f"Shape of {'categories' if shape.kind == 'category' else 'values'}"
    return (
        f'<svg class="shape" viewBox="0 -2 {_WIDTH:.0f} {_HEIGHT + 4:.0f}" role="img" '
        f'aria-label="{label}, real and synthetic">{drawn}'
        f'<line class="axis" x1="0" y1="{_HEIGHT}" x2="{_WIDTH}" y2="{_HEIGHT}"/></svg>'
    )


def _steps(shape: Shape) -> str:
    # Bins differ in width, so height is density and area is share.
    real = [share / width for share, width in zip(shape.real, shape.widths, strict=True)]
    found = [share / width for share, width in zip(shape.synthetic, shape.widths, strict=True)]
    top = max(*real, *found) or 1.0
    area, line = (_outline(heights, shape.widths, top) for heights in (real, found))
    return f'<path class="real" d="{area} Z"/><path class="synthetic-line" d="{line}"/>'


def _outline(heights: Sequence[float], widths: Sequence[float], top: float) -> str:
    edges = [0.0, *accumulate(widths)]
    points = [f"M 0 {_HEIGHT}"]
    for place, height in enumerate(heights):
        y = _HEIGHT * (1 - height / top)
        points.append(f"L {edges[place] * _WIDTH:.1f} {y:.1f}")
        points.append(f"L {edges[place + 1] * _WIDTH:.1f} {y:.1f}")
    return " ".join([*points, f"L {_WIDTH} {_HEIGHT}"])


def _bars(shape: Shape) -> str:
    top = max(*shape.real, *shape.synthetic) or 1.0
    slot = _WIDTH / len(shape.real)
    width = min(slot * 0.4, 16.0)
    parts = []
    for place, pair in enumerate(zip(shape.real, shape.synthetic, strict=True)):
        left = slot * (place + 0.5) - width
        for side, (style, share) in enumerate(zip(("real", "synthetic"), pair, strict=True)):
            height = _HEIGHT * share / top
            parts.append(
                f'<rect class="{style}" x="{left + side * width:.1f}" y="{_HEIGHT - height:.1f}" '
                f'width="{width:.1f}" height="{height:.1f}"/>'
            )
    return "".join(parts)
