"""The search for the rules of one table: its columns as numbers, a sample, and what is found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.errors import RuleError
from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.synth.rules.outside import Outside, outside_values
from prefect_synth.synth.rules.repaired import may_be_pushed, repaired_columns, tied_to
from prefect_synth.synth.rules.rule import Derivation, Rows, Rule, leftovers
from prefect_synth.synth.rules.ruleset import TableRules
from prefect_synth.synth.rules.units import (
    Units,
    is_comparable,
    is_moment,
    is_number,
    numbers,
    plain,
)

FEWEST = 20
"""Rows that a rule must be seen on."""
_LOOKED_AT = 400
_ODD = 20


@dataclass(frozen=True)
class Family:
    """The real tables around the one that is searched.

    Args:
        metadata: The schema.
        tables: All rows of all tables.
        links: Parent row of each row, by relation.
        above: Relations to parents that are chosen before the rows are drawn, one a parent table.
        below: Relations from children, one a child table.
        primary: Name of the relation whose parents' numbers of children make the rows.
        units: The person that each row of the table belongs to, where people are known.
    """

    metadata: Metadata
    tables: Mapping[str, pa.Table]
    links: Mapping[str, Ints]
    above: tuple[Relationship, ...]
    below: tuple[Relationship, ...]
    primary: str | None = None
    units: Ints | None = None

    def values(self, outside: Outside) -> pa.Array:
        """What the rows see of another table."""
        return outside_values(outside, self.metadata, self.tables, self.links)


@dataclass
class Search:
    """One table while its rules are looked for.

    Args:
        name: The table.
        rows: All its rows.
        free: Columns that may be a rule's target or input: no keys, nothing made up.
        relations: Foreign keys that may be determinants, as the project file has them, by relation.
        schema: The table's own types; those of `rows` are plainer.
        keys: Columns of any key.
        repaired: Free columns of keys that repairs make unique after sampling.
        family: The tables around, where there are any.
        outside: What accepted or tried rules read of them.
        found: Accepted rules.
    """

    name: str
    rows: Rows
    free: list[str]
    relations: Mapping[str, str]
    schema: pa.Schema
    keys: frozenset[str] = frozenset()
    repaired: frozenset[str] = frozenset()
    family: Family | None = None
    outside: list[Outside] = field(default_factory=list)
    found: list[Rule] = field(default_factory=list)
    _units: dict[str, Units | None] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        metadata: Metadata,
        name: str,
        table: pa.Table,
        codes: Mapping[str, Ints],
        family: Family | None = None,
    ) -> Search:
        """The search in `table`, whose foreign keys with `codes` may be determinants."""
        known = metadata.tables[name]
        keys = metadata.key_columns(name) | {c for key in known.unique for c in key}
        repaired = repaired_columns(metadata, name)
        used = {c for r in metadata.children(name) for c in r.parent_columns}
        used |= {r.when[0] for r in metadata.parents(name) if r.when is not None}
        columns = {c: plain(table[c]) for c in table.column_names}
        free = [
            c.name
            for c in known.columns.values()
            if c.name not in (keys - repaired) | used
            and not c.is_generated
            and c.sdtype != "text"
            and is_comparable(columns[c.name].type)
        ]
        parents = {
            r.name: ", ".join(r.child_columns) for r in metadata.parents(name) if r.name in codes
        }
        own = {r: codes[r] for r in parents}
        people = None if family is None else family.units
        rows, taken = Rows(columns, own, len(table), people), frozenset(keys | used)
        repaired &= set(free)
        return cls(name, rows, free, parents, table.schema, taken, repaired, family)

    def see(self, outside: Outside) -> pa.Array:
        """What the rows see of another table; it stands beside their own columns from now on."""
        assert self.family is not None  # noqa: S101 - there is something outside
        if outside.name not in self.rows.columns:
            self.rows.columns[outside.name] = self.family.values(outside)
            self.outside.append(outside)
        return self.rows.columns[outside.name]

    @property
    def determined(self) -> set[str]:
        """Columns that a rule computes."""
        return {r.target for r in self.found if isinstance(r, Derivation) or _replaces(r)}

    def open(self, columns: Iterable[str]) -> list[str]:
        """Those of `columns` that no rule computes yet."""
        done = self.determined
        return [c for c in columns if c not in done]

    def depends(self, column: str) -> set[str]:
        """The columns that `column` is computed from, at any remove."""
        inputs = {r.target: set(r.inputs) for r in self.found}
        seen: set[str] = set()
        waiting = [column]
        while waiting:
            new = inputs.get(waiting.pop(), set()) - seen
            seen |= new
            waiting += new
        return seen

    def accept(self, rule: Rule, *, nearly: bool = False) -> bool:
        """Keep a rule that holds on every row and closes no circle, with what it leaves open.

        Args:
            rule: The rule.
            nearly: Whether it is known to hold but for a few rows.
        """
        if any(rule.target == r.target for r in self.found) or any(
            rule.target == c or rule.target in self.depends(c) for c in rule.inputs
        ):
            return False
        if self._is_out_of_reach(rule):
            return False
        if not nearly and not rule.holds(self.rows).all():
            return False
        if isinstance(rule, Derivation):
            rest, gap = leftovers(rule.computed(self.rows), self.rows.columns[rule.target])
            changed: Any = rule
            rule = replace(changed, rest=rest, gap=gap)
        self.found.append(rule)
        return True

    def _is_out_of_reach(self, rule: Rule) -> bool:
        """Whether a repair of keys could break a rule that reads other tables."""
        target = self.rows.columns[rule.target].type
        if rule.target in self.repaired and not (rule.inputs and _has_order(target)):
            return True  # what it could be exchanged for must stay known
        rules = [*self.found, rule]
        tied = tied_to(self.repaired, rules)
        changing = {o.name for o in self.outside if self._is_repaired(o)}
        return rule.target in tied and any(
            not may_be_pushed(r) or changing & set(r.inputs) for r in rules if r.target in tied
        )

    def _is_repaired(self, outside: Outside) -> bool:
        assert self.family is not None  # noqa: S101 - there is something outside
        metadata = self.family.metadata
        parent = next(r.parent for r in metadata.relationships if r.name == outside.relation)
        return bool(repaired_columns(metadata, parent))

    def declare(self, rule: Rule) -> None:
        """Keep a declared rule, whatever the rows say, with what it leaves open.

        Raises:
            RuleError: The rule closes a circle with another.
        """
        for column in rule.inputs:
            if rule.target == column or rule.target in self.depends(column):
                other = next((r for r in self.found if r.target == column), rule)
                raise RuleError(
                    f"The rules '{other.text()}' and '{rule.text()}' of table '{self.name}' "
                    f"contradict each other: '{rule.target}' would follow from itself. Leave one "
                    "of them out."
                )
        if isinstance(rule, Derivation):
            rest, gap = leftovers(rule.computed(self.rows), self.rows.columns[rule.target])
            changed: Any = rule
            rule = replace(changed, rest=rest, gap=gap)
        self.found.append(rule)

    def result(self) -> TableRules:
        """The rules in force, each after those that restore its inputs."""
        targets = dict.fromkeys(r.target for r in self.found)
        kinds = pa.schema([self.schema.field(t) for t in targets])
        read = {c for rule in self.found for c in rule.inputs}
        outside = tuple(o for o in self.outside if o.name in read)
        return TableRules(tuple(in_order(self.found)), kinds, outside)

    def units(self, column: str) -> Units | None:
        """A number column in whole units; None for what is no number."""
        if column not in self._units:
            self._units[column] = numbers(self.rows.columns[column])
        return self._units[column]

    @cached_property
    def numeric(self) -> list[str]:
        """Free columns of numbers that are not all one."""
        return [c for c in self.free if self._varies(c)]

    @cached_property
    def datetimes(self) -> list[str]:
        """Free columns of dates and datetimes."""
        return [c for c in self.free if is_moment(self.rows.columns[c].type)]

    @cached_property
    def sample(self) -> Ints:
        """Some rows, and for each number some in which it is not what it mostly is."""
        rng = np.random.Generator(np.random.Philox(key=0))
        rows = self.rows.length
        some = [rng.permutation(rows)[:_LOOKED_AT] if rows > _LOOKED_AT else np.arange(rows)]
        if rows > _LOOKED_AT:
            for column in self.numeric:
                units = self.units(column)
                assert units is not None  # noqa: S101 - numeric
                usual = int(np.median(units.whole[units.valid]))
                odd = np.flatnonzero((units.whole != usual) & units.valid)
                some.append(odd[rng.integers(0, len(odd), _ODD)])
        return np.unique(np.concatenate(some))

    def _varies(self, column: str) -> bool:
        units = self.units(column)
        if units is None or units.valid.sum() < FEWEST:
            return False
        known = units.whole[units.valid]
        return bool((known != known[0]).any())


def in_order(rules: Iterable[Rule]) -> list[Rule]:
    """Each rule after those whose targets it reads; as given where that leaves a choice."""
    waiting, ordered = list(rules), list[Rule]()
    while waiting:
        targets = {r.target for r in waiting}
        ready = [r for r in waiting if not (targets - {r.target}) & set(r.inputs)]
        ordered += ready
        waiting = [r for r in waiting if r not in ready]
        if not ready:
            raise ValueError(f"circle among {sorted(targets)}")
    return ordered


def _has_order(kind: pa.DataType) -> bool:
    return is_moment(kind) or is_number(kind)


def _replaces(rule: Rule) -> bool:
    return getattr(rule, "determines", False)
