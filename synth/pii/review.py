"""What a person should look at before anything is published: personal data, quasi-identifiers."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.metadata import Metadata, Table
from prefect_synth.synth.pii.detection import Finding, detect
from prefect_synth.synth.pii.names import is_person_table, snake

_BIRTH = re.compile(
    r"(^|_)(birth_?(date|day)?|birth\w*|date_of_birth|dob|born(_on)?|geburts\w*|geb_?datum"
    r"|fecha_(de_)?nacimiento|(date_(de_)?)?naissance|data_(de_)?nascimento|data_(di_)?nascita"
    r"|geboorte\w*)(_|$)"
)
_QUASI = re.compile(
    r"(^|_)(sex|gender|geschlecht|sexo|sexe|sesso|geslacht|age|alter|edad|marital(_status)?|race"
    r"|ethnicity|religion|nationality|occupation|profession|job_title|city|town|ort|ciudad|ville"
    r"|cidade|citta|stad|zip|postcode|(postal|post|zip)_?code|plz)(?:$|_(?:name|group|band|code)$)"
)
_OLDEST = 120


@dataclass(frozen=True)
class Review:
    """What was found in a schema and some of its rows.

    Args:
        personal: Findings by table and column.
        quasi: Columns by table that are kept, and together may tell a person.
    """

    personal: Mapping[str, Mapping[str, Finding]]
    quasi: Mapping[str, tuple[str, ...]]


def review(metadata: Metadata, rows: Mapping[str, pa.Table]) -> Review:
    """Look for personal data and quasi-identifiers.

    Args:
        metadata: The schema.
        rows: Some rows of each table; of a table that is missing the names alone are looked at.
    """
    personal, quasi = {}, {}
    for name, table in metadata.tables.items():
        found = _personal(table, metadata.key_columns(name), rows.get(name))
        if found:
            personal[name] = found
        closed = metadata.key_columns(name) | {c for c in found if found[c].sdtype != "text"}
        kept = _quasi(table, closed, rows.get(name)) if _is_of_people(table, found) else ()
        if kept:
            quasi[name] = kept
    return Review(personal, quasi)


def with_findings(metadata: Metadata, found: Review) -> Metadata:
    """The schema with the meaning that a review found for its columns."""
    for name, findings in found.personal.items():
        table = metadata.tables[name]
        columns = {
            c: replace(table.columns[c], sdtype=f.sdtype, pii=f.sdtype != "text")
            for c, f in findings.items()
        }
        metadata = metadata.with_table(replace(table, columns={**table.columns, **columns}))
    return metadata


def is_birth_date(name: str, values: pa.Array | pa.ChunkedArray | None = None) -> bool:
    """Whether a column of dates holds birth dates: by its name, and by a plausible range.

    Args:
        name: The column's name.
        values: Its dates or timestamps, where there are any to look at.
    """
    if not _BIRTH.search(snake(name)):
        return False
    if values is None or not pa.types.is_temporal(values.type) or values.null_count == len(values):
        return True
    years = pc.year(values.cast(pa.timestamp("us"), safe=False))
    low, high, now = pc.min(years).as_py(), pc.max(years).as_py(), date.today().year
    return low >= now - _OLDEST and high <= now


def _personal(table: Table, keys: Collection[str], rows: pa.Table | None) -> dict[str, Finding]:
    found = {}
    for column in table.columns.values():
        open_ = column.sdtype in ("categorical", "numerical") and column.categories is None
        if column.name in keys or not (open_ or column.is_generated):
            continue
        kind = pa.int64() if column.sdtype == "numerical" else pa.string()
        seen = pa.array([], kind) if rows is None else _values(rows, column.name, kind)
        finding = detect(column.name, seen, table.name)
        if finding is not None:
            found[column.name] = finding
    return found


def _values(rows: pa.Table, column: str, kind: pa.DataType) -> pa.ChunkedArray | pa.Array:
    if column not in rows.column_names:
        return pa.array([], kind)
    return rows[column].drop_null()


def _is_of_people(table: Table, found: Mapping[str, Finding]) -> bool:
    return bool(found) or is_person_table(table.name) or any(map(is_birth_date, table.columns))


def _quasi(table: Table, closed: Collection[str], rows: pa.Table | None) -> tuple[str, ...]:
    """The columns that are kept and tell something of a person; keys and personal ones do not."""
    found = []
    for column in table.columns:
        has_rows = rows is not None and column in rows.column_names
        values = rows[column] if rows is not None and has_rows else None
        if column not in closed and (_QUASI.search(snake(column)) or is_birth_date(column, values)):
            found.append(column)
    return tuple(found)
