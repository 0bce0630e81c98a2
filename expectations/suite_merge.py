"""Merge a suite from version control with a freshly generated one: a person's edits win.

| in the file | still generated | not generated any more | its column or table is gone |
|---|---|---|---|
| as it was generated | refreshed | dropped | dropped |
| edited by hand, or disabled | kept | kept | kept, disabled, reported |
| written by hand | kept | kept | kept, disabled, reported |
| not there | added | - | - |
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from prefect_synth.expectations.suite_form import (
    COLUMN_GONE,
    OURS,
    Expectation,
    Suite,
    columns_of,
    is_disabled,
    is_untouched,
    ours,
    slot,
)


@dataclass(frozen=True)
class Merge:
    """A merged suite, and what became of its expectations, each as `type (columns)`.

    Args:
        suite: The suite, in the order of the file, what is new at its end.
        added: Generated ones that the file did not have.
        refreshed: Generated ones whose arguments are others now.
        kept: A person's.
        dropped: Generated ones that no longer apply.
        orphaned: A person's whose column or table is gone: disabled.
        revived: A person's whose column or table is back: enabled again.
        newly_orphaned: How many of the orphaned ones the file does not disable yet.
    """

    suite: Suite
    added: tuple[str, ...] = ()
    refreshed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    orphaned: tuple[str, ...] = ()
    revived: tuple[str, ...] = ()
    newly_orphaned: int = 0

    @property
    def behind(self) -> int:
        """How many expectations of the file are not as they would be written now."""
        others = (self.added, self.refreshed, self.dropped, self.revived)
        return sum(len(names) for names in others) + self.newly_orphaned


def merge_suites(file: Suite | None, fresh: Suite, tables: Collection[str]) -> Merge:
    """Merge a suite file with a fresh suite of the same table.

    Args:
        file: What lies in version control; None where nothing does.
        fresh: What `generate_suite` made of the schema as it is.
        tables: Tables of the schema, to which a foreign key may refer.

    Returns:
        The merged suite. Merging it again changes nothing.
    """
    table, merge = fresh["name"], Merge({})
    generated = {slot(table, e): e for e in fresh["expectations"]}
    columns = _columns(fresh)
    merged: list[Expectation] = []
    old = file["expectations"] if file else []
    for one in old:
        kept, merge = _merged(one, generated.get(slot(table, one)), columns, tables, merge)
        merged += [] if kept is None else [kept]
    present = {slot(table, e) for e in old}
    new = [e for place, e in generated.items() if place not in present]
    suite = {**(file or {}), "name": table, "expectations": [*merged, *new]}
    return replace(merge, suite=suite, added=tuple(shown(e) for e in new))


def orphaned(merge: Merge) -> list[Expectation]:
    """A person's expectations that are disabled because a column or table is not there."""
    found = merge.suite["expectations"]
    return [one for one in found if ours(one).get("disabled") == COLUMN_GONE]


def shown(expectation: Expectation) -> str:
    """An expectation as people read it: its type and columns."""
    columns = ", ".join(sorted(columns_of(expectation)))
    return f"{expectation['type']} ({columns})" if columns else str(expectation["type"])


def _merged(
    one: Expectation,
    fresh: Expectation | None,
    columns: Collection[str],
    tables: Collection[str],
    merge: Merge,
) -> tuple[Expectation | None, Merge]:
    name = shown(one)
    alive = _enabled(one)
    gone = _is_gone(one, columns, tables)
    if is_untouched(alive):
        if fresh is None or gone:
            return None, replace(merge, dropped=(*merge.dropped, name))
        same = fresh == one
        return fresh, merge if same else replace(merge, refreshed=(*merge.refreshed, name))
    if gone:
        new = merge.newly_orphaned + (not is_disabled(one))
        return _disabled(one), replace(merge, orphaned=(*merge.orphaned, name), newly_orphaned=new)
    if alive != one:
        return alive, replace(merge, revived=(*merge.revived, name))
    return one, replace(merge, kept=(*merge.kept, name))


def _columns(fresh: Suite) -> set[str]:
    (columns,) = (
        e["kwargs"]["column_set"]
        for e in fresh["expectations"]
        if e["type"] == "expect_table_columns_to_match_set"
    )
    return set(columns)


def _is_gone(expectation: Expectation, columns: Collection[str], tables: Collection[str]) -> bool:
    parent = expectation["kwargs"].get("parent_table")
    lost_parent = isinstance(parent, str) and parent not in tables
    return lost_parent or not columns_of(expectation) <= set(columns)


def _disabled(expectation: Expectation) -> Expectation:
    if ours(expectation).get("disabled"):
        return expectation
    meta = {**(expectation.get("meta") or {})}
    return {**expectation, "meta": {**meta, OURS: {**ours(expectation), "disabled": COLUMN_GONE}}}


def _enabled(expectation: Expectation) -> Expectation:
    """The expectation without the mark of a vanished column; a person's own mark stays."""
    known = ours(expectation)
    if known.get("disabled") != COLUMN_GONE:
        return expectation
    left = {key: value for key, value in known.items() if key != "disabled"}
    meta = {key: value for key, value in expectation["meta"].items() if key != OURS}
    meta |= {OURS: left} if left else {}
    rest = {key: value for key, value in expectation.items() if key != "meta"}
    return {**rest, "meta": meta} if meta else rest
