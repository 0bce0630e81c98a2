"""Reading snapshots: pinned or the latest, checked, cached, without Prefect and without network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import prefect_synth
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.tasks.snapshots.address import open_backend
from prefect_synth.tasks.snapshots.errors import (
    SandboxCredentialsError,
    SandboxError,
    SandboxPermissionError,
    SandboxUnreachableError,
    SnapshotCacheError,
    SnapshotContentError,
    SnapshotDamagedError,
    SnapshotNotFoundError,
    SnapshotWarning,
)
from prefect_synth.tasks.snapshots.reading import Snapshots, snapshots_in
from prefect_synth.tasks.snapshots.reading_cache import cache_folder
from prefect_synth.tasks.snapshots.reading_snapshot import Snapshot
from prefect_synth.tasks.snapshots.store import SnapshotStore

Files = dict[str, Path]

SHOP = Metadata(
    {
        "public.orders": Table(
            "public.orders",
            {
                c: Column(c, "id" if c != "mark" else "numerical")
                for c in ("id", "customer_id", "mark")
            },
            ("id",),
        ),
        "public.customers": Table(
            "public.customers", {"id": Column("id", "id"), "mark": Column("mark")}, ("id",)
        ),
    },
    (Relationship("public.orders", ("customer_id",), "public.customers", ("id",)),),
)
DEAD = "http://127.0.0.1:9"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of this test alone."""
    monkeypatch.setenv("PREFECT_SYNTH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def published(store: SnapshotStore, make_shop: Callable[..., Files], cache: Path) -> Snapshots:
    """A sandbox with two snapshots, opened for reading."""
    for mark in (1, 2):
        store.publish(f"run-{mark}", make_shop(mark), {"metadata": SHOP.to_dict()})
    return snapshots_in(store)


def the_only(cache: Path, name: str) -> Path:
    """The only file of that name in the cache."""
    [found] = cache.rglob(name)
    return found


def test_the_latest_snapshot_is_read_as_arrow_and_pandas(published: Snapshots) -> None:
    """What was published last is what a reader gets."""
    snapshot = published.latest()
    assert snapshot.table("public.orders")["mark"].to_pylist() == [2, 2, 2]
    assert snapshot.pandas("public.customers")["id"].tolist() == [2000, 2001, 2002]
    assert snapshot == published.get("latest")


def test_an_older_snapshot_is_read_by_its_name(published: Snapshots) -> None:
    """A pinned name means the same rows for ever."""
    newest, older = published.list()
    assert published.get(older.snapshot_id).table("public.orders")["mark"].to_pylist() == [1] * 3
    assert published.get(newest.snapshot_id) == published.latest()


def test_a_snapshot_tells_what_it_holds(published: Snapshots) -> None:
    """Tables parents first, keys, moment and place come from the manifest."""
    snapshot = published.latest()
    assert snapshot.tables == ("public.customers", "public.orders")
    assert snapshot.metadata == SHOP
    assert list(snapshot.metadata.tables["public.orders"].columns) == ["id", "customer_id", "mark"]
    assert snapshot.created.utcoffset() is not None
    assert snapshot.url == f"{published.url}/snapshots/{snapshot.snapshot_id}"
    assert snapshot.verify() == []


def test_columns_come_in_the_order_asked_for(published: Snapshots) -> None:
    """Whole or in pieces, a choice of columns is in its own order."""
    snapshot = published.latest()
    chosen = snapshot.table("public.orders", ["mark", "id"])
    assert chosen.column_names == ["mark", "id"]
    batches = list(snapshot.batches("public.orders", ["mark", "id"]))
    assert pa.Table.from_batches(batches) == chosen


def test_unknown_names_are_answered_by_the_nearest(published: Snapshots) -> None:
    """A slip of the pen names what was meant."""
    snapshot = published.latest()
    with pytest.raises(SnapshotContentError, match=r"Did you mean 'public\.orders'"):
        snapshot.table("public.order")
    with pytest.raises(SnapshotContentError, match="Did you mean 'customer_id'"):
        snapshot.table("public.orders", ["customerid"])
    with pytest.raises(SnapshotNotFoundError, match="the newest are"):
        published.get("run-9-00000000")


def test_nothing_published_is_told(store: SnapshotStore, cache: Path) -> None:
    """An empty sandbox has no latest snapshot."""
    with pytest.raises(SnapshotNotFoundError, match="prefect-synth refresh"):
        snapshots_in(store).latest()


def test_a_folder_is_read_in_place(
    tmp_path: Path, make_shop: Callable[..., Files], cache: Path
) -> None:
    """Nothing of a local sandbox is copied."""
    store = SnapshotStore(open_backend(str(tmp_path / "sandbox"), None, None, None, None, None))
    store.publish("run-1", make_shop(), {})
    [file] = prefect_synth.snapshots(str(tmp_path / "sandbox")).latest().files("public.orders")
    assert file.is_relative_to(tmp_path / "sandbox")
    assert not cache.exists()


def test_a_file_that_was_changed_in_the_sandbox_is_refused(
    tmp_path: Path, make_shop: Callable[..., Files]
) -> None:
    """A damaged snapshot is an error that names the file, both hashes and what to do."""
    store = SnapshotStore(open_backend(str(tmp_path / "sandbox"), None, None, None, None, None))
    store.publish("run-1", make_shop(), {})
    snapshot = snapshots_in(store).latest()
    [file] = snapshot.files("public.orders")
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    with pytest.raises(SnapshotDamagedError, match=r"part-00000.* has sha256 .*verify"):
        snapshot.table("public.orders")
    file.unlink()
    with pytest.raises(SnapshotDamagedError, match="is missing"):
        snapshot.table("public.orders")


def test_a_manifest_cannot_lead_out_of_its_snapshot(published: Snapshots) -> None:
    """A path that climbs is refused before anything is read or written."""
    snapshot = published.latest()
    file = {"path": "../../../secret", "rows": 1, "bytes": 1, "sha256": "0"}
    odd = {**snapshot.manifest, "tables": {"t": {"files": [file]}}}
    with pytest.raises(SandboxError, match="outside of its snapshot"):
        Snapshot(odd, snapshot.local, snapshot.store).table("t")


def test_a_manifest_cannot_name_another_snapshot(published: Snapshots) -> None:
    """Its name says where files are kept: one that climbs out is refused, known or fetched."""
    name = published.latest().snapshot_id
    file = published.files.root / "snapshots" / name / "manifest.json"  # type: ignore[attr-defined]
    odd = {**json.loads(file.read_text()), "snapshot_id": "another/../../outside"}
    file.write_text(json.dumps(odd))
    with pytest.raises(SandboxError, match="belongs to 'another"):
        published.get(name)


@pytest.fixture
def bucket(s3_sandbox: Any, make_shop: Callable[..., Files], cache: Path) -> Any:
    """A sandbox in a bucket with one snapshot."""
    s3_sandbox.open().publish("run-1", make_shop(1), {"metadata": SHOP.to_dict()})
    return s3_sandbox


def unreachable(sandbox: Any, cache: Path) -> Snapshots:
    """The same sandbox on the same machine, its network gone."""
    reader = prefect_synth.snapshots(sandbox.url, **sandbox.options)
    dead = prefect_synth.snapshots(sandbox.url, **{**sandbox.options, "endpoint_url": DEAD})
    # one and the same sandbox to the cache: only the network differs
    dead.files.root.parent.mkdir(parents=True, exist_ok=True)
    dead.files.root.symlink_to(reader.files.root)
    return dead


def test_a_cached_snapshot_is_read_without_network(bucket: Any, cache: Path) -> None:
    """What was pinned and read once needs the bucket no more."""
    snapshot = prefect_synth.snapshots(bucket.url, **bucket.options).latest()
    orders = snapshot.table("public.orders")
    with warnings.catch_warnings(action="error"):
        again = unreachable(bucket, cache).get(snapshot.snapshot_id)
    assert again.table("public.orders") == orders


@pytest.mark.slow  # a read is patient with a server that does not answer
def test_what_is_not_cached_cannot_be_read_offline(bucket: Any, cache: Path) -> None:
    """The error says that the network is gone, and that the cache does not help."""
    snapshot = prefect_synth.snapshots(bucket.url, **bucket.options).latest()
    again = unreachable(bucket, cache).get(snapshot.snapshot_id)
    with pytest.raises(SandboxUnreachableError) as refused:
        again.table("public.customers")
    assert "is not in the cache" in refused.value.__notes__[0]


def test_the_latest_falls_back_to_the_last_known(bucket: Any, cache: Path) -> None:
    """Without network the reader goes on, and says so."""
    known = prefect_synth.snapshots(bucket.url, **bucket.options).latest()
    offline = unreachable(bucket, cache)
    with pytest.warns(SnapshotWarning, match=known.snapshot_id):
        assert offline.latest().snapshot_id == known.snapshot_id


def test_other_file_systems_are_read_through_the_cache(
    remote: Any, make_shop: Callable[..., Files], cache: Path
) -> None:
    """Whatever fsspec speaks, as a bucket is."""
    remote.open().publish("run-1", make_shop(1), {"metadata": SHOP.to_dict()})
    snapshot = prefect_synth.snapshots(remote.url).latest()
    assert snapshot.table("public.orders")["mark"].to_pylist() == [1] * 3
    assert the_only(cache, "part-00000.parquet").is_relative_to(cache)
    assert prefect_synth.snapshots(remote.url).latest() == snapshot


def test_a_refusal_is_no_lack_of_network(bucket: Any, s3_server: Any, cache: Path) -> None:
    """Wrong or weak keys are an error, whatever the cache holds."""
    prefect_synth.snapshots(bucket.url, **bucket.options).latest()
    weak = s3_server.no_access
    keys = {**bucket.options, "key": weak.key, "secret": weak.secret}
    with pytest.raises(SandboxPermissionError):
        prefect_synth.snapshots(bucket.url, **keys).latest()
    with pytest.raises(SandboxCredentialsError):
        prefect_synth.snapshots(bucket.url, **{**keys, "secret": "wrong"}).latest()


def test_who_may_only_read_can_read(bucket: Any, s3_server: Any, cache: Path) -> None:
    """Reading asks for no right to write."""
    reader = s3_server.read_only
    keys = {**bucket.options, "key": reader.key, "secret": reader.secret}
    assert prefect_synth.snapshots(bucket.url, **keys).latest().table("public.orders").num_rows == 3


def test_a_damaged_cached_file_is_fetched_again(bucket: Any, cache: Path) -> None:
    """The cache heals itself: files, manifest and pointer."""
    snapshot = prefect_synth.snapshots(bucket.url, **bucket.options).latest()
    orders = snapshot.table("public.orders")
    part = the_only(cache, "part-00000.parquet")
    left = part.with_name(f".{part.name}.left-by-a-killed-process")
    left.touch()
    os.utime(left, (0, 0))
    for damage in (b"", b"x" * part.stat().st_size):
        part.write_bytes(damage)
        assert snapshot.table("public.orders") == orders
    assert not left.exists()
    the_only(cache, "manifest.json").write_text("{")
    the_only(cache, "latest.json").write_text("{")
    assert prefect_synth.snapshots(bucket.url, **bucket.options).latest() == snapshot


def test_a_torn_file_in_the_bucket_never_reaches_the_cache(bucket: Any, cache: Path) -> None:
    """Bytes that are not as the manifest says are refused and not kept."""
    store = bucket.open()
    snapshot = prefect_synth.snapshots(bucket.url, **bucket.options).latest()
    [file] = snapshot.manifest["tables"]["public.orders"]["files"]
    key = f"snapshots/{snapshot.snapshot_id}/{file['path']}"
    store.backend.delete(key)
    with pytest.raises(SnapshotDamagedError, match="is missing"):
        snapshot.table("public.orders")
    for content in (b"x", b"x" * file["bytes"]):
        store.backend.delete(key)
        store.backend.put_new(key, content)
        with pytest.raises(SnapshotDamagedError, match=r"has (1 bytes|sha256)"):
            snapshot.table("public.orders")
    assert list(cache.rglob("*part-*")) == []


def test_a_cache_that_cannot_be_written_is_told(bucket: Any, tmp_path: Path) -> None:
    """The error names the variable that moves the cache."""
    (tmp_path / "file").write_text("")
    reader = prefect_synth.snapshots(bucket.url, **bucket.options, cache=tmp_path / "file")
    with pytest.raises(SnapshotCacheError, match="PREFECT_SYNTH_CACHE"):
        reader.latest()


FILL = """
import sys, prefect_synth
url, endpoint, key, secret = sys.argv[1:]
found = prefect_synth.snapshots(url, endpoint_url=endpoint, key=key, secret=secret).latest()
print(sum(found.table(name).num_rows for name in found.tables))
"""


def test_processes_share_one_cache(bucket: Any, cache: Path) -> None:
    """Several that fill it at once all read whole tables, and leave one whole copy."""
    options = bucket.options
    command = [
        sys.executable,
        "-c",
        FILL,
        bucket.url,
        *(options[k] for k in ("endpoint_url", "key", "secret")),
    ]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate()[0].strip() for process in running] == ["6"] * 3
    assert len(list(cache.rglob("*part-*"))) == 2


def test_only_the_last_used_snapshots_stay_cached(
    s3_sandbox: Any, make_shop: Callable[..., Files], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache does not grow for ever, and what is in use is not taken away."""
    monkeypatch.setenv("PREFECT_SYNTH_CACHE_SNAPSHOTS", "2")
    store, reader = s3_sandbox.open(), prefect_synth.snapshots(s3_sandbox.url, **s3_sandbox.options)
    names = [store.publish(f"run-{mark}", make_shop(mark), {}).snapshot_id for mark in range(4)]
    for age, name in zip((4, 3, 2), names, strict=False):
        reader.get(name).table("public.orders")
        manifest = reader.files.root / "snapshots" / name / "manifest.json"
        os.utime(manifest, (manifest.stat().st_mtime - age * 3600,) * 2)
    reader.get(names[0])  # used again just now
    reader.get(names[3])
    kept = {folder.name for folder in (reader.files.root / "snapshots").iterdir()}
    assert kept == {names[0], names[3]}


def test_the_cache_has_its_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The argument, then our variable, then the system's, then the home folder."""
    monkeypatch.delenv("PREFECT_SYNTH_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == Path.home() / ".cache" / "prefect-synth"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "prefect-synth"
    monkeypatch.setenv("PREFECT_SYNTH_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    assert cache_folder(tmp_path / "given") == tmp_path / "given"


LIGHT = """
import sys, prefect_synth
table = prefect_synth.snapshots(sys.argv[1]).latest().table("t")
assert table.num_rows == 2
heavy = {"prefect", "great_expectations", "pandas", "torch", "s3fs", "duckdb", "sqlalchemy"}
print(*sorted(heavy & set(sys.modules)))
"""


def test_reading_loads_no_heavy_library(tmp_path: Path) -> None:
    """A script that reads pays for Arrow alone."""
    pq.write_table(pa.table({"a": [1, 2]}), tmp_path / "t.parquet")
    backend = open_backend(str(tmp_path / "sandbox"), None, None, None, None, None)
    SnapshotStore(backend).publish("run-1", {"t": tmp_path / "t.parquet"}, {})
    command = [sys.executable, "-c", LIGHT, str(tmp_path / "sandbox")]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() == ""
