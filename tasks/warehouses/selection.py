"""Row limits that leave no key dangling: which rows of which table are read.

A root table is cut to the rows whose key hashes lowest; its descendants follow it; and whatever
the selected rows refer to is read too. The same rows are chosen in every run and on every engine,
and a larger limit chooses a superset.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from prefect_synth.synth.metadata import Metadata, MetadataError, Relationship

SMALL_TABLE_ROWS = 100
"""A table outside the root's reach keeps at least so many rows: lookups stay whole."""


@dataclass(frozen=True)
class Rule:
    """How the rows of one table are chosen, before those that others refer to are added.

    Args:
        kind: all: every row; hashed: the `rows` lowest hashes of its own key; follows: the rows of
            selected parents; referenced: none but what selected rows refer to.
        rows: How many rows a hash chooses.
        drivers: The foreign keys that are followed: a row goes with its first parent that is not
            null, and by its own hash where all are null.
    """

    kind: Literal["all", "hashed", "follows", "referenced"]
    rows: int = 0
    drivers: tuple[Relationship, ...] = ()


@dataclass(frozen=True)
class Selection:
    """Which rows of each table are read.

    Args:
        metadata: The tables and relationships that the selection is closed over.
        rules: Rule by table.
        roots: The tables that carry the limit, the principal one first.
    """

    metadata: Metadata
    rules: Mapping[str, Rule]
    roots: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """A short hash of the choice, for cache keys."""
        rules = {
            name: [r.kind, r.rows, list(map(str, r.drivers))] for name, r in self.rules.items()
        }
        relationships = [str(r) for r in self.metadata.relationships]
        document = json.dumps([rules, relationships], sort_keys=True)
        return hashlib.sha256(document.encode()).hexdigest()[:16]


def plan_selection(
    metadata: Metadata,
    counts: Mapping[str, int],
    *,
    rows: int | None = None,
    fraction: float | None = None,
    root: str | None = None,
) -> Selection:
    """Plan which rows are read, so that about `rows` of the root or `fraction` of all are chosen.

    Args:
        metadata: Tables and relationships, declared ones included.
        counts: Rows of each table.
        rows: Rows of the root table; other components are cut by the same share.
        fraction: Share of the root's rows, above 0 and at most 1.
        root: The table that carries the limit, as customers; by default the table below which
            most rows hang.

    Raises:
        MetadataError: The limits contradict each other, or the root is no table.
    """
    _check_limits(metadata, rows, fraction, root)
    first = root or _choose_root(metadata, counts, set(metadata.tables), fraction)
    share = fraction if fraction is not None else (rows or 1) / max(counts[first], 1)
    if share >= 1:
        return Selection(metadata, dict.fromkeys(metadata.tables, Rule("all")), (first,))
    others = [names for names in _components(metadata) if first not in names]
    roots = [first, *(_choose_root(metadata, counts, names, share) for names in others)]
    rules = {name: _own_rule(counts[name], share) for name in metadata.tables}
    for name in roots:
        if name == first or metadata.children(name):  # a table on its own keeps its own rule
            rules |= _rules_below(metadata, counts, name, share)
    return Selection(metadata, rules, tuple(roots))


def _check_limits(
    metadata: Metadata, rows: int | None, fraction: float | None, root: str | None
) -> None:
    if (rows is None) == (fraction is None):
        raise MetadataError("Give a row limit or a fraction, one of the two.")
    if rows is not None and rows < 1:
        raise MetadataError(f"The row limit must be at least 1, got {rows}.")
    if fraction is not None and not 0 < fraction <= 1:
        raise MetadataError(f"The fraction must be above 0 and at most 1, got {fraction}.")
    if root is not None and root not in metadata.tables:
        raise MetadataError(
            f"The root table '{root}' of the row limit is not among the tables "
            f"({', '.join(metadata.tables)})."
        )


def _rows(count: int, share: float) -> int:
    return max(1, round(count * share))


def _own_rule(count: int, share: float) -> Rule:
    rows = max(_rows(count, share), SMALL_TABLE_ROWS)
    return Rule("all") if rows >= count else Rule("hashed", rows)


def _components(metadata: Metadata) -> list[set[str]]:
    """Sets of tables that relationships connect."""
    component = {name: {name} for name in metadata.tables}
    for r in metadata.relationships:
        if component[r.child] is not component[r.parent]:
            component[r.child] |= component[r.parent]
            for name in component[r.parent]:
                component[name] = component[r.child]
    return list({id(names): names for names in component.values()}.values())


def _choose_root(
    metadata: Metadata, counts: Mapping[str, int], among: set[str], share: float | None
) -> str:
    """The table below which most rows hang, of those that a share still cuts finely."""
    enough = 30 / (share or 0.1)
    fine = [name for name in metadata.tables if name in among and counts[name] >= enough]

    def below(name: str) -> tuple[int, int]:
        return sum(counts[t] for t in _distances(metadata, name)), counts[name]

    if fine:
        return max(fine, key=below)
    return max((name for name in metadata.tables if name in among), key=counts.__getitem__)


def _distances(metadata: Metadata, root: str) -> dict[str, int]:
    """How many foreign keys lie between the root and each of its descendants."""
    distance, level = {root: 0}, [root]
    while level:
        below = {r.child for name in level for r in metadata.children(name)} - distance.keys()
        distance |= dict.fromkeys(sorted(below), distance[level[0]] + 1)
        level = sorted(below)
    return distance


def _rules_below(
    metadata: Metadata, counts: Mapping[str, int], root: str, share: float
) -> dict[str, Rule]:
    """Rules of the root, of all that hang below it, and of all that these refer to."""
    distance = _distances(metadata, root)
    rules = {name: Rule("referenced") for name in _ancestors(metadata, set(distance))}
    for name in distance:
        # parents nearer to the root only, so that cycles end
        # and no polymorphic ones: the same key may mean a row of another table
        known = [r for r in metadata.parents(name) if r.parent in distance and r.when is None]
        nearer = [r for r in known if distance[r.parent] < distance[name]]
        drivers = tuple(sorted(nearer, key=lambda r: distance[r.parent]))
        rules[name] = Rule("follows", _rows(counts[name], share), drivers)
    rules[root] = Rule("hashed", _rows(counts[root], share))
    return rules


def _ancestors(metadata: Metadata, tables: set[str]) -> set[str]:
    found: set[str] = set()
    level = tables
    while level:
        level = {r.parent for name in level for r in metadata.parents(name)} - found - tables
        found |= level
    return found
