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
from prefect_synth.synth.hierarchy.key_codes import combine, repeated
from prefect_synth.synth.hierarchy.key_links import (
    Reference,
    is_free,
    reference_part,
    references,
    rows_without_null,
    write_links,
)
from prefect_synth.synth.hierarchy.keys import KeyColumns
from prefect_synth.synth.hierarchy.nudging import Columns, Nudger
from prefect_synth.synth.hierarchy.overlap import claims
from prefect_synth.synth.hierarchy.own_parts import Domain, is_bound, tied_columns
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.uniqueness import move, repair
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.rules.ruleset import TableRules
from prefect_synth.synth.rules.units import is_moment, is_number

if TYPE_CHECKING:
    pass


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
    linked = references(keys.metadata, part, key)
    types = {r.when[0] for reference in linked for r, _ in reference if r.when is not None}
    own = [
        c
        for c in key
        if c in drawn.columns[part.name] and c in part.schema.names and c not in types
    ]
    own = [c for c in own if c in part.codec.encoders or part.rules.computing(c) is not None]
    whole = rows_without_null(part, drawn, linked, own)
    if not len(whole):
        return False
    tied = [
        group
        for group in tied_columns(part.rules, [*drawn.columns[part.name]])
        if set(group) & set(own)
    ]
    increasing = part.rules.increasing
    order = TableRules((increasing,) if increasing else ())
    for groups, rules in ((tied, part.rules), ([(c,) for c in own], order)):
        way = _KeyRepair(keys, part, key, linked, groups, rules, whole)
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
        rules: What must hold afterwards.
        rows: The rows whose key has no null.
    """

    def __init__(
        self,
        keys: KeyColumns,
        part: TablePart,
        key: tuple[str, ...],
        linked: Sequence[Reference],
        groups: Sequence[tuple[str, ...]],
        rules: TableRules,
        rows: Ints,
    ) -> None:
        self.rules = rules
        self.part, self.linked, self.groups, self.rows = part, linked, groups, rows
        self.drawn, columns = keys.drawn, keys.drawn.columns[part.name]
        self.first = keys.drawn.fresh.get(part.name, 0)
        self.stay = int(np.searchsorted(rows, self.first))
        self.domains = [
            Domain({c: columns[c] for c in group}, [c for c in group if c in key], rows)
            for group in groups
        ]
        self.parts = [reference_part(keys, reference, rows) for reference in linked]
        self.parts += [domain.part() for domain in self.domains]

    def run(self, rng: np.random.Generator) -> bool:
        """Repair the key, and write what has changed; whether it is unique now."""
        first = len(self.linked)
        links = [i for i in range(first) if is_free(self.part, self.linked, i)]
        links = [i for i in links if not self._is_read(self.linked[i])]
        own = [first + i for i, group in enumerate(self.groups) if self._moves(group)]
        itself = any(r.parent == self.part.name for reference in self.linked for r, _ in reference)
        every = len(own) == len(self.groups) and not itself
        free = [*reversed(links), *reversed(own)]
        self._nudge()
        done = repair(self.parts, free, rng, fillable=every, held=self.stay) or self._park()
        if not (done or self._widen(rng)):
            return False
        rows = self.rows[self.stay :]
        for reference, repaired in zip(self.linked, self.parts, strict=False):
            write_links(self.drawn, reference, repaired.choice[self.stay :], rows)
        for domain, repaired in zip(self.domains, self.parts[first:], strict=True):
            written = domain.write(repaired.choice[self.stay :], rows)
            self.drawn.columns[self.part.name].update(written)
        return True

    def is_unique(self) -> bool:
        """Whether no two rows are equal in the key."""
        return not len(repeated([p.row_codes for p in self.parts]))

    def _is_read(self, reference: Reference) -> bool:
        """Whether a rule computes what is held from this parent."""
        held = self.drawn.columns[self.part.name]
        read = {c for r in self.rules.rules if r.target in held for c in r.inputs}
        through = {o.relation for o in self.part.rules.outside if o.name in read}
        return any(r.name in through for r, _ in reference)

    def _moves(self, group: tuple[str, ...]) -> bool:
        """Whether the columns may be exchanged between rows."""
        return not is_bound(self.rules, group) and not set(group) <= set(self.drawn.held)

    def _others(self, index: int) -> list[Ints]:
        return [p.row_codes for i, p in enumerate(self.parts) if i != len(self.linked) + index]

    def _nudge(self) -> None:
        """Move rows of tied columns by a few days: others would be torn from the rest by it."""
        for index, group in enumerate(self.groups):
            tied = len(group) > 1 or is_bound(self.rules, group)
            if tied and not set(group) & set(self.drawn.held):
                self._put(index, self._nudger(index).nudge())

    def _park(self) -> bool:
        """Move dates or numbers up in rows that still repeat, as far as need be."""
        for index, group in enumerate(self.groups):
            held = set(group) & set(self.drawn.held)
            moved = None if held else self._nudger(index).park()
            if moved is not None:
                self._put(index, moved)
                return True
        return False

    def _nudger(self, index: int) -> Nudger:
        group, domain = self.groups[index], self.domains[index]
        choice = self.parts[len(self.linked) + index].choice
        bound = is_bound(self.rules, group)
        others = self._others(index)
        columns, key = domain.of(choice), domain.key
        return Nudger(columns, key, others, self.rules, upwards=bound, held=self.stay)

    def _put(self, index: int, columns: Columns) -> None:
        self.domains[index].put(columns)
        self.parts[len(self.linked) + index] = self.domains[index].part()

    def _widen(self, rng: np.random.Generator) -> bool:
        """Use categories that were not drawn; let dates and numbers run on beyond the largest."""
        for index, (group, domain) in enumerate(zip(self.groups, self.domains, strict=True)):
            if len(group) > 1 or not self._moves(group):
                continue
            at, others = len(self.linked) + index, self._others(index)
            needed = int(np.bincount(combine([self.rows * 0, *others])).max())
            domain.extend(_more_values(self.part, group[0], domain.values[group[0]], needed))
            self.parts[at].codes = domain.codes
            move(self.parts, at, rng, in_order=True)
            if self.is_unique():
                return True
        return False


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
