"""Columns that order the rows of a parent: described by the schema, declared, or found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.errors import RuleError
from prefect_synth.synth.metadata import Relationship, Table
from prefect_synth.synth.rules.find_order import own_step
from prefect_synth.synth.rules.increasing import Increasing, in_sequence
from prefect_synth.synth.rules.order import Scale, common_scale
from prefect_synth.synth.rules.outside import of_parent
from prefect_synth.synth.rules.search import FEWEST, Search
from prefect_synth.synth.rules.units import Units, is_moment, plain

_SIZE = 3.0
_TIES = 0.5
_FALLS = 0.1
_NEARER = 0.8


@dataclass(frozen=True)
class _Sequences:
    """A column along the families of its table.

    Args:
        relation: The relation to the parent.
        link: Parent row of each row.
        scale: What the column is counted in.
        units: The column.
        previous: The row before each row of its parent, -1 for the first.
    """

    relation: Relationship
    link: Ints
    scale: Scale
    units: Units
    previous: Ints

    @property
    def steps(self) -> Ints:
        """Steps from row to row."""
        later = np.flatnonzero(self.previous >= 0)
        return np.asarray(self.units.whole[later] - self.units.whole[self.previous[later]])

    @property
    def firsts(self) -> Ints:
        """The first rows."""
        return np.flatnonzero(self.previous < 0)


def increasing_of(search: Search, column: str) -> Increasing:
    """The rule that a column orders the rows of each parent.

    Raises:
        RuleError: The table has no parent that makes its rows, or the column cannot be counted.
    """
    found = _sequences(search, column, in_file=False)
    made = search.family.metadata.tables[search.name].primary_key if search.family else ()
    if found is None or made == (column,):
        raise RuleError(
            f"The rule 'increasing({column})' of table '{search.name}' needs a number, date or "
            "datetime that is in no foreign key and is not the primary key, and a foreign key "
            "whose parents the rows are counted by. Leave it out."
        )
    return _rule(search, column, found)


def bind_sequence(search: Search, table: Table) -> None:
    """Declare what the schema says of the order of rows, where it can be held."""
    column, family = table.sequence_index, search.family
    if column is None or family is None or any(isinstance(r, Increasing) for r in search.found):
        return
    taken = column in {r.target for r in search.found} or table.primary_key == (column,)
    if taken or search.rows.columns[column].null_count:
        return
    found = _sequences(search, column, in_file=False)
    by_key = found and table.sequence_key in (None, *found.relation.child_columns)
    if found is not None and by_key:
        search.declare(_rule(search, column, found))


def find_increasing(search: Search) -> None:
    """Accept the first column by which the rows of all parents stand in order.

    Only where the file has the rows of each parent together: in a file that is sorted by a date as
    a whole the families are in order too, and it says nothing of them.
    """
    if search.family is None or any(isinstance(r, Increasing) for r in search.found):
        return
    used = {c for r in search.found for c in r.inputs}
    for column in search.open([*search.datetimes, *search.numeric]):
        moment = column in search.datetimes
        found = _sequences(search, column, in_file=True)
        if found is None or (column in used and not moment) or not _is_order(found, moment):
            continue
        if search.accept(_rule(search, column, found)):
            return


def _is_order(found: _Sequences, moment: bool) -> bool:
    """Whether it is no chance that the rows of each parent are in order."""
    steps, heads, link = found.steps, found.firsts, found.link
    families = len(np.unique(link))
    together = len(heads) == families == 1 + int((np.diff(link) != 0).sum())
    if not together or families < FEWEST or len(link) < _SIZE * families:
        return False
    falls = found.units.whole[heads[1:]] < found.units.whole[heads[1:] - 1]
    ties = float((steps == 0).mean())
    return bool((steps >= 0).all()) and ties <= _TIES * moment and falls.mean() >= _FALLS


def _sequences(search: Search, column: str, *, in_file: bool) -> _Sequences | None:
    """A column along the families; None where there are none, or it cannot be counted."""
    family = search.family
    ways = [] if family is None else family.metadata.parents(search.name)
    relation = next((r for r in ways if family and r.name == family.primary), None)
    if (
        relation is None
        or family is None
        or column in family.metadata.foreign_key_columns(search.name)
    ):
        return None
    values = search.rows.columns[column]
    scale = common_scale([values])
    if scale is None or (in_file and values.null_count):
        return None
    units, link = scale.read(values), family.links[relation.name]
    order = np.arange(len(link))
    if not in_file:
        order = np.empty(len(link), np.int64)
        order[np.lexsort((units.whole, ~units.valid))] = np.arange(len(link))
    return _Sequences(relation, link, scale, units, in_sequence(link, order)[0])


def _rule(search: Search, column: str, found: _Sequences) -> Increasing:
    values = search.rows.columns[column]
    known = found.units.valid & (found.units.valid[np.maximum(found.previous, 0)])
    later = (found.previous >= 0) & known
    steps = found.units.whole[later] - found.units.whole[found.previous[later]]
    scale = _scale(search, column, found, steps)
    base, after = _base(search, found, scale)
    kind, strict = pa.schema([("v", values.type)]), bool((steps > 0).all())
    relation = found.relation
    return Increasing(
        column, relation.name, relation.child_columns, base, strict, after, scale, kind
    )


def _scale(search: Search, column: str, found: _Sequences, steps: Ints) -> Scale:
    """The scale with the column's own step, where that divides all steps and all values."""
    step = own_step(search, column, found.scale) if found.units.valid.any() else 1
    whole = found.units.whole[found.units.valid]
    fits = not (steps % step).any() and not (whole % step).any()
    return Scale(found.scale.unit, found.scale.decimals, step if fits else 1)


def _base(search: Search, found: _Sequences, scale: Scale) -> tuple[str, bool]:
    """The parent's moment that first rows are nearest to, and whether none is before it."""
    heads, family = found.firsts, search.family
    if family is None or not scale.unit or (found.link < 0).any() or not found.units.valid.all():
        return "", False
    if found.relation not in family.above or not len(heads):
        return "", False
    best, chosen = _NEARER * found.units.whole[heads].astype(float).std(), ("", False)
    parent = family.tables[found.relation.parent]
    for column in parent.column_names:
        if column in found.relation.parent_columns or not is_moment(plain(parent[column]).type):
            continue
        outside = of_parent(found.relation, column)
        values = family.values(outside)
        apart = found.units.whole[heads] - scale.read(values).whole[heads]
        if not values.null_count and apart.astype(float).std() < best:
            best, chosen = apart.astype(float).std(), (outside.name, bool((apart >= 0).all()))
            search.see(outside)
    return chosen
