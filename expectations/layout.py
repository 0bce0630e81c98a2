"""Where the tables of a drawing stand: layers of a graph (Sugiyama, Tagawa and Toda 1981)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from prefect_synth.synth.metadata import Metadata, Relationship

_SWEEPS = 8
_LOWEST = 160.0  # so far below the top a layer may start: else a small window shows nothing
_TALLEST = 9  # tables above each other, before those without children move right


@dataclass(frozen=True)
class Layout:
    """Layers from left to right, parents before children.

    Args:
        layers: Nodes from top to bottom: tables, and waypoints of lines that cross a layer.
        ways: By relationship, the waypoints of its line; only where it goes from left to right.
    """

    layers: Sequence[Sequence[str]]
    ways: Mapping[Relationship, Sequence[str]]


def lay_out(metadata: Metadata) -> Layout:
    """Put each table right of its parents, lines clear of tables, and few lines across others.

    A foreign key that closes a cycle is left out of the order; its line runs backwards. Of a tall
    layer, tables without children move on to the right, so that many tables make a page, not a
    tower.
    """
    depth = _wrapped(_depths(metadata), metadata)
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for table in metadata.tables:
        layers[depth[table]].append(table)
    ways: dict[Relationship, list[str]] = {}
    left: dict[str, list[str]] = {}
    right: dict[str, list[str]] = {}
    for number, relationship in enumerate(metadata.relationships):
        first, last = depth[relationship.parent], depth[relationship.child]
        if first >= last:
            continue
        # NUL is in no table's name.
        ways[relationship] = [f"\0{number}.{layer}" for layer in range(first + 1, last)]
        for layer, point in enumerate(ways[relationship], start=first + 1):
            layers[layer].append(point)
        chain = [relationship.parent, *ways[relationship], relationship.child]
        for before, after in pairwise(chain):
            right.setdefault(before, []).append(after)
            left.setdefault(after, []).append(before)
    for sweep in range(_SWEEPS):
        _reorder(layers, left if sweep % 2 == 0 else right, backwards=sweep % 2 == 1)
    return Layout(layers, ways)


def stack(
    layout: Layout, height: Callable[[str], float], gap: float, margin: float
) -> dict[str, float]:
    """The top of each node: layers centred on each other, but never far below the top."""
    tall = [sum(height(n) + gap for n in layer) - gap for layer in layout.layers]
    tops = {}
    for layer, total in zip(layout.layers, tall, strict=True):
        y = margin + min((max(tall) - total) / 2, _LOWEST)
        for node in layer:
            tops[node] = y
            y += height(node) + gap
    return tops


def _depths(metadata: Metadata) -> dict[str, int]:
    depth: dict[str, int] = {}

    def visit(table: str, above: frozenset[str]) -> int:
        if table not in depth:
            parents = {r.parent for r in metadata.parents(table)} - above - {table}
            depth[table] = max((visit(p, above | {table}) + 1 for p in parents), default=0)
        return depth[table]

    for table in metadata.tables:
        visit(table, frozenset())
    return depth


def _wrapped(depth: dict[str, int], metadata: Metadata) -> dict[str, int]:
    parents = {r.parent for r in metadata.relationships if r.parent != r.child}
    depth, layer = dict(depth), 0
    while layer <= max(depth.values(), default=-1):
        here = [table for table in metadata.tables if depth[table] == layer]
        leaves = [table for table in here if table not in parents]
        for table in leaves[max(0, _TALLEST - (len(here) - len(leaves))) :]:
            depth[table] += 1
        layer += 1
    return depth


def _reorder(
    layers: list[list[str]], neighbours: Mapping[str, Sequence[str]], *, backwards: bool
) -> None:
    """Sort each layer by the mean place of its neighbours in the layer before."""
    for layer in reversed(layers) if backwards else layers:
        place = {node: (i + 0.5) / len(nodes) for nodes in layers for i, node in enumerate(nodes)}
        middle = {
            node: sum(place[n] for n in neighbours[node]) / len(neighbours[node])
            if neighbours.get(node)
            else place[node]
            for node in layer
        }
        layer.sort(key=middle.__getitem__)
