"""The holdout: whole families that no model sees, chosen by a hash of the root entity's key.

A root entity (a customer) is held out together with all rows that hang on it, so that what the
model has not seen is really unseen. The choice depends on the key alone: the same families stay
held out from night to night, whatever else changes. Tables above and beside the families
(products, regions) are *shared*: nothing of them is held out.

A small table below the families could lose all its rows, and nothing could be trained. Then the
family of one of its rows is spared, the one whose hash is lowest: sharing the table instead would
leave its keys without parents, and to hold nothing out at all would leave no table judged by what
the models have not seen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prefect_synth.synth.descent import tables_below
from prefect_synth.synth.hierarchy.units import people_of
from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.synth.metrics.hashing import Hashes, combine, mix
from prefect_synth.synth.metrics.keys import NO_PARENT
from prefect_synth.synth.metrics.side import read_parents
from prefect_synth.synth.metrics.sources import (
    Ints,
    Source,
    count_rows,
)
from prefect_synth.synth.row_hashes import row_hashes

Flags = npt.NDArray[np.bool_]

FEWEST = 20
"""Root entities that there must be before some of them are held out."""

_MOST_HELD = 0.75  # of a root table; one tree of employees cannot be cut without orphans
_SALT = np.uint64(0x5851F42D4C957F2D)


@dataclass(frozen=True)
class Holdout:
    """Which rows are held out.

    Args:
        units: The tables whose rows are the root entities, one for each connected part of the
            schema at most, whether something could be held out of it or not.
        held: By table that belongs to families, whether each row is held out. All other tables
            are shared.
    """

    units: tuple[str, ...]
    held: Mapping[str, Flags]


def hold_out(
    metadata: Metadata,
    tables: Mapping[str, Source],
    fraction: float,
    *,
    unit: str | None = None,
    keep: Collection[str] = (),
    salt: int = 0,
) -> Holdout:
    """Choose the families that are held out.

    Args:
        metadata: The schema.
        tables: The real tables, of which keys alone are read.
        fraction: Share of the root entities to hold out; 0 for none.
        unit: The table whose rows are people, where it is known; otherwise it is guessed.
        keep: Tables that are published as they are: they are shared by all families.
        salt: Another one chooses other families.

    Returns:
        The choice. A row of which any parent is held out is held out too, so no key dangles among
        the rows that are left. Every table that has rows keeps one to train on: where all of them
        were chosen, a family is spared.
    """
    rows = {name: count_rows(tables[name]) for name in metadata.tables}
    held: dict[str, Flags] = {}
    units = []
    for component in _components(metadata, keep):
        root = _root(metadata, component, rows, unit)
        if root is None:
            continue
        units.append(root)
        chosen = _families(metadata, tables, root, component, fraction, salt)
        if chosen[root].any() and chosen[root].mean() <= max(_MOST_HELD, fraction):
            held |= chosen
    return Holdout(tuple(units), held)


def _components(metadata: Metadata, keep: Collection[str]) -> list[list[str]]:
    """Tables that foreign keys connect, kept ones left out."""
    waiting = [name for name in metadata.tables if name not in keep]
    found = []
    while waiting:
        component, border = {waiting[0]}, [waiting[0]]
        while border:
            table = border.pop()
            near = {r.child for r in metadata.children(table)}
            near |= {r.parent for r in metadata.parents(table)}
            border += sorted(near - component - set(keep))
            component |= near - set(keep)
        found.append([name for name in waiting if name in component])
        waiting = [name for name in waiting if name not in component]
    return found


def _root(
    metadata: Metadata, component: Sequence[str], rows: Mapping[str, int], unit: str | None
) -> str | None:
    """The people, declared or guessed; else the root with most below it and most rows."""
    if unit is not None and unit in component:
        return unit if rows[unit] >= FEWEST else None
    people = people_of(metadata.subset(component), {name: rows[name] for name in component})
    if people is not None:
        return people
    roots = [
        name
        for name in component
        if rows[name] >= FEWEST and not _parents_within(metadata, name, component)
    ]
    return max(
        roots,
        key=lambda name: (
            len(tables_below(metadata.subset(component), name)) > 1,
            rows[name],
            name,
        ),
        default=None,
    )


def _families(
    metadata: Metadata,
    tables: Mapping[str, Source],
    root: str,
    component: Sequence[str],
    fraction: float,
    salt: int,
) -> dict[str, Flags]:
    below = tables_below(metadata.subset(component), root)
    relations = [r for r in metadata.relationships if r.child in below and r.parent in below]
    links = {r: read_parents(r, tables) for r in relations}
    chosen = {
        name: _drawn(row_hashes(metadata, tables[name], name), fraction, salt)
        for name in component
        if name in below
    }
    for relation, link in links.items():  # a row that hangs on somebody does not choose itself
        if relation.child != root or relation.parent == root:
            chosen[relation.child] &= link == NO_PARENT
    held = _with_below(chosen, links)
    starved = [name for name, flags in held.items() if len(flags) and flags.all()]
    if not starved:
        return held
    first = {name: int(row_hashes(metadata, tables[name], name).argmin()) for name in starved}
    return _with_below(_without_above(chosen, links, first), links)


def _with_below(
    chosen: Mapping[str, Flags], links: Mapping[Relationship, Ints]
) -> dict[str, Flags]:
    """The chosen rows, and all that hang on them."""
    held = {name: flags.copy() for name, flags in chosen.items()}
    while _pass_down(held, links):
        pass
    return held


def _without_above(
    chosen: Mapping[str, Flags], links: Mapping[Relationship, Ints], rows: Mapping[str, int]
) -> dict[str, Flags]:
    """The chosen rows, but a row of some tables and all that it hangs on."""
    spared = {name: np.zeros(len(flags), dtype=bool) for name, flags in chosen.items()}
    for name, row in rows.items():
        spared[name][row] = True
    while _pass_up(spared, links):
        pass
    return {name: flags & ~spared[name] for name, flags in chosen.items()}


def _pass_up(spared: Mapping[str, Flags], links: Mapping[Relationship, Ints]) -> bool:
    """Spare what a spared row hangs on; whether anything changed."""
    changed = False
    for relation, link in links.items():
        above = link[spared[relation.child] & (link != NO_PARENT)]
        parent = spared[relation.parent]
        changed |= not parent[above].all()
        parent[above] = True
    return changed


def _pass_down(held: Mapping[str, Flags], links: Mapping[Relationship, Ints]) -> bool:
    """Hold out what hangs on a row that is held out; whether anything changed."""
    changed = False
    for relation, link in links.items():
        child, parent = held[relation.child], held[relation.parent]
        hangs = (link != NO_PARENT) & ~child
        hangs[hangs] = parent[link[hangs]]
        if hangs.any():
            child |= hangs
            changed = True
    return changed


def _drawn(hashes: Hashes, fraction: float, salt: int) -> Flags:
    key = mix(np.array([salt], dtype=np.uint64) + _SALT)
    return mix(combine(hashes, np.broadcast_to(key, hashes.shape))) < np.uint64(fraction * 2**64)


def _parents_within(metadata: Metadata, table: str, component: Collection[str]) -> set[str]:
    return {r.parent for r in metadata.parents(table)} & set(component) - {table}
