"""What the catalogue says of each table, in a form that may be committed: names, types, hashes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, model_validator

from prefect_synth.tasks.references import fingerprint
from prefect_synth.tasks.warehouses.catalogue import (
    Catalogue,
    CatalogueColumn,
    CatalogueTable,
    ForeignKey,
)

_LABELS = re.compile(r"ENUM\((?:'(?:[^']|'')*'(?:,\s*)?)*\)", re.IGNORECASE)
"""How DuckDB writes an enum: with its labels, and without a name."""


class Facts(BaseModel):
    """A part of what the catalogue says; nothing unknown is accepted."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnFacts(Facts):
    """A column.

    Args:
        name: Its name.
        type: The type as the warehouse writes it; `enum` where it only lists the labels, of
            which a type that has them inside holds a hash.
        nullable: Whether it may hold nulls.
        labels: The labels of an enum, in order.
        identity: Whether the database counts its values up.
        default: Hash of the default's SQL, which may quote a real value.
        comment: Hash of the comment.
    """

    name: str
    type: str
    nullable: bool = True
    labels: tuple[str, ...] | None = None
    identity: bool = False
    default: str | None = None
    comment: str | None = None


class ForeignKeyFacts(Facts):
    """A foreign key.

    Args:
        columns: Its columns.
        table: The table that it refers to, with its schema unless that is the default one.
        referred: The columns there.
    """

    columns: tuple[str, ...]
    table: str
    referred: tuple[str, ...]

    def refers_to(self, name: str) -> bool:
        """Whether it refers to the table that metadata calls `name`, as far as names tell."""
        same = name == self.table
        return same or name.endswith(f".{self.table}") or self.table.endswith(f".{name}")

    def __str__(self) -> str:
        return f"{', '.join(self.columns)} -> {self.table}.{', '.join(self.referred)}"


class TableFacts(Facts):
    """A table.

    Args:
        columns: Its columns in the warehouse's order.
        primary_key: Column names; empty where there is none.
        unique: Further unique keys.
        foreign_keys: Its foreign keys.
        comment: Hash of the comment.
    """

    columns: tuple[ColumnFacts, ...]
    primary_key: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ForeignKeyFacts, ...] = ()
    comment: str | None = None

    @model_validator(mode="after")
    def _names_are_unique(self) -> TableFacts:
        names = [column.name for column in self.columns]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"has the column '{twice}' twice")
        return self

    @property  # not cached: a copy with other columns would take the cache along
    def by_name(self) -> Mapping[str, ColumnFacts]:
        """Column by name, in order."""
        return {column.name: column for column in self.columns}

    @property
    def key_columns(self) -> frozenset[str]:
        """The columns of all its keys."""
        return frozenset(
            (
                *self.primary_key,
                *(column for key in self.unique for column in key),
                *(column for key in self.foreign_keys for column in key.columns),
            )
        )

    @property
    def fingerprint(self) -> str:
        """A hash of all of it."""
        return fingerprint(self.model_dump(mode="json"))


SchemaFacts = Mapping[str, TableFacts]
"""Tables by the name that metadata gives them."""


def schema_facts(catalogue: Catalogue, chosen: Mapping[str, CatalogueTable]) -> SchemaFacts:
    """What the catalogue says of the chosen tables.

    Args:
        catalogue: The warehouse's catalogue.
        chosen: Table by the name that metadata gives it.
    """
    return {name: _table(table, catalogue.default_schema) for name, table in chosen.items()}


def schema_fingerprint(facts: SchemaFacts) -> str:
    """One hash of all tables, whatever their order."""
    return fingerprint({name: facts[name].fingerprint for name in sorted(facts)})


def referred_name(key: ForeignKey, default_schema: str) -> str:
    """The table that a foreign key refers to, with its schema unless that is the default one."""
    return key.table if key.schema == default_schema else f"{key.schema}.{key.table}"


def key_facts(key: ForeignKey, default_schema: str) -> ForeignKeyFacts:
    """What a foreign key of the catalogue says."""
    name = referred_name(key, default_schema)
    return ForeignKeyFacts(columns=key.columns, table=name, referred=key.referred_columns)


def _table(table: CatalogueTable, default_schema: str) -> TableFacts:
    keys = {key_facts(key, default_schema) for key in table.foreign_keys}
    return TableFacts(
        columns=tuple(map(_column, table.columns.values())),
        primary_key=table.primary_key,
        unique=tuple(sorted(set(table.unique))),
        foreign_keys=tuple(sorted(keys, key=str)),
        comment=hashed(table.comment),
    )


def _column(column: CatalogueColumn) -> ColumnFacts:
    listed = column.categories is not None and column.source_type.upper().startswith("ENUM(")
    return ColumnFacts(
        name=column.name,
        type="enum" if listed else _told(column.source_type),
        nullable=column.nullable,
        labels=column.categories,
        identity=column.identity,
        default=hashed(column.default),
        comment=hashed(column.comment),
    )


def without_labels(source_type: str, instead: str) -> str:
    """A type as it is written, with `instead` for every list of an enum's labels in it.

    Example:
        >>> without_labels("ENUM('it''s, (a)', 'b')[]", "VARCHAR")
        'VARCHAR[]'
    """
    return _LABELS.sub(lambda _: instead, source_type)


def _told(source_type: str) -> str:
    """A type that may be told: of labels inside it, which may quote real values, a hash."""
    return _LABELS.sub(lambda listed: f"enum #{hashed(listed[0])}", source_type)


def hashed(text: str | None) -> str | None:
    """What stands for a text that must not be told; None where there is none."""
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()[:16]
