"""A subject's family in staged files, whatever the types of its keys."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.tasks.family import PurgeError, family_of

UUIDS = [UUID(int=i) for i in range(9)]


def staged(folder: Path, keys: pa.Array) -> tuple[Metadata, dict[str, list[Path]]]:
    """People with these keys, two visits each, a day for each visit, and a table of its own."""
    at = pa.array([i // 2 for i in range(2 * len(keys))])
    visits = pa.table({"person": keys.take(at), "day": [i % 2 for i in range(len(at))]})
    tables = {
        "people": pa.table({"id": keys}),
        "visits": visits,
        "days": pa.table({"who": visits["person"], "day": visits["day"]}),
        "alone": pa.table({"x": [1, 2]}),
    }
    keys_of = {"people": ("id",), "visits": ("person", "day"), "days": (), "alone": ()}
    metadata = Metadata(
        {
            name: Table(name, {c: Column(c) for c in table.column_names}, keys_of[name])
            for name, table in tables.items()
        },
        (
            Relationship("visits", ("person",), "people", ("id",)),
            Relationship("days", ("who", "day"), "visits", ("person", "day")),
        ),
    )
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    return metadata, {name: [folder / f"{name}.parquet"] for name in tables}


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (pa.array(range(9), pa.int16()), "3"),
        (pa.array([f"k{i}" for i in range(9)]), "k3"),
        (pa.array([f"k{i}" for i in range(9)]).dictionary_encode(), "k3"),
        (pa.array([dt.date(2024, 1, 1 + i) for i in range(9)]), "2024-01-04"),
        (pa.array([Decimal(i) for i in range(9)], pa.decimal128(9, 2)), "3.00"),
        (pa.ExtensionArray.from_storage(pa.uuid(), pa.array([u.bytes for u in UUIDS],
                                                            pa.binary(16))), str(UUIDS[3])),
    ],
)  # fmt: skip
def test_keys_of_any_type(keys: Any, text: str, tmp_path: Path) -> None:
    """One person, both visits, and the days of both."""
    family = family_of(*staged(tmp_path, keys), "people", (text,))
    rows = {name: at.tolist() for name, files in family.rows.items() for at in files.values()}
    assert rows == {"people": [3], "visits": [6, 7], "days": [6, 7]}


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (pa.array(range(9)), "three"),
        (pa.ExtensionArray.from_storage(pa.uuid(), pa.array([u.bytes for u in UUIDS],
                                                            pa.binary(16))), "17"),
    ],
)  # fmt: skip
def test_what_is_no_key_is_refused(keys: Any, text: str, tmp_path: Path) -> None:
    """A text that is no value of the column's type cannot be anybody's key, and is not quoted."""
    with pytest.raises(PurgeError, match="value given for it is not") as refused:
        family_of(*staged(tmp_path, keys), "people", (text,))
    assert text not in str(refused.value)


def test_a_table_without_a_key_has_no_subjects(tmp_path: Path) -> None:
    """It can be purged with all others only."""
    with pytest.raises(PurgeError, match="has no primary key"):
        family_of(*staged(tmp_path, pa.array(range(9))), "alone", ("1",))
