"""The diagnostic score: whether synthetic tables are valid, by SDMetrics' definitions.

SDMetrics 0.32's DiagnosticReport: Data Validity (KeyUniqueness, BoundaryAdherence,
CategoryAdherence), Data Structure (TableStructure) and Relationship Validity (ReferentialIntegrity,
CardinalityBoundaryAdherence). Formats of dates and of ids are left to the expectations, and
composite foreign keys with a null refer to nothing, as in SQL. All rows are looked at, one column
or key at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.metadata import Metadata, Relationship, Table
from prefect_synth.synth.metrics.compared import ComparedColumn, is_scored
from prefect_synth.synth.metrics.coverage import boundary_adherence, category_adherence
from prefect_synth.synth.metrics.keys import key_codes, read_references
from prefect_synth.synth.metrics.side import check_sources
from prefect_synth.synth.metrics.sources import (
    Floats,
    Ints,
    Source,
    check_columns,
    read_columns,
    read_encoded,
    read_schema,
)
from prefect_synth.synth.metrics.values import NULL, codes, plain


@dataclass(frozen=True)
class DiagnosticScore:
    """Whether synthetic tables are valid; 1 is best, and what a good run reaches.

    Args:
        overall: The mean of the properties that could be computed; None where none could.
        data_validity: Mean over columns and keys.
        data_structure: Mean over tables.
        relationship_validity: Mean over both measures of all relationships.
        per_column: KeyUniqueness of keys, BoundaryAdherence or CategoryAdherence of other columns,
            by `table.column`, or `table.(first, second)` for a key of several columns.
        per_table: TableStructure: the share of fields, by name and exact type, that both have.
        per_relationship: `referential_integrity` and `cardinality_boundary_adherence` by name.
    """

    overall: float | None
    data_validity: float | None
    data_structure: float | None
    relationship_validity: float | None
    per_column: Mapping[str, float] = field(default_factory=dict)
    per_table: Mapping[str, float] = field(default_factory=dict)
    per_relationship: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The score as plain JSON values."""
        return asdict(self)


def diagnostic(
    real: Mapping[str, Source], synthetic: Mapping[str, Source], metadata: Metadata
) -> DiagnosticScore:
    """Diagnose synthetic tables against real ones, on all rows.

    Args:
        real: The real tables, by name: in memory, or paths of Parquet files or folders.
        synthetic: The synthetic tables, likewise.
        metadata: What the columns mean, the keys, and how the tables are related.

    Returns:
        The score, with its parts.

    Raises:
        MetricsError: A table or a column is missing.
    """
    asked = (*metadata.tables, *(r.name for r in metadata.relationships))
    return whole_diagnostic(diagnostic_parts(real, synthetic, metadata, asked))


@dataclass(frozen=True)
class DiagnosticPart:
    """The validity of one table, or of one relationship; NaN where there is nothing to tell.

    Args:
        name: Its name.
        columns: By column and key, of a table.
        structure: TableStructure, of a table; None of a relationship.
        links: Both measures of a relationship.
    """

    name: str
    columns: Mapping[str, float] = field(default_factory=dict)
    structure: float | None = None
    links: Mapping[str, float] = field(default_factory=dict)


def diagnostic_parts(
    real: Mapping[str, Source],
    synthetic: Mapping[str, Source],
    metadata: Metadata,
    asked: Collection[str],
) -> list[DiagnosticPart]:
    """The parts of `diagnostic` for some tables and relationships; each is as among all.

    Args:
        real: The real tables, by name.
        synthetic: The synthetic tables, likewise.
        metadata: What the columns mean, the keys, and how the tables are related.
        asked: Names of tables and relationships.

    Raises:
        MetricsError: A table or a column is missing.
    """
    for side, sources in (("real", real), ("synthetic", synthetic)):
        check_sources(side, sources, metadata)
        for table in metadata.tables.values():
            keys = {column for key in (table.primary_key, *table.unique) for column in key}
            check_columns(table.name, side, sources[table.name], sorted(keys))
    tables = [
        DiagnosticPart(
            t, dict(_validity(table, real[t], synthetic[t])), _structure(real[t], synthetic[t])
        )
        for t, table in metadata.tables.items()
        if t in asked
    ]
    links = [
        DiagnosticPart(r.name, links=_links(r, real, synthetic))
        for r in metadata.relationships
        if r.name in asked
    ]
    return [*tables, *links]


def whole_diagnostic(parts: Iterable[DiagnosticPart]) -> DiagnosticScore:
    """The score of all parts, tables first."""
    every = list(parts)
    columns = {name: score for part in every for name, score in part.columns.items()}
    tables = {part.name: part.structure for part in every if part.structure is not None}
    links = {part.name: part.links for part in every if part.structure is None}
    properties = (
        _mean(columns.values()),
        _mean(tables.values()),
        _mean(score for link in links.values() for score in link.values()),
    )
    return DiagnosticScore(
        _mean(p for p in properties if p is not None),
        *properties,
        per_column=_known(columns),
        per_table=_known(tables),
        per_relationship={name: _known(link) for name, link in links.items()},
    )


def key_uniqueness(table: pa.Table) -> float:
    """The share of rows whose key is neither null in all columns nor that of an earlier row.

    Args:
        table: The key's columns alone.

    Returns:
        A score from 0 to 1; NaN where there is no row.
    """
    if not table.num_rows:
        return float("nan")
    if table.num_columns == 1:
        return float(pc.count_distinct(plain(table.column(0))).as_py() / table.num_rows)
    keys = np.zeros(table.num_rows, dtype=np.int64)
    empty = np.ones(table.num_rows, dtype=bool)
    for column in table.columns:
        (values,), size = codes(column)
        _, keys = np.unique(keys * (size + 1) + values + 1, return_inverse=True)
        empty &= values == NULL
    return len(np.unique(keys[~empty])) / table.num_rows


def referential_integrity(child: Ints, parent: Ints, nullable: bool) -> float:
    """The share of foreign keys that exist among the parent's keys.

    Args:
        child: The foreign keys as codes, `NULL` for null.
        parent: The parent's keys, likewise.
        nullable: Whether nulls are left out; else they count as missing.

    Returns:
        A score from 0 to 1; NaN where no key is left.
    """
    if nullable:
        child = child[child != NULL]
    known = np.zeros(max(child.max(initial=0), parent.max(initial=0)) + 2, dtype=bool)
    known[parent] = True
    known[NULL] = False
    return float(known[child].mean()) if len(child) else float("nan")


def _validity(table: Table, real: Source, synthetic: Source) -> Iterator[tuple[str, float]]:
    unique = {key[0] for key in (table.primary_key, *table.unique) if len(key) == 1}
    if len(table.primary_key) > 1:
        name = f"{table.name}.({', '.join(table.primary_key)})"
        yield name, key_uniqueness(read_columns(synthetic, table.primary_key))
    for column in table.columns.values():
        name = f"{table.name}.{column.name}"
        if is_scored(column):
            if column.name == table.sequence_index:
                continue  # a sequence goes on: it may leave the real bounds
            sides = (read_encoded(s, column.name) for s in (real, synthetic))
            yield name, _adherence(ComparedColumn.encode(column, *sides))
        elif column.name in unique:
            yield name, key_uniqueness(read_columns(synthetic, [column.name]))


def _adherence(column: ComparedColumn) -> float:
    if column.continuous:
        return boundary_adherence(column.real, column.synthetic)
    return category_adherence(*column.counts)


def _structure(real: Source, synthetic: Source) -> float:
    left, right = ({(f.name, str(f.type)) for f in read_schema(s)} for s in (real, synthetic))
    return len(left & right) / len(left | right)


def _links(
    relationship: Relationship, real: Mapping[str, Source], synthetic: Mapping[str, Source]
) -> dict[str, float]:
    child, parent = _key_codes(relationship, real)
    counts, nullable = _cardinalities(child, parent), bool((child == NULL).any())
    child, parent = _key_codes(relationship, synthetic)
    return {
        "referential_integrity": referential_integrity(child, parent, nullable),
        "cardinality_boundary_adherence": boundary_adherence(counts, _cardinalities(child, parent)),
    }


def _key_codes(relationship: Relationship, sources: Mapping[str, Source]) -> tuple[Ints, Ints]:
    child = read_references(sources[relationship.child], relationship)
    parent = read_columns(sources[relationship.parent], relationship.parent_columns)
    names = [relationship.child_columns, relationship.parent_columns]
    (referring, referred), _ = key_codes([child, parent], names)
    return referring, referred


def _cardinalities(child: Ints, parent: Ints) -> Floats:
    """How many children each parent row has."""
    size = max(child.max(initial=0), parent.max(initial=0)) + 2
    counts = np.bincount(child[child != NULL], minlength=size)
    return counts[parent].astype(np.float64)


def _known(scores: Mapping[str, float]) -> dict[str, float]:
    return {name: score for name, score in scores.items() if not np.isnan(score)}


def _mean(scores: Iterable[float]) -> float | None:
    present = [score for score in scores if not np.isnan(score)]
    return float(np.mean(present)) if present else None
