"""Personal values that stand in two columns: found when fitting, kept as a way, never as values.

An order's contact address is its customer's (a way along foreign keys), an audit log's actor is
one of the customers (a share of rows). Only the owner, the way and the share are stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.choice import personal_of
from prefect_synth.synth.encoding.codec import TableCodec
from prefect_synth.synth.encoding.layout import RARE, Ints
from prefect_synth.synth.hierarchy.plan import Plan
from prefect_synth.synth.hierarchy.shared import Shared
from prefect_synth.synth.metadata import Metadata

Place = tuple[str, str]
"""A table and a column."""

_IDENTIFYING = frozenset(
    {
        "email", "phone_number", "ssn", "iban", "credit_card_number", "user_name", "name",
        "license_plate", "mac_address", "url",
    }
)  # fmt: skip
"""Sdtypes whose values tell one person: that others have the same first name says nothing."""
_MOST_HOPS = 3
_MOSTLY = 0.5
_ALWAYS = 0.99
_SOME = 0.05
_SEEN = 500_000
_HELD = 4


@dataclass(frozen=True)
class _Seen:
    """The personal columns of all tables, and how rows hang together."""

    metadata: Metadata
    plan: Plan
    columns: Mapping[Place, pa.Array]
    sdtypes: Mapping[Place, str]
    unique: Mapping[Place, bool]
    links: Mapping[str, Ints]
    one_to_one: Mapping[str, tuple[str, ...]]


Personal = Mapping[str, tuple[str, bool]]
"""Sdtype of each personal column of a table, and whether its values are unique."""


def personal_columns(codec: TableCodec) -> dict[str, tuple[str, bool]]:
    """The columns of a table whose values are made up as a person's."""
    found = {}
    for column, encoder in codec.encoders.items():
        generator = personal_of(encoder)
        if generator is None or column not in codec.columns:  # a leaf of a column
            continue
        found[column] = (generator.sdtype, generator.unique)
    return found


def find_shared(
    metadata: Metadata,
    plan: Plan,
    tables: Mapping[str, pa.Table],
    personal: Mapping[str, Personal],
    links: Mapping[str, Ints],
    one_to_one: Mapping[str, tuple[str, ...]],
) -> dict[str, dict[str, Shared]]:
    """Find the personal columns whose values another personal column has.

    Args:
        metadata: The schema.
        plan: The order of the tables, and their primary and assigned parents.
        tables: The real rows.
        personal: Personal columns by table, of tables that are not published as they are.
        links: Parent row of each row, by relation, negative for none.
        one_to_one: By table, the relations in which a parent has one row at most.

    Returns:
        By table and column; columns that share nothing are left out.
    """
    places = {(n, c): kind for n in plan.order for c, kind in personal.get(n, {}).items()}
    sdtypes = {place: sdtype for place, (sdtype, _) in places.items()}
    unique = {place: alone for place, (_, alone) in places.items()}
    columns = _Texts(tables, tuple(places))
    seen = _Seen(metadata, plan, columns, sdtypes, unique, links, one_to_one)
    found: dict[Place, Shared] = {}
    for place in seen.columns:
        way = _along_relations(seen, place)
        if way is not None:
            found[place] = way
    found |= _without_relations(seen, [place for place in seen.columns if place not in found])
    return {
        name: {column: way for (table, column), way in found.items() if table == name}
        for name in plan.order
    }


class _Texts(Mapping[Place, pa.Array]):
    """Columns as texts, read when they are asked for; a few are held."""

    def __init__(self, tables: Mapping[str, pa.Table], places: tuple[Place, ...]) -> None:
        self._tables, self._places = tables, places
        self._held: dict[Place, pa.Array] = {}

    def __getitem__(self, place: Place) -> pa.Array:
        if place not in self._held:
            while len(self._held) >= _HELD:
                self._held.pop(next(iter(self._held)))
            values = self._tables[place[0]][place[1]]
            self._held[place] = values.cast(pa.large_string()).combine_chunks()
        return self._held[place]

    def __iter__(self) -> Iterator[Place]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _along_relations(seen: _Seen, place: Place) -> Shared | None:
    """The nearest owner in the same row, or in a row that foreign keys lead to."""
    table = place[0]
    mine = seen.columns[place]
    best: Shared | None = None
    for path, rows in _ways(seen, table, min(len(mine), _SEEN)):
        top = _top(seen.metadata, table, path)
        for other, sdtype in seen.sdtypes.items():
            if other[0] != top or sdtype != seen.sdtypes[place]:
                continue
            if not path and not _before(seen, other, place):
                continue
            if seen.unique[place] and not _alone(seen, table, path):
                continue
            share = _agreement(mine, seen.columns[other], rows)
            if share >= _MOSTLY and (best is None or share > best.share + 0.01):
                best = Shared(*other, path, 1.0 if share >= _ALWAYS else share)
    return best


def _ways(seen: _Seen, table: str, rows: int) -> Iterator[tuple[tuple[str, ...], Ints]]:
    """Ways up from a table: relations, and the row that they lead each of its rows to."""
    ways: list[tuple[tuple[str, ...], Ints]] = [((), np.arange(rows))]
    for path, at in ways:  # grows
        yield path, at
        if len(path) == _MOST_HOPS:
            continue
        top = _top(seen.metadata, table, path)
        used = seen.plan.tables[top]
        for relation in (used.primary, *used.assigned):
            if relation is not None:
                link = seen.links[relation]
                known = (at >= 0) & bool(len(link))
                up = np.full(len(at), -1, np.int64)
                up[known] = link[at[known]]
                ways.append(((*path, relation), np.maximum(up, -1)))


def _top(metadata: Metadata, table: str, path: tuple[str, ...]) -> str:
    parents = {r.name: r.parent for r in metadata.relationships}
    return parents[path[-1]] if path else table


def _before(seen: _Seen, other: Place, place: Place) -> bool:
    """Whether another column of the table owns the value that both have."""
    order = list(seen.columns)
    rank = [(not seen.unique[p], order.index(p)) for p in (other, place)]
    return rank[0] < rank[1]


def _alone(seen: _Seen, table: str, path: tuple[str, ...]) -> bool:
    """Whether no two rows of a table are led to the same row."""
    at = table
    for relation in path:
        if relation not in seen.one_to_one.get(at, ()):
            return False
        at = _top(seen.metadata, at, (relation,))
    return True


def _agreement(mine: pa.Array, others: pa.Array, rows: Ints) -> float:
    """Share of the rows with both values in which they are the same."""
    linked = np.flatnonzero(rows >= 0)
    if not len(linked):
        return 0.0
    same = pc.equal(mine.take(pa.array(linked)), others.take(pa.array(rows[linked])))
    known = len(same) - same.null_count
    return float((pc.sum(same).as_py() or 0) / known) if known >= RARE else 0.0


def _without_relations(seen: _Seen, places: list[Place]) -> dict[Place, Shared]:
    """Columns whose values are among those of an owner that no foreign key leads to."""
    places = [p for p in places if seen.sdtypes[p] in _IDENTIFYING]
    sizes = {p: pc.count_distinct(seen.columns[p]).as_py() for p in places}
    order = sorted(
        places,
        key=lambda p: (not seen.unique[p], -round(_variety(seen.columns[p], sizes[p]), 2), p),
    )
    owners: list[Place] = []
    found: dict[Place, Shared] = {}
    chosen: dict[Place, Ints] = {}
    for place in order:
        mine = seen.columns[place].slice(0, _SEEN)
        best, rows = _best_owner(seen, place, mine, owners)
        if best is None:
            owners.append(place)
            continue
        found[place] = _same_pick(place, best, rows, found, chosen)
        chosen[place] = rows
    return found


def _variety(values: pa.Array, different: int) -> float:
    """Different values for each value: who owns them has each but once."""
    return different / max(len(values) - values.null_count, 1)


def _best_owner(
    seen: _Seen, place: Place, mine: pa.Array, owners: list[Place]
) -> tuple[Shared | None, Ints]:
    """The owner that has most of a column's values, and the row of it that each value is in."""
    best, rows = None, np.zeros(0, np.int64)
    for owner in owners:
        fits = seen.unique[owner] or not seen.unique[place]
        if seen.sdtypes[owner] != seen.sdtypes[place] or not fits:
            continue
        at = pc.index_in(mine, value_set=seen.columns[owner], skip_nulls=True)
        known = len(mine) - mine.null_count
        share = (len(at) - at.null_count) / max(known, 1)
        different = pc.count_distinct(at).as_py()
        if share >= _SOME and different >= RARE and (best is None or share > best.share):
            best = Shared(*owner, (), 1.0 if share >= _ALWAYS else share, place[1])
            rows = np.asarray(at.fill_null(-1))
    return best, rows


def _same_pick(
    place: Place,
    way: Shared,
    rows: Ints,
    found: Mapping[Place, Shared],
    chosen: Mapping[Place, Ints],
) -> Shared:
    """The same way, by the pick of an earlier column of the table that tells of the same rows."""
    for other, there in chosen.items():
        if other[0] != place[0] or found[other].table != way.table:
            continue
        both = (rows >= 0) & (there >= 0)
        if both.sum() >= RARE and (rows[both] == there[both]).mean() >= 1 - _SOME:
            return Shared(way.table, way.column, (), way.share, found[other].pick)
    return way
