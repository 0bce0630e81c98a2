"""Publishing, on a folder and on a real S3 server: what lies there, and who is latest."""

from __future__ import annotations

import hashlib

import duckdb
import pandas as pd
import pytest

from prefect_synth.tasks.snapshots.errors import SandboxError, SnapshotNotFoundError
from prefect_synth.tasks.snapshots.naming import table_name
from prefect_synth.tasks.snapshots.store import open_store


def test_an_empty_sandbox_has_no_latest_snapshot(store):
    """Before the first publication there is nothing to read, and no error."""
    assert (store.latest(), store.list()) == (None, [])


def test_a_published_snapshot_is_the_latest(store, make_shop):
    """What publish returns is what readers find."""
    published = store.publish("run-1", make_shop(), {"seed": 7})
    assert store.latest() == published
    assert (published.generation, published.run_id, published.is_latest) == (1, "run-1", True)


def test_the_manifest_has_the_facts_of_every_file(store, make_shop):
    """Rows, bytes, sha256 and the caller's own facts stand in the manifest."""
    shop = make_shop(rows=5)
    manifest = store.show(store.publish("run-1", shop, {"seed": 7, "verdict": {}}).snapshot_id)
    orders = manifest["tables"]["public.orders"]
    content = shop["public.orders"].read_bytes()
    assert (orders["folder"], orders["rows"], manifest["seed"]) == ("public.orders", 5, 7)
    assert orders["files"][0]["bytes"] == len(content)
    assert orders["files"][0]["sha256"] == hashlib.sha256(content).hexdigest()


def test_plain_pandas_reads_a_table_folder(sandbox, make_shop):
    """Nobody needs this package to read a snapshot."""
    shop = make_shop(mark=4)
    snapshot = sandbox.open().publish("run-1", shop, {})
    found = sandbox.read(f"{snapshot.url}/public.orders")
    pd.testing.assert_frame_equal(found, pd.read_parquet(shop["public.orders"]))


def test_duckdb_reads_every_table_folder(tmp_path, make_shop):
    """Odd names are no patterns and no partitions to DuckDB either."""
    store, file = open_store(str(tmp_path / "sandbox")), make_shop(rows=3)["public.orders"]
    names = ["public.orders", "year=2024", "a*b", "[x]", "Größe"]
    snapshot = store.publish("run-1", dict.fromkeys(names, file), {})
    for table in store.show(snapshot.snapshot_id)["tables"].values():
        pattern = f"{snapshot.url}/{table['folder']}/*.parquet"
        found = duckdb.sql("SELECT * FROM read_parquet($1)", params=[pattern])
        assert (len(found), found.columns) == (3, ["id", "customer_id", "mark"])


def test_parquet_files_are_published_byte_by_byte(store, make_shop):
    """Nothing of the attempt gets into the files."""
    shop = make_shop()
    snapshot = store.publish("run-1", shop, {})
    key = f"snapshots/{snapshot.snapshot_id}/public.orders/part-00000.parquet"
    assert b"".join(store.backend.chunks(key)) == shop["public.orders"].read_bytes()


def test_a_file_of_several_parts_arrives_whole(store, tmp_path, make_shop):
    """Files beyond the size of one request are uploaded in parts and checked."""
    big = tmp_path / "video.bin"
    big.write_bytes(bytes(range(256)) * (40 << 12))
    snapshot = store.publish("run-1", make_shop(), {}, {"video.bin": big})
    assert store.verify(snapshot.snapshot_id) == []


def test_extra_files_lie_beside_the_tables(store, tmp_path, make_shop):
    """The report is published and listed with its hash."""
    report = tmp_path / "any.html"
    report.write_text("<h1>Report</h1>")
    snapshot = store.publish("run-1", make_shop(), {}, {"report.html": report})
    listed = store.show(snapshot.snapshot_id)["extra_files"]["report.html"]
    key = f"snapshots/{snapshot.snapshot_id}/{listed['path']}"
    assert store.backend.read_with_token(key)[0] == b"<h1>Report</h1>"
    assert listed["sha256"] == hashlib.sha256(b"<h1>Report</h1>").hexdigest()


def test_odd_table_names_are_readable_folders(sandbox, make_shop):
    """Names with spaces, slashes, signs, umlauts and letter case live side by side."""
    store, file = sandbox.open(), make_shop(mark=4)["public.orders"]
    names = ["Orders", "orders", "a/b", "year=2024", "_log", ".x", "100% *?[1]", "Größe", "..", "é"]
    names += ["manifest.json", "report.html", "x" * 190, "ü" * 100]
    snapshot = store.publish("run-1", dict.fromkeys(names, file), {}, {"report.html": file})
    tables = store.show(snapshot.snapshot_id)["tables"]
    expected = pd.read_parquet(file)
    for name in names:
        found = sandbox.read(f"{snapshot.url}/{tables[name]['folder']}")
        pd.testing.assert_frame_equal(found, expected)
    assert [table_name(tables[name]["folder"]) for name in names[:-1]] == names[:-1]


def test_a_run_published_again_changes_nothing(store, make_shop):
    """One run has one snapshot, whatever a second attempt brings."""
    first = store.publish("run-1", make_shop(mark=1), {})
    assert store.publish("run-1", make_shop(mark=2), {}) == first
    assert [info.snapshot_id for info in store.list()] == [first.snapshot_id]


def test_a_late_run_does_not_replace_a_newer_one(store, make_shop):
    """The age of the data decides, not the moment of publishing."""
    new = store.publish("run-2", make_shop(), {"created": "2026-02-02T03:00:00Z"})
    late = store.publish("run-1", make_shop(), {"created": "2026-02-02T02:00:00Z"})
    assert (late.generation, store.latest()) == (None, new)


def test_the_age_of_data_is_compared_across_time_zones(store, make_shop):
    """23:00 in New York is later than 03:00 in London of the next day."""
    store.publish("run-1", make_shop(), {"created": "2026-02-02T03:00:00Z"})
    later = store.publish("run-2", make_shop(), {"created": "2026-02-01T23:00:00-05:00"})
    assert store.latest() == later


def test_rollback_is_a_new_generation_that_names_an_older_snapshot(store, make_shop):
    """Going back is written forward."""
    old = store.publish("run-1", make_shop(), {})
    store.publish("run-2", make_shop(), {})
    back = store.rollback(old.snapshot_id)
    assert (back.snapshot_id, back.generation) == (old.snapshot_id, 3)
    assert store.latest() == back


def test_a_run_from_before_a_rollback_cannot_undo_it(store, make_shop):
    """A retried flow does not bring the bad snapshot back; a new run goes on."""
    old = store.publish("run-1", make_shop(), {})
    store.publish("run-2", make_shop(), {})
    back = store.rollback(old.snapshot_id)
    assert store.publish("run-2", make_shop(), {}).generation is None
    assert store.latest() == back
    assert store.publish("run-3", make_shop(), {}).generation == 4


def test_rolling_back_to_the_latest_changes_nothing(store, make_shop):
    """The generation rises only when readers see something else."""
    latest = store.publish("run-1", make_shop(), {})
    assert store.rollback(latest.snapshot_id) == latest


def test_rollback_to_an_unknown_snapshot_names_those_there_are(store, make_shop):
    """A typing error costs nothing and shows the choice."""
    known = store.publish("run-1", make_shop(), {})
    with pytest.raises(SnapshotNotFoundError, match=f"'run-9-0'.*{known.snapshot_id}"):
        store.rollback("run-9-0")


def test_the_list_shows_the_newest_first(store, make_shop):
    """`snapshots ls` has rows, bytes and which is latest."""
    for run in ("run-1", "run-2"):
        store.publish(run, make_shop(rows=5), {})
    infos = store.list()
    assert [(info.run_id, info.is_latest) for info in infos] == [("run-2", True), ("run-1", False)]
    assert (infos[0].tables, infos[0].rows) == (2, 10)


def test_a_document_of_a_later_format_is_refused(store, make_shop):
    """An old reader says that it is old."""
    store.publish("run-1", make_shop(), {})
    content, token = store.backend.read_with_token("latest.json")
    newer = content.replace(b'"format": 1', b'"format": 9')
    assert store.backend.compare_and_swap("latest.json", newer, token)
    with pytest.raises(SandboxError, match=r"format 9, .* up to 1\. Upgrade"):
        store.latest()


def test_a_foreign_file_in_place_of_ours_is_refused(store):
    """Somebody else's latest.json is neither read nor overwritten."""
    store.backend.put_new("latest.json", b"hello")
    with pytest.raises(SandboxError, match=r"latest.json is not a document of prefect-synth"):
        store.latest()
