"""Keys of several columns in sampled tables: what they are made of, and making them unique."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.columns import CategoryEncoder, NumberEncoder
from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.encoding.table import AnyEncoder
from prefect_synth.synth.errors import UniquenessError
from prefect_synth.synth.hierarchy.keys import KeyColumns
from prefect_synth.synth.hierarchy.overlap import claims, shared_forebear
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.uniqueness import (
    KeyPart,
    codes_of,
    combine,
    move,
    repair,
    repeated,
)
from prefect_synth.synth.metadata import Metadata, Relationship

if TYPE_CHECKING:
    from prefect_synth.synth.hierarchy.structure import Sample


def room(metadata: Metadata, part: TablePart, rows: Mapping[str, int]) -> list[dict[str, int]]:
    """How many options each part of each key has, by relation or column.

    Args:
        metadata: The schema.
        part: The table's part.
        rows: Rows of the tables that are sampled already.

    Returns:
        One mapping for each key whose every part has a known number of options.
    """
    found = []
    for key in part.unique:
        sizes: dict[str, int] = {}
        covered: set[str] = set()
        for relation, filled in claims(metadata, part):
            inside = {c for c, _ in filled} & set(key)
            known = relation.parent in rows and part.nulls[relation.name] == 0
            if inside and known and inside == {c for c, _ in filled}:
                sizes[relation.name] = rows[relation.parent]
                covered |= inside
        for column in [c for c in key if c not in covered]:
            encoder = part.codec.encoders.get(column)
            if isinstance(encoder, CategoryEncoder) and not encoder.layout.has_null:
                sizes[column] = len(encoder.values)
                covered.add(column)
        if covered == set(key):
            found.append(sizes)
    return found


def make_unique(
    keys: KeyColumns, part: TablePart, key: tuple[str, ...], rng: np.random.Generator
) -> None:
    """Exchange parents, or own values, between rows until the key is unique.

    Raises:
        UniquenessError: The key has fewer combinations than rows.
    """
    metadata, drawn = keys.metadata, keys.drawn
    linked = _references(metadata, part, key)
    types = {r.when[0] for reference in linked for r, _ in reference if r.when is not None}
    own = [
        c
        for c in key
        if c in drawn.columns[part.name] and c in part.codec.encoders and c not in types
    ]
    whole = _rows_without_null(part, drawn, linked, own)
    if not len(whole):
        return
    parts = [_reference_part(keys, reference, whole) for reference in linked]
    domains = {c: _Domain(drawn.columns[part.name][c], whole) for c in own}
    parts += [KeyPart(d.choice, np.arange(len(d.values))) for d in domains.values()]
    if not len(repeated([p.row_codes for p in parts])):
        return
    fixed = {*drawn.held, *(r.target for r in (part.rules.increasing,) if r is not None)}
    held = {len(linked) + i for i, c in enumerate(own) if c in fixed}
    free = [i for i in reversed(range(len(parts))) if i not in held and _is_free(part, linked, i)]
    fillable = not held and all(r.parent != part.name for reference in linked for r, _ in reference)
    wider = {c: d for c, d in domains.items() if c not in fixed}
    at = {c: len(linked) + i for i, c in enumerate(own)}
    unique = repair(parts, free, rng, fillable=fillable) or _with_more_values(
        part, parts, wider, at, rng
    )
    if not unique:
        raise UniquenessError(part.name, key, len(whole))
    for reference, repaired in zip(linked, parts, strict=False):
        _write_links(drawn, reference, repaired, whole)
    for column, repaired in zip(own, parts[len(linked) :], strict=True):
        domain = domains[column]
        drawn.columns[part.name][column] = domain.write(repaired.choice, whole)


Reference = list[tuple[Relationship, list[str]]]
"""A foreign key's relations, several if it is polymorphic, and their parents' key columns."""


def _references(metadata: Metadata, part: TablePart, key: tuple[str, ...]) -> list[Reference]:
    """The foreign keys that a key contains."""
    found: dict[tuple[str, ...], Reference] = {}
    for relation, filled in claims(metadata, part):
        if any(c in key for c, _ in filled):
            place = relation.child_columns if relation.when else (relation.name, "alone")
            found.setdefault(place, []).append((relation, [p for c, p in filled if c in key]))
    return list(found.values())


def _write_links(drawn: Sample, reference: Reference, repaired: KeyPart, rows: Ints) -> None:
    offset = 0
    for relation, _ in reference:
        changed = drawn.links[relation.name].copy()  # what rows were drawn with stays as it was
        parents = drawn.rows[relation.parent]
        inside = (repaired.choice >= offset) & (repaired.choice < offset + parents)
        changed[rows[inside]] = repaired.choice[inside] - offset
        drawn.links[relation.name] = changed
        offset += parents


class _Domain:
    """The values of an own column, each once, and which one each row has."""

    def __init__(self, column: pa.Array, rows: Ints) -> None:
        self.column = column
        codes = codes_of(column)
        _, first, dense = np.unique(codes[rows], return_index=True, return_inverse=True)
        self.values = column.take(pa.array(rows[first]))
        self.choice: Ints = dense.astype(np.int64)

    def extend(self, values: pa.Array) -> None:
        self.values = pa.concat_arrays([self.values, values])

    def write(self, choice: Ints, rows: Ints) -> pa.Array:
        at = np.arange(len(self.column))
        at[rows] = len(self.column) + choice
        return pa.concat_arrays([self.column, self.values]).take(pa.array(at))


def _rows_without_null(
    part: TablePart, drawn: Sample, linked: Sequence[Reference], own: Sequence[str]
) -> Ints:
    """Rows whose key has no null: only those must be unique (SQL's NULLS DISTINCT)."""
    whole = np.ones(drawn.rows[part.name], bool)
    for reference in linked:
        whole &= np.any([drawn.links[r.name] >= 0 for r, _ in reference], axis=0)
    for column in own:
        whole &= np.asarray(drawn.columns[part.name][column].is_valid())
    return np.flatnonzero(whole)


def _reference_part(keys: KeyColumns, reference: Reference, rows: Ints) -> KeyPart:
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


def _is_free(part: TablePart, linked: Sequence[Reference], index: int) -> bool:
    """Whether a part may change: not the primary parent if another can, nor a level's parent."""
    if index >= len(linked):
        return True
    alone = len(linked) == 1 and part.rules.increasing is None
    return all(
        r.parent != part.name and (r.name != part.plan.primary or alone) for r, _ in linked[index]
    )


def _with_more_values(
    part: TablePart,
    parts: Sequence[KeyPart],
    domains: Mapping[str, _Domain],
    at: Mapping[str, int],
    rng: np.random.Generator,
) -> bool:
    """Use categories that were not drawn; let dates and numbers run on beyond the largest drawn."""
    for column, domain in domains.items():
        index = at[column]
        others = [p.row_codes for i, p in enumerate(parts) if i != index]
        needed = int(np.bincount(combine(others or [parts[index].choice * 0])).max())
        domain.extend(_more_values(part.codec.encoders[column], domain.values, needed))
        parts[index].codes = codes_of(domain.values)
        move(parts, index, rng, in_order=True)
        if not len(repeated([p.row_codes for p in parts])):
            return True
    return False


def _more_values(encoder: AnyEncoder, seen: pa.Array, needed: int) -> pa.Array:
    if isinstance(encoder, CategoryEncoder):
        return encoder.every_value()
    if isinstance(encoder, NumberEncoder) and not encoder.scale.is_continuous:
        after = encoder.scale.to_ticks(seen).max() + 1 + np.arange(needed)
        return encoder.scale.from_ticks(after, seen.type)
    return seen.slice(0, 0)
