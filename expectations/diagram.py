"""The schema as an inline SVG: parents left, children right, a line for each foreign key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from prefect_synth.expectations.layout import lay_out, stack
from prefect_synth.synth.metadata import Metadata, Relationship, Table

_WIDTH, _GAP_X, _GAP_Y, _MARGIN = 186, 50, 20, 16
_HEAD, _LINE, _KEYS, _WAYPOINT = 40, 17, 6, 6
_SMALLEST = 0.78  # of the natural size: below it, the card scrolls instead


@dataclass(frozen=True)
class _Box:
    x: float
    y: float
    height: float
    keys: tuple[str, ...] = ()

    def row(self, column: str) -> float:
        """Height at which a line for a key column meets the box."""
        if not self.keys:
            return self.y + self.height / 2
        place = self.keys.index(column) if column in self.keys else len(self.keys) - 1
        return self.y + _HEAD + _LINE * (place + 0.5)


def draw_schema(metadata: Metadata, rows: Mapping[str, int]) -> str:
    """Draw tables and foreign keys.

    Args:
        metadata: The schema.
        rows: Rows by table, written under its name.

    Returns:
        An SVG element that takes its colours from the page's style sheet.
    """
    boxes, ways = _placed(metadata)
    width = max((b.x + _WIDTH for b in boxes.values()), default=0) + 3 * _MARGIN
    height = max((b.y + b.height for b in boxes.values()), default=0) + _MARGIN
    lines = "".join(_line(r, boxes, ways) for r in metadata.relationships)
    drawn = "".join(_draw(metadata, t, boxes[t.name], rows) for t in metadata.tables.values())
    return (
        f'<svg class="schema" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" style="min-width: {_SMALLEST * width:.0f}px" role="img" '
        'aria-label="Tables and foreign keys">'
        f"{lines}{drawn}</svg>"
    )


def _placed(metadata: Metadata) -> tuple[dict[str, _Box], dict[Relationship, list[_Box]]]:
    layout = lay_out(metadata)
    keys = {name: _keys(metadata, table) for name, table in metadata.tables.items()}

    def height(node: str) -> float:
        if node not in keys:
            return _WAYPOINT
        return _HEAD + (_LINE * len(keys[node]) + 8 if keys[node] else 4)

    tops = stack(layout, height, _GAP_Y, _MARGIN)
    boxes = {
        node: _Box(_MARGIN + i * (_WIDTH + _GAP_X), tops[node], height(node), keys.get(node, ()))
        for i, layer in enumerate(layout.layers)
        for node in layer
    }
    return boxes, {r: [boxes[point] for point in points] for r, points in layout.ways.items()}


def _keys(metadata: Metadata, table: Table) -> tuple[str, ...]:
    foreign = metadata.foreign_key_columns(table.name)
    ordered = [*table.primary_key, *(c for c in table.columns if c in foreign)]
    return tuple(dict.fromkeys(ordered))[:_KEYS]


def _draw(metadata: Metadata, table: Table, box: _Box, rows: Mapping[str, int]) -> str:
    foreign = metadata.foreign_key_columns(table.name)
    count = f"{rows[table.name]:,} rows, " if table.name in rows else ""
    parts = [
        f'<rect class="box" x="{box.x}" y="{box.y:.1f}" width="{_WIDTH}" height="{box.height}" '
        'rx="7"/>',
        _text(box.x + 12, box.y + 18, "name", _short(table.name, 18)),
        _text(box.x + 12, box.y + 33, "small", f"{count}{len(table.columns)} columns"),
    ]
    for column in box.keys:
        is_primary, is_foreign = column in table.primary_key, column in foreign
        mark = "PK FK" if is_primary and is_foreign else "PK" if is_primary else "FK"
        parts.append(_text(box.x + 12, box.row(column) + 4, "mark", mark))
        parts.append(_text(box.x + 60, box.row(column) + 4, "key", _short(column, 17)))
    return f"<g><title>{escape(table.name)}</title>{''.join(parts)}</g>"


def _line(
    relationship: Relationship,
    boxes: Mapping[str, _Box],
    ways: Mapping[Relationship, list[_Box]],
) -> str:
    parent, child = boxes[relationship.parent], boxes[relationship.child]
    start = (parent.x + _WIDTH, parent.row(relationship.parent_columns[0]))
    y = child.row(relationship.child_columns[0])
    if relationship in ways:
        end = (child.x, y)
        path = f"M {start[0]:.0f} {start[1]:.1f} "
        for point in ways[relationship]:
            middle = point.y + point.height / 2
            path += _curve(start, (point.x, middle)) + f"H {point.x + _WIDTH:.0f} "
            start = (point.x + _WIDTH, middle)
        path += _curve(start, end)
    else:  # a self reference, or the closing side of a cycle: around the right
        end = (child.x + _WIDTH, y)
        out = max(start[0], end[0]) + _GAP_X * 0.6
        path = f"M {start[0]:.0f} {start[1]:.1f} C {out:.0f} {start[1]:.1f} {out:.0f} {y:.1f} "
        path += f"{end[0]:.0f} {y:.1f}"
    title = f"<title>{escape(str(relationship))}</title>"
    dot = f'<circle class="end" cx="{end[0]:.0f}" cy="{end[1]:.1f}" r="3"/>'
    return f'<g>{title}<path class="line" d="{path}"/>{dot}</g>'


def _curve(start: tuple[float, float], end: tuple[float, float]) -> str:
    half = (end[0] - start[0]) / 2
    return (
        f"C {start[0] + half:.0f} {start[1]:.1f} {end[0] - half:.0f} {end[1]:.1f} "
        f"{end[0]:.0f} {end[1]:.1f} "
    )


def _text(x: float, y: float, style: str, text: str) -> str:
    return f'<text class="{style}" x="{x:.0f}" y="{y:.1f}">{escape(text)}</text>'


def _short(text: str, most: int) -> str:
    """A long name without its middle: names often differ at their ends."""
    return text if len(text) <= most else f"{text[: most - 7]}…{text[-6:]}"
