"""Which tables hang on which, along foreign keys."""

from __future__ import annotations

from collections.abc import Callable

from prefect_synth.synth.metadata import Metadata


def tables_below(metadata: Metadata, table: str) -> set[str]:
    """The tables that hang on a table, itself included."""
    return _reached(table, lambda name: [r.child for r in metadata.children(name)])


def tables_above(metadata: Metadata, table: str) -> set[str]:
    """The tables that a table hangs on, itself included."""
    return _reached(table, lambda name: [r.parent for r in metadata.parents(name)])


def _reached(table: str, near: Callable[[str], list[str]]) -> set[str]:
    found, border = {table}, [table]
    while border:
        new = set(near(border.pop())) - found
        border += sorted(new)
        found |= new
    return found
