"""Views of a report that are taken over where they were made before from the same rows.

What is kept of them are numbers and names of columns; distributions, whose bins are named by real
values, are always looked at anew.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from prefect_synth.expectations.degrees import degree_views
from prefect_synth.expectations.memory import Memory, Seen
from prefect_synth.expectations.pairs import with_scores
from prefect_synth.expectations.report_build import all_distances, all_pairs
from prefect_synth.expectations.report_content import DegreeView, PairView, PrivacyView
from prefect_synth.expectations.sides import Sides
from prefect_synth.synth.metrics.quality import QualityScore


def known_pairs(sides: Sides, quality: QualityScore | None, memory: Memory) -> dict[str, PairView]:
    """What `all_pairs` gives of the rows that models saw.

    Args:
        sides: The tables.
        quality: The scores, where they were computed.
        memory: What is known of these rows; it learns what is not.
    """

    def made(asked: Sequence[str]) -> dict[str, Any]:
        views = all_pairs(sides.metadata.subset(asked), sides.training, sides.synthetic)
        return {name: asdict(views[name]) if name in views else None for name in asked}

    names: dict[str, Seen] = {table: ({table}, ()) for table in sides.metadata.tables}
    scores = quality.per_pair if quality else {}
    return {
        name: with_scores(PairView(**_frozen(view)), name, scores)
        for name, view in memory.each("associations", names, (), made).items()
        if view is not None
    }


def known_degrees(
    sides: Sides, quality: QualityScore | None, memory: Memory
) -> tuple[DegreeView, ...]:
    """What `all_degrees` gives of all real rows.

    Args:
        sides: The tables.
        quality: The scores, where they were computed.
        memory: What is known of these rows; it learns what is not.
    """
    metadata = sides.metadata

    def made(asked: Sequence[str]) -> dict[str, Any]:
        views = degree_views(metadata, sides.whole, sides.synthetic, asked=asked)
        found = {view.name: asdict(view) for view in views}
        return {name: found.get(name) for name in asked}

    names: dict[str, Seen] = {r.name: ((), {r.parent, r.child}) for r in metadata.relationships}
    scores = quality.per_relationship if quality else {}
    return tuple(
        replace(DegreeView(**_frozen(view)), score=scores.get(name))
        for name, view in memory.each("degrees", names, (), made).items()
        if view is not None
    )


def known_distances(sides: Sides, kept: Collection[str], memory: Memory) -> dict[str, PrivacyView]:
    """What `all_distances` gives.

    Args:
        sides: The tables.
        kept: Tables that are published as they are.
        memory: What is known of these rows; it learns what is not.
    """
    metadata = sides.metadata

    def made(asked: Sequence[str]) -> dict[str, Any]:
        others = [name for name in metadata.tables if name not in asked]
        views = all_distances(metadata, sides.training, sides.synthetic, sides.holdout, others)
        return {name: asdict(views[name]) if name in views else None for name in asked}

    names: dict[str, Seen] = {t: ({t}, {t}) for t in metadata.tables if t not in kept}
    return {
        name: PrivacyView(**_frozen(view))
        for name, view in memory.each("distances", names, (), made).items()
        if view is not None
    }


def _frozen(view: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a view as it has them: JSON knows no tuples."""
    return {name: _tuples(value) for name, value in view.items()}


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
