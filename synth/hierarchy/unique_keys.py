"""Keys of several columns in sampled tables: what they are made of, and making them unique."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.columns import CategoryEncoder, NumberEncoder
from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.encoding.ticks import fit_ticks
from prefect_synth.synth.errors import UniquenessError
from prefect_synth.synth.hierarchy.key_codes import KeyPart, combine, repeated
from prefect_synth.synth.hierarchy.keys import KeyColumns
from prefect_synth.synth.hierarchy.overlap import claims, shared_forebear
from prefect_synth.synth.hierarchy.own_parts import Domain, is_bound, tied_columns
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.uniqueness import move, repair
from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.synth.rules.units import is_moment, is_number

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
) -> bool:
    """Exchange parents, or own values, between rows until the key is unique.

    Rules hold afterwards as they did before; only where there is no other way a few rows are
    made unique in spite of them.

    Returns:
        Whether anything has changed.

    Raises:
        UniquenessError: The key has fewer combinations than rows.
    """
    drawn = keys.drawn
    linked = _references(keys.metadata, part, key)
    types = {r.when[0] for reference in linked for r, _ in reference if r.when is not None}
    own = [
        c
        for c in key
        if c in drawn.columns[part.name] and c in part.schema.names and c not in types
    ]
    own = [c for c in own if c in part.codec.encoders or part.rules.computing(c) is not None]
    whole = _rows_without_null(part, drawn, linked, own)
    if not len(whole):
        return False
    tied = [
        group
        for group in tied_columns(part.rules, [*drawn.columns[part.name]])
        if set(group) & set(own)
    ]
    for groups in (tied, [(c,) for c in own]):
        way = _KeyRepair(keys, part, key, linked, groups, whole)
        if way.is_unique():
            return False
        if way.run(rng):
            return True
    raise UniquenessError(part.name, key, len(whole))


class _KeyRepair:
    """One way to repair a key.

    Args:
        keys: The key columns.
        part: The table's part.
        key: The key.
        linked: The foreign keys that it contains.
        groups: Own columns that change together.
        rows: The rows whose key has no null.
    """

    def __init__(
        self,
        keys: KeyColumns,
        part: TablePart,
        key: tuple[str, ...],
        linked: Sequence[Reference],
        groups: Sequence[tuple[str, ...]],
        rows: Ints,
    ) -> None:
        self.part, self.linked, self.groups, self.rows = part, linked, groups, rows
        self.drawn, columns = keys.drawn, keys.drawn.columns[part.name]
        self.domains = [
            Domain({c: columns[c] for c in group}, [c for c in group if c in key], rows)
            for group in groups
        ]
        self.parts = [_reference_part(keys, reference, rows) for reference in linked]
        self.parts += [domain.part() for domain in self.domains]

    def run(self, rng: np.random.Generator) -> bool:
        """Repair the key, and write what has changed; whether it is unique now."""
        first = len(self.linked)
        links = [i for i in range(first) if _is_free(self.part, self.linked, i)]
        links = [i for i in links if not self._is_read(self.linked[i])]
        own = [first + i for i, group in enumerate(self.groups) if self._moves(group)]
        itself = any(r.parent == self.part.name for reference in self.linked for r, _ in reference)
        every = len(own) == len(self.groups) and not itself
        free = [*reversed(links), *reversed(own)]
        done = repair(self.parts, free, rng, fillable=every) or self._push()
        if not (done or self._widen(rng)):
            return False
        for reference, repaired in zip(self.linked, self.parts, strict=False):
            _write_links(self.drawn, reference, repaired, self.rows)
        for domain, repaired in zip(self.domains, self.parts[first:], strict=True):
            written = domain.write(repaired.choice, self.rows)
            self.drawn.columns[self.part.name].update(written)
        return True

    def is_unique(self) -> bool:
        """Whether no two rows are equal in the key."""
        return not len(repeated([p.row_codes for p in self.parts]))

    def _is_read(self, reference: Reference) -> bool:
        """Whether a rule computes what is held from this parent."""
        held = self.drawn.columns[self.part.name]
        read = {c for r in self.part.rules.rules if r.target in held for c in r.inputs}
        through = {o.relation for o in self.part.rules.outside if o.name in read}
        return any(r.name in through for r, _ in reference)

    def _moves(self, group: tuple[str, ...]) -> bool:
        """Whether the columns may be exchanged between rows."""
        return not is_bound(self.part.rules, group) and not set(group) <= set(self.drawn.held)

    def _others(self, index: int) -> list[Ints]:
        return [p.row_codes for i, p in enumerate(self.parts) if i != len(self.linked) + index]

    def _push(self) -> bool:
        """Move dates or numbers up in rows that still repeat."""
        for index, domain in enumerate(self.domains):
            if not set(domain.columns) & set(self.drawn.held) and domain.push(
                self._others(index), self.part.rules, self.parts[len(self.linked) + index].choice
            ):
                self.parts[len(self.linked) + index] = domain.part()
                return True
        return False

    def _widen(self, rng: np.random.Generator) -> bool:
        """Use categories that were not drawn; let dates and numbers run on beyond the largest."""
        for index, (group, domain) in enumerate(zip(self.groups, self.domains, strict=True)):
            if len(group) > 1 or not self._moves(group):
                continue
            at, others = len(self.linked) + index, self._others(index)
            needed = int(np.bincount(combine(others or [self.rows * 0])).max())
            domain.extend(_more_values(self.part, group[0], domain.values[group[0]], needed))
            self.parts[at].codes = domain.codes
            move(self.parts, at, rng, in_order=True)
            if self.is_unique():
                return True
        return False


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


def _more_values(part: TablePart, column: str, seen: pa.Array, needed: int) -> pa.Array:
    encoder, scale = part.codec.encoders.get(column), None
    if part.rules.computing(column) is not None:  # what is encoded is another thing
        scale = fit_ticks(seen) if is_moment(seen.type) or is_number(seen.type) else None
    elif isinstance(encoder, CategoryEncoder):
        return encoder.every_value()
    elif isinstance(encoder, NumberEncoder):
        scale = encoder.scale
    if scale is None or scale.is_continuous:
        return seen.slice(0, 0)
    after = scale.to_ticks(seen).max() + 1 + np.arange(needed)
    return scale.from_ticks(after, seen.type)
