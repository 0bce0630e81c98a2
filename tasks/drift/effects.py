"""What comes of a change: its policy, and what quarantine can do about it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from prefect_synth.tasks.drift.changes import Change, Effect
from prefect_synth.tasks.drift.facts import SchemaFacts, TableFacts
from prefect_synth.tasks.drift.policies import DriftPolicies
from prefect_synth.tasks.warehouses.catalogue import CatalogueTable

_TYPES = frozenset({"type_widened", "type_narrowed", "type_changed"})
_AWAY = frozenset({"held", "left out"})
_KEYS = frozenset({"primary_key_changed", "unique_key_changed", "foreign_key_changed"})


@dataclass(frozen=True)
class Weighing:
    """What effects are told from.

    Args:
        before: The tables as they were accepted.
        now: The tables as they are.
        chosen: The same as the catalogue has them.
        policies: What the project file says.
    """

    before: SchemaFacts
    now: SchemaFacts
    chosen: Mapping[str, CatalogueTable]
    policies: DriftPolicies

    def weigh(self, changes: tuple[Change, ...]) -> tuple[Change, ...]:
        """Give every change its policy and its effect."""
        weighed = tuple(self._weighed(change) for change in changes)
        weighed = _no_table_without_columns(weighed, self.now)
        away = {
            name: {c.column for c in weighed if c.table == name and c.effect in _AWAY}
            for name in self.now
        }
        waiting = {change.table for change in weighed if change.effect == "waits"}
        return tuple(
            change.model_copy(update={"effect": "kept"})
            if change.effect == "followed" and self._waits(change, away, waiting)
            else change
            for change in weighed
        )

    def _waits(
        self, change: Change, away: Mapping[str, set[str | None]], waiting: Collection[str]
    ) -> bool:
        """Whether a new key is over what is not there yet, so that it waits with it."""
        if change.kind not in _KEYS or change.new is None:
            return False
        table, mine = self.now[change.table], away[change.table]
        if change.kind == "foreign_key_changed":
            [key] = [key for key in table.foreign_keys if str(key) == change.new]
            gone = any(key.refers_to(n) and away[n] & set(key.referred) for n in away)
            return bool(mine & set(key.columns) or gone or any(map(key.refers_to, waiting)))
        keys = [*table.unique, table.primary_key]
        return any(mine & set(key) for key in keys if ", ".join(key) == change.new)

    def _weighed(self, change: Change) -> Change:
        policy = self.policies.of(change.kind)
        effects: dict[str, Effect] = {"block": "blocks", "evolve": "followed"}
        effect = effects.get(policy) or self._quarantined(change)
        return change.model_copy(update={"policy": policy, "effect": effect})

    def _quarantined(self, change: Change) -> Effect:
        """What stays of a change that is to wait; it blocks where nothing can be held back."""
        if change.kind in ("table_added", "table_renamed"):
            return "waits"
        if change.kind in ("columns_reordered", "comment_changed", "default_changed"):
            return "kept"
        if change.kind in _KEYS:
            return "kept" if change.old is None else "blocks"  # a lost promise cannot be kept
        if change.column is None or change.table not in self.now:
            return "blocks"
        return self._column(change, change.column, self.now[change.table])

    def _column(self, change: Change, name: str, table: TableFacts) -> Effect:
        if change.kind in ("column_added", "column_renamed"):
            return self._held(change.table, name, table)
        if change.kind in _TYPES:
            known = name in self.before[change.table].key_columns or self._referred(change, name)
            return "blocks" if known else self._held(change.table, name, table)
        if change.kind == "nullability_changed":
            relaxed = table.by_name[name].nullable or name in table.primary_key
            return "blocks" if relaxed else "kept"
        if change.kind == "enum_value_dropped":
            return "kept"
        if change.kind == "enum_value_added":
            free = table.by_name[name].nullable and name not in table.key_columns
            # a label with braces could not be told apart in the SQL that leaves it out
            return "kept" if free and "{" not in (change.new or "") else "blocks"
        return "blocks"

    def _held(self, table: str, name: str, facts: TableFacts) -> Effect:
        if name in facts.primary_key:
            return "blocks"
        column = self.chosen[table].columns[name]
        return "held" if column.nullable and column.translation.arrow is not None else "left out"

    def _referred(self, change: Change, name: str) -> bool:
        return any(
            key.refers_to(change.table) and name in key.referred
            for table in self.before.values()
            for key in table.foreign_keys
        )


def _no_table_without_columns(changes: tuple[Change, ...], now: SchemaFacts) -> tuple[Change, ...]:
    """A table of which nothing would be left blocks."""
    left: dict[str, set[str]] = {name: set(table.by_name) for name, table in now.items()}
    for change in changes:
        if change.effect == "left out" and change.column:
            left[change.table].discard(change.column)
    return tuple(
        change.model_copy(update={"effect": "blocks"})
        if change.effect == "left out" and not left[change.table]
        else change
        for change in changes
    )
