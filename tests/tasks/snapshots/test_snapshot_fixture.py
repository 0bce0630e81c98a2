"""Fixtures: small, closed, readable as a sandbox, and the same bytes whenever they are made."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from shops import publish_shop, shop_metadata, shop_tables
from typer.testing import CliRunner

from prefect_synth.flows.cli import app
from prefect_synth.synth.metadata import Metadata
from prefect_synth.tasks.snapshots.errors import FixtureFolderError, SnapshotContentError
from prefect_synth.tasks.snapshots.fixture import Extract, write_fixture
from prefect_synth.tasks.snapshots.fixture_plain import write_plain
from prefect_synth.tasks.snapshots.reading import snapshots
from prefect_synth.tasks.snapshots.reading_snapshot import Snapshot
from prefect_synth.tasks.snapshots.store import open_store


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    """A sandbox with the shop in it."""
    publish_shop(tmp_path / "sandbox", tmp_path / "files")
    return tmp_path / "sandbox"


@pytest.fixture
def snapshot(sandbox: Path) -> Snapshot:
    """The shop."""
    return snapshots(sandbox).latest()


def held(folder: Path) -> dict[str, bytes]:
    """All files below a folder, and what they hold."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_fixture_is_a_sandbox(snapshot: Snapshot, tmp_path: Path) -> None:
    """The store finds nothing wrong with it, and the reader reads the exact schema."""
    name = write_fixture(Extract.choose(snapshot, 30), tmp_path / "data")
    store, small = open_store(str(tmp_path / "data")), snapshots(tmp_path / "data").latest()
    assert (small.snapshot_id, [info.snapshot_id for info in store.list()]) == (name, [name])
    assert store.verify(name) == []
    assert small.metadata == shop_metadata()
    assert small.tables == snapshot.tables
    for table in small.tables:
        assert 0 < len(small.table(table)) <= 30
        assert small.table(table).schema.equals(snapshot.table(table).schema, check_metadata=True)


def test_its_files_say_what_they_are(snapshot: Snapshot, tmp_path: Path) -> None:
    """What the snapshot's files say of themselves, those of the fixture say too."""
    told = snapshot.schema("orders").with_metadata({"prefect_synth.synthetic": "true"})
    file = tmp_path / "orders.parquet"
    pq.write_table(snapshot.table("orders").cast(told), file)
    tables = {n: snapshot.files(n)[0] for n in snapshot.tables} | {"orders": file}
    store = open_store(str(tmp_path / "told"))
    store.publish("run-1", tables, {"metadata": shop_metadata().to_dict()})
    write_fixture(Extract.choose(snapshots(tmp_path / "told").latest(), 9), tmp_path / "data")
    assert snapshots(tmp_path / "data").latest().schema("orders").metadata == told.metadata


def test_its_keys_resolve(snapshot: Snapshot, tmp_path: Path) -> None:
    """Every order has its customer, every note what it is about."""
    write_fixture(Extract.choose(snapshot, 30), tmp_path / "data")
    small = snapshots(tmp_path / "data").latest()
    ids = {name: set(small.table(name)["id"].to_pylist()) for name in ("customers", "orders")}
    assert set(small.table("orders")["customer_id"].to_pylist()) <= ids["customers"]
    assert set(small.table("lines")["order_id"].to_pylist()) <= ids["orders"]
    notes = small.table("notes").to_pylist()
    assert all(note["about_id"] in ids[f"{note['about']}s"] for note in notes)


def test_it_is_the_same_whenever_it_is_made(snapshot: Snapshot, tmp_path: Path) -> None:
    """Made anew, elsewhere or over itself, git shows no change."""
    places = [tmp_path / name for name in ("first", "second", "first")]
    for place in places:
        write_fixture(Extract.choose(snapshot, 30), place)
    assert held(places[0]) == held(places[1])
    assert {path.parts[0] for path in map(Path, held(places[0]))} == {
        "latest.json", "runs", "snapshots"
    }  # fmt: skip


def test_a_new_one_takes_the_place_of_the_old_one(sandbox: Path, tmp_path: Path) -> None:
    """Other files in the folder stay; of the old fixture nothing is left."""
    out = tmp_path / "data"
    write_fixture(Extract.choose(snapshots(sandbox).latest(), 30), out)
    (out / "README.md").write_text("made by prefect-synth fixture")
    publish_shop(sandbox, tmp_path / "files", "run-2", customers=90)
    write_fixture(Extract.choose(snapshots(sandbox).latest(), 40), tmp_path / "data")
    fresh = tmp_path / "fresh"
    write_fixture(Extract.choose(snapshots(sandbox).latest(), 40), fresh)
    assert held(out) == {**held(fresh), "README.md": b"made by prefect-synth fixture"}


def test_a_damaged_one_is_mended(snapshot: Snapshot, tmp_path: Path) -> None:
    """What somebody changed by hand is written anew."""
    out = tmp_path / "data"
    write_fixture(Extract.choose(snapshot, 30), out)
    whole = held(out)
    [orders] = out.rglob("orders/*.parquet")
    orders.write_bytes(b"edited")
    write_fixture(Extract.choose(snapshot, 30), out)
    assert held(out) == whole


def test_a_real_sandbox_is_never_replaced(
    snapshot: Snapshot, sandbox: Path, tmp_path: Path
) -> None:
    """Neither a sandbox that a refresh publishes to, nor files of the same names, nor a file."""
    (tmp_path / "mine" / "runs").mkdir(parents=True)
    (tmp_path / "file").write_text("")
    before = held(tmp_path)
    for place in (sandbox, tmp_path / "mine", tmp_path / "file"):
        with pytest.raises(FixtureFolderError, match="folder"):
            write_fixture(Extract.choose(snapshot, 30), place)
    assert held(tmp_path) == before


def test_tables_are_chosen_with_all_they_refer_to(snapshot: Snapshot, tmp_path: Path) -> None:
    """Lines need orders, orders need customers; notes are left out."""
    extract = Extract.choose(snapshot, 30, tables=["lines"])
    assert set(extract.counts()) == {"lines", "orders", "customers"}
    with pytest.raises(SnapshotContentError, match="no table 'line'"):
        Extract.choose(snapshot, 30, tables=["line"])


def test_pinned_rows_are_always_there(snapshot: Snapshot, tmp_path: Path) -> None:
    """They are the last rows of their table; a fixture made of the fixture has them, too."""
    files = {name: snapshot.files(name)[0] for name in snapshot.tables}
    facts = {"metadata": shop_metadata().to_dict(), "pinned": {"orders": 2}}
    open_store(str(tmp_path / "told")).publish("run-1", files, facts)
    for source, out in (("told", "first"), ("first", "second")):
        write_fixture(Extract.choose(snapshots(tmp_path / source).latest(), 9), tmp_path / out)
        orders = snapshots(tmp_path / out).latest().table("orders")
        assert orders["id"].to_pylist()[-2:] == [179, 180]
        assert len(orders) <= 9


def test_a_table_in_parts_is_read_whole(tmp_path: Path) -> None:
    """A snapshot that shards wrote has several files for a table."""
    tables, files = shop_tables(), {}
    for name, table in tables.items():
        files[name] = tmp_path / name
        files[name].mkdir()
        for part in range(3):
            start = part * len(table) // 3
            rows = table.slice(start, (part + 1) * len(table) // 3 - start)
            pq.write_table(rows, files[name] / f"part-{part:05d}.parquet")
    store = open_store(str(tmp_path / "sandbox"))
    store.publish("run-1", files, {"metadata": shop_metadata().to_dict()})
    extract = Extract.choose(snapshots(tmp_path / "sandbox").latest(), 10_000)
    assert all(extract.table(name).equals(table) for name, table in tables.items())


def test_plain_parquet_has_the_exact_schema(snapshot: Snapshot, tmp_path: Path) -> None:
    """The same rows as in the fixture, with the metadata that `synthesize` reads."""
    extract = Extract.choose(snapshot, 30)
    files = write_plain(extract, tmp_path / "plain", "parquet")
    assert [pq.read_table(file) for file in files] == [extract.table(n) for n in extract.rows]
    document = json.loads((tmp_path / "plain" / "metadata.json").read_text())
    assert Metadata.from_dict(document) == extract.metadata


def test_csv_has_every_value_as_text(tmp_path: Path) -> None:
    """Decimals, moments, bytes, lists and dictionaries; nothing is not the empty text."""
    rows = pa.table(
        {
            "id": pa.array([1, 2], pa.int64()),
            "text": pa.array(["", None]),
            "kind": pa.array(["a,b", 'c"d']).dictionary_encode(),
            "price": pa.array(["1.50", "2.00"]).cast(pa.decimal128(9, 2)),
            "list": pa.array([[1, 2], []]),
            "one": pa.array([{"x": 1}, None]),
        }
    )
    columns = {"columns": {c: {"sdtype": "categorical"} for c in rows.column_names}}
    document = {"version": 1, "tables": {"Odd name": columns}, "relationships": []}
    pq.write_table(rows, tmp_path / "odd.parquet")
    store = open_store(str(tmp_path / "sandbox"))
    store.publish("run-1", {"Odd name": tmp_path / "odd.parquet"}, {"metadata": document})
    snapshot = snapshots(tmp_path / "sandbox").latest()
    [file] = write_plain(Extract.choose(snapshot, 9), tmp_path / "plain", "csv")
    with file.open(newline="") as opened:
        lines = list(csv.reader(opened))
    assert file.name == "Odd!20name.csv"
    assert lines[1:] == [
        ["1", "", "a,b", "1.50", "[1, 2]", "{'x': 1}"],
        ["2", "", 'c"d', "2.00", "[]", ""],
    ]
    assert file.read_text().splitlines()[1].startswith('1,"",')


def test_the_command_needs_no_project(sandbox: Path, tmp_path: Path) -> None:
    """A sandbox and a folder are enough; the answer counts the rows."""
    told = run("--sandbox", sandbox, "--out", tmp_path / "data", "--rows", 12, "--json")
    small = snapshots(tmp_path / "data").latest()
    assert told["rows"] == {name: len(small.table(name)) for name in small.tables}
    assert (told["fixture"], told["snapshot"][:5]) == (small.snapshot_id, "run-1")


def test_the_command_takes_the_projects_sandbox(sandbox: Path, tmp_path: Path) -> None:
    """With a project file its sandbox is read; the snapshot can be named."""
    (tmp_path / "synth.yaml").write_text(
        "version: 1\nproject: shop\nwarehouse: {url: 'duckdb:///none.duckdb'}\n"
        "sandbox: {url: sandbox}\n"
    )
    [info] = open_store(str(sandbox)).list()
    options = ("--project", tmp_path, "--out", tmp_path / "csv", "--format", "csv", "--json")
    told = run(info.snapshot_id, *options, "--table", "orders", "--root", "orders", "--rows", 5)
    assert told["files"] == ["customers.csv", "orders.csv"]
    assert len((tmp_path / "csv" / "orders.csv").read_text().splitlines()) == 6


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--rows", 0), "at least 1 row, got 0"),
        (("--table", "order"), "no table 'order'"),
        (("--root", "nobody"), "no such table"),
        (("run-9-12345678",), "no snapshot 'run-9-12345678'"),
    ],
)
def test_what_cannot_be_is_told(
    options: tuple[object, ...], said: str, sandbox: Path, tmp_path: Path
) -> None:
    """A configuration error in one sentence, and no file."""
    out = tmp_path / "data"
    result = CliRunner().invoke(
        app, ["fixture", *map(str, options), "--sandbox", str(sandbox), "--out", str(out)]
    )
    assert result.exit_code == 2
    assert said in result.stderr
    assert not out.exists()


def run(*arguments: object) -> dict[str, object]:
    """The answer of the command as JSON."""
    result = CliRunner().invoke(app, ["fixture", *map(str, arguments)])
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_sums_over_whole_families_are_those_of_the_snapshot(
    snapshot: Snapshot, tmp_path: Path
) -> None:
    """An order that is taken has all its lines, so totals are true."""
    extract = Extract.choose(snapshot, 60)
    whole = snapshot.table("lines").group_by("order_id").aggregate([("price", "sum")])
    small = extract.table("lines").group_by("order_id").aggregate([("price", "sum")])
    found = whole.filter(pc.is_in(whole["order_id"], small["order_id"].combine_chunks()))
    assert found.sort_by("order_id") == small.sort_by("order_id")
    assert len(small) == len(extract.table("orders"))
