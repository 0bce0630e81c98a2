"""Foreign keys as parts of a unique key: which parent each row has, and which ones it may have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.hierarchy.key_codes import KeyPart, combine
from prefect_synth.synth.hierarchy.keys import KeyColumns
from prefect_synth.synth.hierarchy.overlap import claims, shared_forebear
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.metadata import Metadata, Relationship

if TYPE_CHECKING:
    from prefect_synth.synth.hierarchy.sample import Sample

Reference = list[tuple[Relationship, list[str]]]
"""A foreign key's relations, several if it is polymorphic, and their parents' key columns."""


def references(metadata: Metadata, part: TablePart, key: tuple[str, ...]) -> list[Reference]:
    """The foreign keys that a key contains."""
    found: dict[tuple[str, ...], Reference] = {}
    for relation, filled in claims(metadata, part):
        if any(c in key for c, _ in filled):
            place = relation.child_columns if relation.when else (relation.name, "alone")
            found.setdefault(place, []).append((relation, [p for c, p in filled if c in key]))
    return list(found.values())


def write_links(drawn: Sample, reference: Reference, choice: Ints, rows: Ints) -> None:
    """Write the repaired parents of rows into the plan.

    Args:
        drawn: The plan.
        reference: The foreign key.
        choice: The repaired option of each row, [n].
        rows: Row numbers, [n].
    """
    offset = 0
    for relation, _ in reference:
        changed = drawn.links[relation.name].copy()  # what rows were drawn with stays as it was
        parents = drawn.rows[relation.parent]
        inside = (choice >= offset) & (choice < offset + parents)
        changed[rows[inside]] = choice[inside] - offset
        drawn.links[relation.name] = changed
        offset += parents


def rows_without_null(
    part: TablePart, drawn: Sample, linked: Sequence[Reference], own: Sequence[str]
) -> Ints:
    """Rows whose key has no null: only those must be unique (SQL's NULLS DISTINCT)."""
    whole = np.ones(drawn.rows[part.name], bool)
    for reference in linked:
        whole &= np.any([drawn.links[r.name] >= 0 for r, _ in reference], axis=0)
    for column in own:
        whole &= np.asarray(drawn.columns[part.name][column].is_valid())
    return np.flatnonzero(whole)


def reference_part(keys: KeyColumns, reference: Reference, rows: Ints) -> KeyPart:
    """A foreign key as a part of a key; a polymorphic one stays with the table it refers to."""
    if len(reference) == 1:
        return _link_part(keys, *reference[0], rows)
    choice, offset, codes, tables = np.zeros(len(rows), np.int64), 0, [], []
    for at, (relation, columns) in enumerate(reference):
        option = combine([keys.codes(relation.parent, c) for c in columns])
        link = keys.drawn.links[relation.name][rows].astype(np.int64)
        choice = np.where(link >= 0, link + offset, choice)
        codes.append(option * len(reference) + at)
        tables.append(np.full(len(option), at))
        offset += len(option)
    of = np.concatenate(tables)
    return KeyPart(choice, np.concatenate(codes), of[choice], of)


def _link_part(
    keys: KeyColumns, relation: Relationship, columns: Sequence[str], rows: Ints
) -> KeyPart:
    drawn = keys.drawn
    parts = [keys.codes(relation.parent, c) for c in columns]
    codes = parts[0] if len(parts) == 1 else combine(parts)
    link = drawn.links[relation.name][rows].astype(np.int64)
    shared = shared_forebear(keys.metadata, drawn, relation)
    if shared is None:
        return KeyPart(link, codes)
    return KeyPart(link, codes, shared[0][rows], shared[1])


def is_free(part: TablePart, linked: Sequence[Reference], index: int) -> bool:
    """Whether a part may change: not the primary parent if another can, nor a level's parent."""
    if index >= len(linked):
        return True
    alone = len(linked) == 1 and part.rules.increasing is None
    return all(
        r.parent != part.name and (r.name != part.plan.primary or alone) for r, _ in linked[index]
    )
