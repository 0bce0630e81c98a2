"""A selection as SQL: read-only queries alone, no temporary tables.

Keys are gathered in common table expressions, each at most once: `down_N` holds the keys of the
rows that table N's own rule chooses, `full_N` adds those that selected rows refer to. Tables that
refer to each other in a circle, or to themselves, are closed together by one recursive expression.
Every branch is a plain semi-join, which engines hash and spill; OR between subqueries is not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from prefect_synth.synth.metadata import Relationship
from prefect_synth.tasks.warehouses.catalogue import quote
from prefect_synth.tasks.warehouses.selection import Selection


@dataclass(frozen=True)
class Chosen:
    """The rows of one table: what to put before SELECT, and after WHERE."""

    ctes: tuple[str, ...] = ()
    where: str = ""

    @property
    def prefix(self) -> str:
        """`WITH RECURSIVE ...`, or nothing."""
        return f"WITH RECURSIVE {', '.join(self.ctes)} " if self.ctes else ""

    @property
    def suffix(self) -> str:
        """` WHERE ...`, or nothing."""
        return f" WHERE {self.where}" if self.where else ""


def choose_rows(
    selection: Selection,
    table: str,
    relations: Mapping[str, str],
    collation: str = "",
    held: Mapping[str, Collection[str]] | None = None,
) -> Chosen:
    """The SQL that chooses the rows of `table`.

    Args:
        selection: What is chosen.
        table: The table whose rows are wanted.
        relations: The quoted SQL name of each table.
        collation: Appended to hashes, so that they compare by bytes (` COLLATE "C"`).
        held: By table, columns whose values must not be read; none of them is part of a key.
    """
    query = _Query(selection, relations, collation, held or {})
    where = query.where(table)
    return Chosen(tuple(query.ctes.values()), where)


class _Query:
    """Builds the expressions that one table needs, each after those it rests on."""

    def __init__(
        self,
        selection: Selection,
        relations: Mapping[str, str],
        collation: str,
        held: Mapping[str, Collection[str]],
    ) -> None:
        self.ctes: dict[str, str] = {}
        self._rules = selection.rules
        self._metadata = selection.metadata
        self._relations = relations
        self._collation = collation
        self._held = held
        self._number = {name: number for number, name in enumerate(selection.metadata.tables)}
        self._circle = _circles(selection)
        self._adds: dict[Relationship, bool] = {}

    def where(self, table: str) -> str:
        """The condition on the rows of `table`; empty where all are read."""
        if self._rules[table].kind == "all":
            return ""
        key = self._key(table)
        if table in self._circle or self._adding(table):
            return _in(key, self._full(table), key)
        branches = self._branches(table)
        if len(branches) > 1 and key:
            return _in(key, self._down(table), key)
        return " OR ".join(f"({branch})" for branch in branches) or "FALSE"

    def _branches(self, table: str) -> list[str]:
        """The conditions, one for each way in, that a table's own rule makes."""
        rule = self._rules[table]
        if rule.kind == "all":
            return ["TRUE"]
        if rule.kind == "referenced":
            return []
        if rule.kind == "hashed":
            return [self._lowest(table)]
        branches, nulls = [], ""
        for driver in rule.drivers:
            down = self._down(driver.parent)
            branches.append(nulls + _in(driver.child_columns, down, driver.parent_columns))
            nullable = [
                c for c in driver.child_columns if self._metadata.tables[table].columns[c].nullable
            ]
            if not nullable:
                return branches
            nulls += f"({' OR '.join(f'{quote(c)} IS NULL' for c in nullable)}) AND "
        return [*branches, nulls + self._lowest(table)]

    def _lowest(self, table: str) -> str:
        """The rows whose own hash is among the lowest."""
        digest, relation = self._digest(table), self._relations[table]
        ranked = f"SELECT {digest} AS h FROM {relation} ORDER BY h LIMIT {self._rules[table].rows}"
        return f"{digest} <= (SELECT max(h) FROM ({ranked}) AS ranked)"

    def _digest(self, table: str) -> str:
        held = self._held.get(table, ())
        every = (c for c in self._metadata.tables[table].columns if c not in held)
        columns = self._key(table) or tuple(every)
        parts = ", ".join(f"CAST({quote(c)} AS varchar)" for c in columns)
        return f"md5(concat_ws('|', {parts})){self._collation}"

    def _key(self, table: str) -> tuple[str, ...]:
        """The columns that tell rows apart, or that others refer to; empty where there are none."""
        known = self._metadata.tables[table]
        unique = [k for k in known.unique if not any(known.columns[c].nullable for c in k)]
        referred = [r.parent_columns for r in self._metadata.children(table)]
        return known.primary_key or next(iter((*unique, *referred)), ())

    def _keys(self, table: str) -> str:
        """The columns of `table` that an expression must hand on."""
        names = dict.fromkeys(self._key(table))
        for r in self._metadata.relationships:
            names |= dict.fromkeys(r.child_columns if r.child == table else ())
            names |= dict.fromkeys(r.parent_columns if r.parent == table else ())
        return ", ".join(map(quote, names))

    def _down(self, table: str) -> str:
        return self._expression("down", table, self._branches(table))

    def _full(self, table: str) -> str:
        if table in self._circle:
            closure = self._closure(self._circle[table])
            key = _encoded(self._key(table))
            chosen = f"SELECT row_key FROM {closure} WHERE row_table = {self._number[table]}"
            return self._expression("full", table, [f"{key} IN ({chosen})"])
        return self._expression("full", table, self._all_branches(table))

    def _all_branches(self, table: str) -> list[str]:
        """The own rule's ways in, and one for each relationship that adds rows."""
        if self._rules[table].kind == "all":
            return ["TRUE"]
        inside = self._circle.get(table, frozenset())
        added = [
            _in(r.parent_columns, self._full(r.child), r.child_columns)
            for r in self._adding(table)
            if r.child not in inside
        ]
        return [*self._branches(table), *added]

    def _adding(self, table: str) -> list[Relationship]:
        return [r for r in self._metadata.children(table) if self._adds_rows(r)]

    def _adds_rows(self, r: Relationship) -> bool:
        """Whether the child's rows may refer to parents that are not chosen already."""
        if r not in self._adds:
            rule = self._rules[r.child]
            follows = rule.kind == "follows" and rule.drivers[0] == r
            self._adds[r] = not follows or r.child in self._circle or bool(self._adding(r.child))
        return self._adds[r]

    def _closure(self, circle: frozenset[str]) -> str:
        """All rows that a circle of tables needs, as (table number, encoded key)."""
        name = f"closure_{min(self._number[table] for table in circle)}"
        if name not in self.ctes:
            tables = sorted(circle, key=self._number.__getitem__)
            seeds = [self._seed(t, where) for t in tables for where in self._all_branches(t)]
            inside = [r for r in self._metadata.relationships if {r.child, r.parent} <= circle]
            edges = " UNION ALL ".join(map(self._edge, inside))
            self.ctes[f"{name}_edges"] = f"{name}_edges AS ({edges})"
            self.ctes[name] = (
                f"{name}(row_table, row_key) AS ({' UNION '.join(seeds)} UNION "
                f"SELECT e.parent_table, e.parent_key FROM {name} AS c JOIN {name}_edges AS e "
                "ON e.child_table = c.row_table AND e.child_key = c.row_key)"
            )
        return name

    def _seed(self, table: str, where: str) -> str:
        key = _encoded(self._key(table))
        return f"SELECT {self._number[table]}, {key} FROM {self._relations[table]} WHERE {where}"

    def _edge(self, r: Relationship) -> str:
        pairs = zip(r.child_columns, r.parent_columns, strict=True)
        joined = " AND ".join(f"c.{quote(a)} = p.{quote(b)}" for a, b in pairs)
        child, parent = (_encoded(self._key(t), a) for t, a in ((r.child, "c."), (r.parent, "p.")))
        return (
            f"SELECT {self._number[r.child]} AS child_table, {child} AS child_key, "
            f"{self._number[r.parent]} AS parent_table, {parent} AS parent_key "
            f"FROM {self._relations[r.child]} AS c "
            f"JOIN {self._relations[r.parent]} AS p ON {joined}"
        )

    def _expression(self, kind: str, table: str, branches: Iterable[str]) -> str:
        name = f"{kind}_{self._number[table]}"
        if name not in self.ctes:
            select = f"SELECT {self._keys(table)} FROM {self._relations[table]} WHERE "
            body = " UNION ".join(select + where for where in branches) or f"{select}FALSE"
            self.ctes[name] = f"{name} AS ({body})"
        return name


def _in(columns: Iterable[str], cte: str, among: Iterable[str]) -> str:
    left, right = (", ".join(map(quote, names)) for names in (columns, among))
    return f"({left}) IN (SELECT {right} FROM {cte})"


def _encoded(columns: tuple[str, ...], alias: str = "") -> str:
    """One text for the key; lengths keep ('a', 'bc') apart from ('ab', 'c')."""
    texts = [f"CAST({alias}{quote(c)} AS varchar)" for c in columns]
    if len(texts) == 1:
        return texts[0]
    joined = " || ".join(f"CAST(length({t}) AS varchar) || ':' || {t}" for t in texts)
    return f"CAST({joined} AS varchar)"


def _circles(selection: Selection) -> dict[str, frozenset[str]]:
    """For each table that can reach itself by foreign keys, the tables on its circles."""
    parents = {
        name: {r.parent for r in selection.metadata.parents(name)}
        for name in selection.metadata.tables
    }
    above = {name: _reach(name, parents) for name in parents}
    return {
        name: frozenset(other for other in above[name] if name in above[other])
        for name in parents
        if name in above[name]
    }


def _reach(start: str, parents: Mapping[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    level = {start}
    while level:
        level = {parent for name in level for parent in parents[name]} - reached
        reached |= level
    return reached
