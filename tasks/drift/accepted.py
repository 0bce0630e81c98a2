"""The catalogue as far as it is accepted: what is held, left out or kept as it was."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from prefect_synth.tasks.drift.changes import Change, Drift
from prefect_synth.tasks.drift.facts import (
    ColumnFacts,
    SchemaFacts,
    TableFacts,
    key_facts,
    without_labels,
)
from prefect_synth.tasks.warehouses.catalogue import (
    Catalogue,
    CatalogueColumn,
    CatalogueTable,
    ForeignKey,
)


def accepted_catalogue(
    catalogue: Catalogue,
    chosen: Mapping[str, CatalogueTable],
    before: SchemaFacts,
    drift: Drift,
) -> Catalogue:
    """The catalogue that a refresh goes by.

    What is held is nulls of its type, what is left out is not there, what is kept is as it was.
    Tables that wait stay in it; `Drift.unread_tables` names them.

    Args:
        catalogue: The warehouse's catalogue as it is.
        chosen: The tables that the project reads, by the names that metadata gives them.
        before: The tables as they were accepted.
        drift: What moved.
    """
    names = {table.path: name for name, table in chosen.items()}
    away = {chosen[name].path: _Away.of(name, drift) for name in chosen}

    def accepted(table: CatalogueTable) -> CatalogueTable:
        name = names.get(table.path)
        if name is None:
            return table
        changes = [c for c in drift.changes if c.table == name and c.effect == "kept"]
        kept = _Kept(catalogue, table, before.get(name), changes)
        return _without(kept.table(), away)

    return replace(catalogue, tables=tuple(map(accepted, catalogue.tables)))


@dataclass(frozen=True)
class _Away:
    """The columns of a table that are not read."""

    held: frozenset[str]
    gone: frozenset[str]

    @classmethod
    def of(cls, name: str, drift: Drift) -> _Away:
        gone = (*drift.left_out_columns.get(name, ()), *drift.excluded_columns.get(name, ()))
        # a column that must not be read is held even where the drift blocks
        blocked = (c.column for c in drift.blocked if c.table == name and c.kind in _UNACCEPTED)
        held = (*drift.held_columns.get(name, ()), *(c for c in blocked if c))
        return cls(frozenset(held) - frozenset(gone), frozenset(gone))

    @property
    def all(self) -> frozenset[str]:
        return self.held | self.gone


_UNACCEPTED = frozenset(
    {"column_added", "column_renamed", "type_changed", "type_widened", "type_narrowed",
     "enum_value_added"}
)  # fmt: skip
"""Kinds of change after which a column holds what nobody has accepted."""


def _without(table: CatalogueTable, away: Mapping[str, _Away]) -> CatalogueTable:
    """The table with its held columns as nulls, and without keys over what is not read."""
    mine = away[table.path]

    def whole(key: ForeignKey) -> bool:
        parent = away.get(f"{key.schema}.{key.table}")
        return not (mine.all & set(key.columns)) and not (
            parent and parent.all & set(key.referred_columns)
        )

    return replace(
        table,
        columns={
            name: _held(column) if name in mine.held else column
            for name, column in table.columns.items()
            if name not in mine.gone
        },
        primary_key=() if mine.all & set(table.primary_key) else table.primary_key,
        unique=tuple(key for key in table.unique if not mine.all & set(key)),
        foreign_keys=tuple(filter(whole, table.foreign_keys)),
    )


def _held(column: CatalogueColumn) -> CatalogueColumn:
    """Nulls of the column's type; not even its labels and its comment are told."""
    return replace(
        column,
        held=True,
        nullable=True,
        categories=None,
        comment=None,
        identity=False,
        source_type=without_labels(column.source_type, "VARCHAR"),
        null_type=column.null_type or column.source_type,
    )


@dataclass(frozen=True)
class _Kept:
    """A table of which some changes are not followed."""

    catalogue: Catalogue
    now: CatalogueTable
    before: TableFacts | None
    changes: Collection[Change]

    def table(self) -> CatalogueTable:
        """The table, as it was in what is kept."""
        if not self.changes or self.before is None:
            return self.now
        kinds = {change.kind for change in self.changes if change.column is None}
        new = {(change.kind, change.new) for change in self.changes}
        default = self.catalogue.default_schema
        return replace(
            self.now,
            columns=self._columns("columns_reordered" in kinds),
            comment=None if "comment_changed" in kinds else self.now.comment,
            primary_key=() if "primary_key_changed" in kinds else self.now.primary_key,
            unique=tuple(
                key for key in self.now.unique if ("unique_key_changed", ", ".join(key)) not in new
            ),
            foreign_keys=tuple(
                key
                for key in self.now.foreign_keys
                if ("foreign_key_changed", str(key_facts(key, default))) not in new
            ),
        )

    def _columns(self, reordered: bool) -> dict[str, CatalogueColumn]:
        known = self.before.by_name if self.before else {}
        columns = {
            name: self._column(column, known[name]) if name in known else column
            for name, column in self.now.columns.items()
        }
        first = [name for name in known if name in columns] if reordered else []
        return {name: columns[name] for name in dict.fromkeys((*first, *columns))}

    def _column(self, column: CatalogueColumn, before: ColumnFacts) -> CatalogueColumn:
        for change in (c for c in self.changes if c.column == column.name):
            if change.kind == "nullability_changed":
                column = replace(column, nullable=True)
            elif change.kind == "comment_changed":
                column = replace(column, comment=None)
            elif change.kind == "default_changed":
                column = replace(column, identity=before.identity)
            elif change.kind == "enum_value_added":
                column = _without_labels(column, before.labels or ())
            elif change.kind == "enum_value_dropped":
                column = _with_labels(column, before.labels or ())
        return column


def _without_labels(column: CatalogueColumn, accepted: Collection[str]) -> CatalogueColumn:
    """An enum whose new labels are read as nulls."""
    labels = column.categories or ()
    new = [label.replace("'", "''") for label in labels if label not in accepted]
    listed = ", ".join(f"'{label}'" for label in new)
    value = f"CASE WHEN CAST({{}} AS varchar) NOT IN ({listed}) THEN {{}} END"
    expression = column.translation.expression.replace("{}", value)
    translation = replace(column.translation, expression=expression)
    left = tuple(label for label in labels if label in accepted)
    return _labelled(replace(column, translation=translation), left)


def _with_labels(column: CatalogueColumn, accepted: Collection[str]) -> CatalogueColumn:
    """An enum that still has the labels that it lost."""
    labels = column.categories or ()
    more = [label for label in labels if label not in accepted]
    return _labelled(column, (*accepted, *more))


def _labelled(column: CatalogueColumn, labels: tuple[str, ...]) -> CatalogueColumn:
    """The column with these labels, also where its type lists them."""
    listed = ", ".join("'{}'".format(label.replace("'", "''")) for label in labels)
    listing = without_labels(column.source_type, f"ENUM({listed})")
    return replace(column, categories=labels, source_type=listing)
