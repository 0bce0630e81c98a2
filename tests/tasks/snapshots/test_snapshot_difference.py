"""What differs between two snapshots, against a count in plain Python."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_synth.synth.metadata import Column, Metadata, Table
from prefect_synth.tasks.snapshots.difference import SnapshotDifference, compare_snapshots
from prefect_synth.tasks.snapshots.difference_rows import RowChanges, TableFiles, row_changes
from prefect_synth.tasks.snapshots.errors import SnapshotContentError
from prefect_synth.tasks.snapshots.reading import snapshots_in
from prefect_synth.tasks.snapshots.store import open_store

CELLS: dict[str, tuple[pa.DataType, Any]] = {
    "number": (pa.int32(), st.integers(0, 2)),
    "float": (pa.float64(), st.sampled_from([0.0, -0.0, 1.5, math.nan, math.inf])),
    "price": (pa.decimal128(38, 2), st.sampled_from([Decimal("1.00"), Decimal(10**34)])),
    "text": (pa.string(), st.sampled_from(["", "a", "A", "ä'"])),
    "bytes": (pa.binary(), st.sampled_from([b"", b"\x00", b"\xff"])),
    "moment": (
        pa.timestamp("us", "UTC"),
        st.sampled_from([dt.datetime(2026, 3, 29, h, tzinfo=dt.UTC) for h in (0, 1)]),
    ),
    "day": (pa.date32(), st.sampled_from([dt.date(2026, 1, 1), dt.date(1, 1, 1)])),
    "id": (pa.uuid(), st.sampled_from([b"a" * 16, b"b" * 16])),
    "json": (pa.json_(), st.sampled_from(["{}", '{"a": 1}', '{ "a": 1}'])),
    "list": (pa.list_(pa.int32()), st.lists(st.none() | st.integers(0, 1), max_size=2)),
    "kind": (pa.dictionary(pa.int8(), pa.string()), st.sampled_from(["a", "b"])),
    "pair": (
        pa.struct([("x", pa.float32()), ("y", pa.string())]),
        st.fixed_dictionaries({"x": st.none() | st.just(0.5), "y": st.sampled_from(["", "b"])}),
    ),
    "map": (pa.map_(pa.string(), pa.int32()), st.sampled_from([[], [("a", 1)], [("a", 2)]])),
    "span": (pa.duration("us"), st.sampled_from([dt.timedelta(0), dt.timedelta(days=1)])),
    # DuckDB itself does not tell these two names apart
    "Number": (pa.int32(), st.integers(0, 1)),
}


def array(name: str, values: list[Any]) -> pa.Array:
    """An array of the type of these cells."""
    kind = CELLS[name][0]
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, pa.array(values, kind.storage_type))
    return pa.array(values, kind)


@st.composite
def rows(draw: st.DrawFn) -> pa.Table:
    """A few rows of all types; `a` and `b` together are unique."""
    keys = draw(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("xy")), unique=True))
    columns: dict[str, Any] = {
        "a": pa.array([key[0] for key in keys], pa.int64()),
        "b": pa.array([key[1] for key in keys], pa.string()),
    }
    for name, (_, cells) in CELLS.items():
        some = st.lists(st.none() | cells, min_size=len(keys), max_size=len(keys))
        columns[name] = array(name, draw(some))
    return pa.table(columns)


def plain(value: Any) -> Any:
    """A value that equals itself and can be counted."""
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value + 0.0
    if isinstance(value, dict):
        return tuple((key, plain(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return tuple(plain(item) for item in value)
    return value


def written(folder: Path, *tables: pa.Table) -> tuple[TableFiles, ...]:
    """The tables as files, in a folder whose name has signs that patterns are made of."""
    made = []
    for number, table in enumerate(tables):
        path = folder / "it's [1]" / f"{number}*.parquet"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(table, path, store_schema=True)
        made.append(TableFiles([path], table.schema))
    return tuple(made)


def by_key(before: pa.Table, after: pa.Table) -> RowChanges:
    """The same by dictionaries."""
    old, new = (
        {(r["a"], r["b"]): {k: plain(v) for k, v in r.items()} for r in t.to_pylist()}
        for t in (before, after)
    )
    shared = old.keys() & new.keys()
    columns = Counter(c for key in shared for c in old[key] if old[key][c] != new[key][c])
    changed = sum(old[key] != new[key] for key in shared)
    return RowChanges(
        len(old), len(new), len(new) - len(shared), len(old) - len(shared), changed, True,
        dict(columns),
    )  # fmt: skip


def as_bags(before: pa.Table, after: pa.Table) -> RowChanges:
    """The same by counters."""
    old, new = (Counter(plain(row) for row in t.to_pylist()) for t in (before, after))
    return RowChanges(old.total(), new.total(), (new - old).total(), (old - new).total(), 0, False)


@settings(max_examples=40, deadline=None)
@given(before=rows(), after=rows())
def test_rows_are_compared_by_key(
    before: pa.Table, after: pa.Table, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Every type, nulls and NaN: as many rows differ as a comparison of Python values finds."""
    sides = written(tmp_path_factory.mktemp("diff"), before, after)
    assert row_changes(*sides, ("a", "b")) == by_key(before, after)


@settings(max_examples=40, deadline=None)
@given(before=rows(), after=rows(), twice=st.booleans())
def test_rows_without_a_key_are_compared_as_bags(
    before: pa.Table, after: pa.Table, twice: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each row as often as it comes."""
    chosen = ["number", "float", "text", "list", "pair", "map", "json"]
    before, after = before.select(chosen), after.select(chosen)
    if twice:
        after = pa.concat_tables([after, before])
    sides = written(tmp_path_factory.mktemp("diff"), before, after)
    assert row_changes(*sides, ()) == as_bags(before, after)


def test_a_key_that_is_not_unique_is_no_key(tmp_path: Path) -> None:
    """Rows are then a bag, so that no row is counted twice."""
    before, after = pa.table({"a": [1, 1, None]}), pa.table({"a": [1, 2, 2]})
    found = row_changes(*written(tmp_path, before, after), ("a",))
    assert found == RowChanges(3, 3, 2, 2, 0, False)


def test_a_column_of_another_type_is_compared_as_text(tmp_path: Path) -> None:
    """A wider integer alone changes no row."""
    before = pa.table({"a": pa.array([1, 2], pa.int32()), "x": ["1", "2"], "gone": [1, 2]})
    after = pa.table({"a": pa.array([1, 2], pa.int64()), "x": [1, 3], "new": [True, False]})
    found = row_changes(*written(tmp_path, before, after), ("a",))
    assert found == RowChanges(2, 2, 0, 0, 1, True, {"x": 1})
    assert found.unchanged_share == 0.5


Publish = Callable[..., SnapshotDifference]


@pytest.fixture
def compared(tmp_path: Path) -> Publish:
    """Publish two snapshots and compare them."""

    def publish(*versions: Any, tables: tuple[str, ...] = ()) -> SnapshotDifference:
        store = open_store(str(tmp_path / "sandbox"))
        for number, (contents, facts) in enumerate(versions):
            folder = tmp_path / f"version-{number}"
            folder.mkdir()
            for name, table in contents.items():
                pq.write_table(table, folder / f"{name}.parquet")
            paths = {name: folder / f"{name}.parquet" for name in contents}
            store.publish(f"run-{number}", paths, facts)
        reader = snapshots_in(store)
        newest, oldest = reader.list()
        return compare_snapshots(
            reader.get(oldest.snapshot_id), reader.get(newest.snapshot_id), tables
        )

    return publish


def described(*key: str) -> dict[str, Any]:
    """Facts of a snapshot whose table `t` has this key."""
    columns = {
        "id": Column("id", "id"), "kind": Column("kind"), "size": Column("size", "numerical"),
    }  # fmt: skip
    return {"metadata": Metadata({"t": Table("t", columns, key)}).to_dict()}


def test_columns_that_moved_come_first(compared: Publish) -> None:
    """Distributions and nulls are compared; keys have no distribution."""
    ids = list(range(100))
    kinds, sizes = ["a", "b"] * 50, [float(i) for i in ids]
    before = pa.table({"id": ids, "kind": kinds, "size": sizes})
    moved = ["a", "a", "a", None] * 25
    after = pa.table({"id": ids, "kind": moved, "size": sizes})
    found = compared(({"t": before}, described("id")), ({"t": after}, described("id")))
    assert [c.column for c in found.columns] == ["kind", "id", "size"]
    kind, number, size = found.columns
    assert (kind.alike, kind.nulls, kind.distinct) == (0.5, (0.0, 0.25), (2, 1))
    assert (number.alike, number.distinct, size.alike) == (None, (100, 100), 1.0)
    assert found.rows["t"].columns == {"kind": sum(np.array(kinds) != np.array(moved))}
    assert found.unchanged_share == 0.5


def test_equal_files_are_not_read(compared: Publish) -> None:
    """Two refreshes of unchanged data differ in nothing."""
    table = pa.table({"id": [1, 2], "kind": ["a", "b"], "size": [1.0, 2.0]})
    found = compared(({"t": table}, described("id")), ({"t": table}, described("id")))
    assert found.rows == {"t": RowChanges(2, 2, 0, 0, 0, True)}
    assert (found.unchanged_share, found.columns, found.schema) == (1.0, (), ())


def test_schema_changes_are_listed(compared: Publish) -> None:
    """Tables, columns, types, nullability, order, keys; comments apart from these."""
    old = pa.schema(
        [
            pa.field("id", pa.int32(), False, {"comment": "number"}),
            pa.field("kind", pa.string()),
            pa.field("gone", pa.string()),
        ]
    )
    new = pa.schema(
        [pa.field("kind", pa.string(), False), pa.field("id", pa.int64()), ("size", pa.float64())]
    )
    found = compared(
        ({"t": old.empty_table(), "old": pa.table({"x": [1]})}, {}),
        ({"t": new.empty_table(), "new": pa.table({"x": [1]})}, described("id")),
    )
    assert [str(change) for change in found.schema] == [
        "new: table added",
        "old: table dropped",
        "t.size: column added none -> double",
        "t.id: type int32 -> int64",
        "t.id: nullability NOT NULL -> NULL",
        "t.id: comment number -> none",
        "t.kind: nullability NULL -> NOT NULL",
        "t.gone: column dropped string -> none",
        "t: order id, kind -> kind, id",
        "t: primary key none -> id",
    ]
    assert found.unchanged_share is None


def test_the_judgements_are_compared(compared: Publish) -> None:
    """Figures that moved, and checks whose verdict is another."""
    table = pa.table({"id": [1]})

    def facts(quality: float, status: str, **more: float) -> dict[str, Any]:
        scores = {"quality": quality, **more}
        check = {"name": "quality", "table": "t", "column": None, "kind": "fidelity"}
        return {
            "scores": [
                {"name": n, "table": None, "column": None, "found": f} for n, f in scores.items()
            ],
            "verdict": {"passed": True, "checks": [{**check, "status": status}]},
        }

    found = compared(
        ({"t": table}, facts(0.9, "passed", same=0.5)),
        ({"t": table}, facts(0.8, "warned", same=0.5, c2st=0.6)),
    )
    assert [(s.name, s.difference) for s in found.scores] == [
        ("quality", -0.1), ("same", 0.0), ("c2st", None),
    ]  # fmt: skip
    [check] = found.checks
    assert (check.name, check.before, check.after) == ("quality t (fidelity)", "passed", "warned")


def test_one_table_can_be_chosen(compared: Publish) -> None:
    """The others are left out."""
    one, two = pa.table({"x": [1]}), pa.table({"x": [2]})
    versions = ({"orders": one, "people": one}, {}), ({"orders": two, "people": two}, {})
    assert list(compared(*versions, tables=("orders",)).rows) == ["orders"]


def test_an_unknown_table_is_answered_by_the_nearest(compared: Publish) -> None:
    """A slip of the pen names what was meant."""
    version = ({"orders": pa.table({"x": [1]})}, {})
    with pytest.raises(SnapshotContentError, match="Did you mean 'orders'"):
        compared(version, version, tables=("order",))
