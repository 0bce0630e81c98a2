"""A small extract of many tables in which every foreign key resolves, the same one every night.

Rows are wanted one after the other: a *root* (a customer) at a place that a hash of its key gives
it, a row below it (an order) when its parents and its elder siblings are. A row that another one
refers to is wanted as soon as that one is. So the rows wanted until any moment are closed under
all foreign keys, and the moment is chosen at which no table has more rows than asked for.

Families come whole if at least `FEWEST_FAMILIES` of them fit. Otherwise of k roots at most k
children are taken, and of each of these at most k. Tables that hang on no root (products,
countries) are whole if they are small; of larger ones come the rows that are referred to, and
then others as far as there is room. At last come rows that only refer (a film's categories), as far
as all that they refer to is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prefect_synth.synth.descent import tables_above, tables_below
from prefect_synth.synth.errors import RequestError
from prefect_synth.synth.hierarchy.units import people_of
from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.synth.metrics.keys import NO_PARENT
from prefect_synth.synth.metrics.side import read_parents
from prefect_synth.synth.metrics.sources import Ints, Source
from prefect_synth.synth.row_hashes import row_hashes

Flags = npt.NDArray[np.bool_]

FEWEST_FAMILIES = 5
"""Whole families that must fit; otherwise families are cut, so that there are more of them."""

_NEVER = int(np.iinfo(np.int64).max)


def extract_rows(
    metadata: Metadata,
    tables: Mapping[str, Source],
    rows: int,
    *,
    root: str | None = None,
    always: Mapping[str, Ints] | None = None,
) -> dict[str, Ints]:
    """Choose the rows of a small extract.

    Args:
        metadata: The schema.
        tables: The tables, of which keys alone are read.
        rows: How many rows a table shall have at most. More are taken only where the first row of
            a table, or those that are always taken, refer to more through others.
        root: The table to begin with; by default the people, where a table looks like people,
            otherwise the one that most hangs on.
        always: Positions of rows, by table, that are taken in any case.

    Returns:
        Positions of the rows in each table, in rising order. Every key that resolves in the tables
        resolves among them; a table that has rows keeps at least one.

    Raises:
        RequestError: `rows` is below 1, or there is no such root.
    """
    if rows < 1:
        raise RequestError(f"An extract needs at least 1 row, got {rows}.")
    if root is not None and root not in metadata.tables:
        raise RequestError(
            f"The extract shall begin with '{root}', but there is no such table. Tables: "
            f"{', '.join(metadata.tables)}."
        )
    places = {name: _places(metadata, tables[name], name) for name in metadata.tables}
    links = {r: read_parents(r, tables) for r in metadata.relationships}
    extract = _Extract(metadata, places, links, rows, _nothing(places))
    groups = _groups(metadata, {name: len(found) for name, found in places.items()}, root)
    extract.take_always(always or {})
    extract.take_small([name for group in groups[1:] for name in group])
    for group in groups:
        extract.take_families(group)
    extract.take_leaves()
    extract.take_missing()
    return {name: np.flatnonzero(flags) for name, flags in extract.taken.items()}


@dataclass(frozen=True)
class _Extract:
    """The extract while it grows; it is closed under all foreign keys after every step.

    Args:
        metadata: The schema.
        places: Place of each row in its table, by a hash of its key.
        links: By relation, the parent's position for each child row.
        rows: How many rows a table shall have at most.
        taken: By table, whether a row is taken.
    """

    metadata: Metadata
    places: Mapping[str, Ints]
    links: Mapping[Relationship, Ints]
    rows: int
    taken: Mapping[str, Flags]

    def take_always(self, positions: Mapping[str, Ints]) -> None:
        """Take these rows and all that they refer to."""
        ranks = {name: np.full_like(self.places[name], _NEVER) for name in positions}
        for name, rows in positions.items():
            ranks[name][rows] = 0
        self._take(self._closed(ranks), _NEVER)

    def take_small(self, tables: Sequence[str]) -> None:
        """Take each of these tables whole, if it and all that it refers to fit."""
        for name in tables:
            wanted = self._closed({name: np.zeros_like(self.places[name])})
            if self._limit(wanted) == _NEVER:
                self._take(wanted, _NEVER)

    def take_families(self, group: Sequence[str]) -> None:
        """Take families of a root, whole if some fit, otherwise cut."""
        root = group[0]
        for siblings in (_all_at_once, _one_by_one):
            own = self._ranks(group, siblings)
            wanted = self._closed(own)
            limit = self._limit(wanted)
            roots = np.count_nonzero(own[root] < limit)
            if roots >= min(FEWEST_FAMILIES, len(own[root])):
                break
        self._take(wanted, limit)

    def take_leaves(self) -> None:
        """Take rows that nothing refers to and whose parents are all taken, while there is room."""
        for name, flags in self.taken.items():
            if any(r.child != name for r in self.metadata.children(name)):
                continue
            links = [(r.parent, self.links[r]) for r in self.metadata.parents(name)]
            fits, number = ~flags, np.full(len(flags), -1)
            for parent, link in links:
                has = link != NO_PARENT
                fits[has] &= self.taken[parent][link[has]]
                number[has] = np.maximum(
                    number[has], _one_by_one(link[has], self.places[name][has])
                )
            found = np.flatnonzero(fits & (number >= 0))
            order = np.lexsort((self.places[name][found], number[found]))
            room = max(self.rows - int(flags.sum()), 0)
            flags[found[order[:room]]] = True

    def take_missing(self) -> None:
        """Take one row of every table that has rows and none in the extract."""
        for name, flags in self.taken.items():
            if len(flags) and not flags.any():
                first = np.where(self.places[name] == 0, 0, _NEVER)
                self._take(self._closed({name: first}), _NEVER)

    def _ranks(
        self, group: Sequence[str], siblings: Callable[[Ints, Ints], Ints]
    ) -> dict[str, Ints]:
        """When each row of a root's tables is wanted for itself."""
        ranks: dict[str, Ints] = {}
        for name in group:
            places = self.places[name]
            links = [
                (r, self.links[r])
                for r in self.metadata.parents(name)
                if r.parent in ranks  # what closes a cycle, or refers to its own table, waits
            ]
            found = np.full(len(places), -1)
            for relation, link in links:
                has = link != NO_PARENT
                above = ranks[relation.parent][link[has]]
                found[has] = np.maximum(found[has], above)
                found[has] = np.maximum(found[has], siblings(link[has], places[has]))
            alone = found < 0
            found[alone] = _ordinals(places[alone])
            ranks[name] = found
        return ranks

    def _closed(self, ranks: Mapping[str, Ints]) -> dict[str, Ints]:
        """When each row is wanted for itself or because a wanted row refers to it."""
        reached = {above for name in ranks for above in tables_above(self.metadata, name)}
        wanted = {
            name: ranks[name].copy() if name in ranks else np.full(len(self.places[name]), _NEVER)
            for name in self.metadata.tables
            if name in reached
        }
        relations = [r for r in self.metadata.relationships if r.child in reached]
        # a sum, since `any` would leave the rest of a round out
        while sum(_pull(r, self.links[r], wanted) for r in relations):
            pass
        return wanted

    def _limit(self, wanted: Mapping[str, Ints]) -> int:
        """The first moment at which a table would have too many rows; `_NEVER` if none has."""
        limit = _NEVER
        for name, when in wanted.items():
            new = when[~self.taken[name] & (when < _NEVER)]
            room = max(self.rows - int(self.taken[name].sum()), 0)
            if len(new) > room:
                limit = min(limit, int(np.partition(new, room)[room]))
        return limit

    def _take(self, wanted: Mapping[str, Ints], limit: int) -> None:
        for name, when in wanted.items():
            self.taken[name][when < limit] = True


def _nothing(places: Mapping[str, Ints]) -> dict[str, Flags]:
    return {name: np.zeros(len(found), dtype=bool) for name, found in places.items()}


def _places(metadata: Metadata, source: Source, table: str) -> Ints:
    return _ordinals(row_hashes(metadata, source, table))


def _ordinals(values: npt.NDArray[np.generic]) -> Ints:
    """The place of each value when they are sorted; equal ones in their order."""
    places = np.empty(len(values), dtype=np.int64)
    places[np.argsort(values, kind="stable")] = np.arange(len(values))
    return places


def _all_at_once(parents: Ints, places: Ints) -> Ints:
    """Siblings come together."""
    return np.zeros_like(parents)


def _one_by_one(parents: Ints, places: Ints) -> Ints:
    """Each row waits for its elder siblings: its number among them."""
    order = np.lexsort((places, parents))
    ordered = parents[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(order) else order
    lengths = np.diff(np.r_[starts, len(order)])
    numbers = np.empty_like(parents)
    numbers[order] = np.arange(len(order)) - np.repeat(starts, lengths)
    return numbers


def _pull(relation: Relationship, link: Ints, wanted: Mapping[str, Ints]) -> bool:
    """Want parents as soon as their children are; whether any is wanted earlier now."""
    child, parent = wanted[relation.child], wanted[relation.parent]
    before = parent.copy()
    if relation.child == relation.parent:
        _pull_ancestors(link, parent)
    else:
        has = link != NO_PARENT
        np.minimum.at(parent, link[has], child[has])
    return bool((parent != before).any())


def _pull_ancestors(link: Ints, wanted: Ints) -> None:
    """The same within a table, all generations in as many steps as their number has bits."""
    step = link.copy()
    for _ in range(len(link).bit_length() + 1):  # more only where rows refer in a circle
        has = step != NO_PARENT
        if not has.any():
            return
        np.minimum.at(wanted, step[has], wanted[has])
        step[has] = step[step[has]]


def _groups(metadata: Metadata, rows: Mapping[str, int], root: str | None) -> list[list[str]]:
    """Roots, each with the tables below it that no earlier one has, parents first."""
    waiting = set(metadata.tables)
    first = root or people_of(metadata, rows)
    groups = []
    while waiting:
        chosen = first if first in waiting else _next_root(metadata, rows, waiting)
        below = tables_below(metadata.subset(waiting), chosen)
        groups.append(_in_order(metadata, chosen, below))
        waiting -= below
    return groups


def _next_root(metadata: Metadata, rows: Mapping[str, int], waiting: set[str]) -> str:
    schema = metadata.subset(waiting)
    top = [name for name in waiting if not {r.parent for r in schema.parents(name)} - {name}]
    return max(top or waiting, key=lambda name: (len(tables_below(schema, name)), rows[name], name))


def _in_order(metadata: Metadata, root: str, below: set[str]) -> list[str]:
    """The root, and then always the table with the fewest parents that are not placed yet."""
    schema = metadata.subset(below)
    placed = [root]
    while len(placed) < len(below):
        left = [name for name in schema.tables if name not in placed]
        near = [name for name in left if {r.parent for r in schema.parents(name)} & set(placed)]
        placed.append(
            min(
                near,
                key=lambda name: len({r.parent for r in schema.parents(name)} - {name, *placed}),
            )
        )
    return placed
