"""An audit that every synthetic copy must pass, and small tables to make copies of."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.hierarchy.links import ORPHAN, parent_rows
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table

Tables = dict[str, pa.Table]
Audit = Callable[[Metadata, Mapping[str, pa.Table], Mapping[str, pa.Table]], None]


def audit_tables(
    metadata: Metadata, real: Mapping[str, pa.Table], synthetic: Mapping[str, pa.Table]
) -> None:
    """Assert schema, NOT NULL, unique keys and foreign keys on every row."""
    assert set(synthetic) == set(metadata.tables)
    for name, table in metadata.tables.items():
        made = synthetic[name]
        assert made.schema.equals(real[name].schema, check_metadata=True), name
        made.validate(full=True)
        for column in table.columns.values():
            if not column.nullable or column.name in table.primary_key:
                assert made[column.name].null_count == 0, f"{name}.{column.name} has nulls"
        for key in (table.primary_key, *table.unique):
            assert repeats(made, key) == 0, f"{name}.{key} repeats"
    for relation in metadata.relationships:
        links = parent_rows(synthetic[relation.child], synthetic[relation.parent], relation)
        assert int((links == ORPHAN).sum()) == 0, f"{relation} has orphans"


def repeats(table: pa.Table, key: tuple[str, ...]) -> int:
    """Rows whose key, without any null in it, stands in another row."""
    if not key:
        return 0
    whole = table.select(list(key)).to_pandas().dropna()
    return int(whole.duplicated().sum())


def describe(
    keys: Mapping[str, str],
    tables: Mapping[str, pa.Table],
    relations: list[str],
    unique: Mapping[str, list[str]] | None = None,
    **columns: Column,
) -> Metadata:
    """Metadata in shorthand: `{"orders": "id"}`, `["orders.customer -> customers.id"]`.

    Columns are `id` in keys and relations, else numerical, datetime or categorical by type; a
    column is nullable where its Arrow field is.
    """
    links = [_relation(text) for text in relations]
    made = {}
    for name, table in tables.items():
        used = {c for r in links for c in _columns_of(r, name)} | set(_names(keys.get(name, "")))
        made[name] = Table(
            name,
            {
                f.name: columns.get(f"{name}__{f.name}", _column(f, f.name in used))
                for f in table.schema
            },
            _names(keys.get(name, "")),
            tuple(_names(key) for key in (unique or {}).get(name, [])),
        )
    return Metadata(made, tuple(links))


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _relation(text: str) -> Relationship:
    child, parent = (side.strip().split(".", 1) for side in text.split("->"))
    return Relationship(
        child[0], _names(child[1].strip("()")), parent[0], _names(parent[1].strip("()"))
    )


def _columns_of(relation: Relationship, table: str) -> tuple[str, ...]:
    child = relation.child_columns if relation.child == table else ()
    return child + (relation.parent_columns if relation.parent == table else ())


def _column(field: pa.Field, in_key: bool) -> Column:
    kind = field.type
    if in_key:
        sdtype = "id"
    elif pa.types.is_boolean(kind):
        sdtype = "boolean"
    elif pa.types.is_temporal(kind):
        sdtype = "datetime"
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        sdtype = "numerical"
    else:
        sdtype = "categorical"
    return Column(field.name, sdtype, nullable=field.nullable)


def strict(table: pa.Table, *nullable: str) -> pa.Table:
    """The same table with NOT NULL on all columns but `nullable`."""
    fields = [f.with_nullable(f.name in nullable) for f in table.schema]
    return table.cast(pa.schema(fields, table.schema.metadata))


@pytest.fixture(scope="session")
def audit() -> Audit:
    """The audit of all structural promises."""
    return audit_tables


@pytest.fixture(scope="session")
def schema_of() -> Callable[..., Metadata]:
    """Metadata in shorthand."""
    return describe


@pytest.fixture(scope="session")
def not_null() -> Callable[..., pa.Table]:
    """A table whose columns, but the named ones, are NOT NULL."""
    return strict


@pytest.fixture(scope="session")
def copy() -> Callable[..., Tables]:
    """Fit and sample, audited."""

    def copied(
        metadata: Metadata, tables: Mapping[str, pa.Table], scale: float = 1.0, **settings: object
    ) -> Tables:
        made = HMASynthesizer(metadata, **settings).fit(tables).sample(scale)
        audit_tables(metadata, tables, made)
        return made

    return copied


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every test."""
    return np.random.default_rng(20)


def bytes_below(folder: Path) -> bytes:
    """All bytes that the files of a stored model hold, with its Arrow arrays as they are."""
    files = [p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()]
    arrow = [base64.b64decode(t) for f in files for t in re.findall(rb'"\$values": ?"(.*?)"', f)]
    return b"".join(files + arrow)


@pytest.fixture
def stored_bytes() -> Callable[[Path], bytes]:
    """Reads whatever a model's folder holds."""
    return bytes_below
