"""What goes and what stays: retention, crashed attempts, unfinished uploads, verification."""

from __future__ import annotations

import pytest

from prefect_synth.tasks.snapshots.attempts import Attempts
from prefect_synth.tasks.snapshots.errors import (
    SandboxConflictError,
    SandboxError,
    SnapshotNotFoundError,
)
from prefect_synth.tasks.snapshots.manifest import draft_snapshot
from prefect_synth.tasks.snapshots.publishing import Publisher
from prefect_synth.tasks.snapshots.retention import Garbage, Retention
from prefect_synth.tasks.snapshots.store import open_store


def _publish(store, make_shop, count):
    return [store.publish(f"run-{n}", make_shop(mark=n), {}).snapshot_id for n in range(count)]


def _files(store, prefix="snapshots/"):
    return sorted(item.key for item in store.backend.objects(prefix))


def _half_written(store, make_shop, snapshot_id):
    attempts, path = Attempts(store.backend), make_shop()["public.orders"]
    attempts.begin(snapshot_id)
    store.backend.put_file(path, f"snapshots/{snapshot_id}/public.orders/part-00000.parquet")
    return attempts


def test_retention_keeps_the_newest_snapshots(store, make_shop):
    """The rest is deleted, file by file, and named."""
    ids = _publish(store, make_shop, 4)
    assert store.retain(last=2) == ids[:2]
    assert [info.snapshot_id for info in store.list()] == [ids[3], ids[2]]
    assert {key.split("/")[1] for key in _files(store)} == set(ids[2:])


def test_retention_never_deletes_what_readers_use(store, make_shop):
    """After a roll-back the old snapshot is the one that must stay."""
    ids = _publish(store, make_shop, 3)
    latest = store.rollback(ids[0])
    assert store.retain(last=1) == [ids[1]]
    assert (store.latest(), store.verify(ids[0])) == (latest, [])


def test_a_deleted_run_does_not_come_back(store, make_shop):
    """Its record stays, so that repeating an old run is harmless."""
    ids = _publish(store, make_shop, 2)
    store.retain(last=1)
    assert store.publish("run-0", make_shop(), {}).generation is None
    assert store.latest().snapshot_id == ids[1]


def test_a_deleted_snapshot_cannot_be_rolled_back_to(store, make_shop):
    """The pointer never names nothing."""
    ids = _publish(store, make_shop, 2)
    store.retain(last=1)
    with pytest.raises(SnapshotNotFoundError, match="deleted by retention"):
        store.rollback(ids[0])


def test_an_interrupted_deletion_is_finished_next_time(store, make_shop):
    """What retention has begun, a later retention ends."""
    ids = _publish(store, make_shop, 2)
    store.retain(last=1)
    path = make_shop()["public.orders"]
    store.backend.put_file(path, f"snapshots/{ids[0]}/public.orders/part-00000.parquet")
    store.retain(last=1)
    assert all(key.split("/")[1] == ids[1] for key in _files(store))


def test_a_crashed_attempt_is_deleted_only_after_the_grace_period(store, make_shop):
    """A slow upload is not a crashed one."""
    _half_written(store, make_shop, "run-1-00000000")
    assert store.retain(last=1, grace_hours=1) == []
    assert store.retain(last=1, grace_hours=0) == ["run-1-00000000"]
    store.retain(last=1, grace_hours=0)
    assert (_files(store), _files(store, "attempts/")) == ([], [])


def test_files_of_others_are_never_deleted(store, make_shop):
    """Only what carries our mark or our record is ours."""
    _publish(store, make_shop, 2)
    foreign = ["snapshots/notes-0badcafe/readme.txt", "snapshots/readme.txt", "other.txt"]
    for key in foreign:
        store.backend.put_new(key, b"mine")
    store.retain(last=1, grace_hours=0)
    assert set(foreign) <= set(_files(store, ""))


def test_a_collected_attempt_cannot_be_committed(store, make_shop):
    """A publisher that slept through the grace period fails, and leaves nothing."""
    attempts = _half_written(store, make_shop, "run-1-00000000")
    store.retain(last=1, grace_hours=0)
    with pytest.raises(SandboxConflictError, match="longer than the grace period: run again"):
        attempts.seal("run-1-00000000")
    assert store.latest() is None


def test_a_sealed_attempt_is_not_collected(store, make_shop):
    """Between its last file and its commit record nobody takes it away."""
    _half_written(store, make_shop, "run-1-00000000").seal("run-1-00000000")
    assert store.retain(last=1, grace_hours=0) == []
    assert len(_files(store)) == 1


def test_the_loser_of_two_attempts_is_deleted_at_once(store, make_shop):
    """Only the winner's files stay."""
    draft, publisher = draft_snapshot(make_shop(), {}, {}), Publisher(store.backend)
    winner, loser = publisher.publish("run-1", draft), publisher.publish("run-1", draft)
    assert loser == winner
    assert {key.split("/")[1] for key in _files(store)} == {winner.snapshot_id}


def test_a_failed_upload_takes_its_attempt_back(store, make_shop):
    """An error before the commit leaves nothing behind."""
    shop = make_shop()
    draft = draft_snapshot(shop, {}, {})
    shop["public.orders"].unlink()
    with pytest.raises(SandboxError, match="No such file"):
        Publisher(store.backend).publish("run-1", draft)
    assert _files(store, "") == []


def test_only_our_own_unfinished_uploads_are_aborted(s3_sandbox, make_shop):
    """A killed client's parts go after the grace period; a neighbour's and a stranger's stay."""
    store, neighbour = s3_sandbox.open(), s3_sandbox.open("/neighbour")
    store.publish("run-1", make_shop(), {})
    _half_written(store, make_shop, "run-2-00000000")

    def begin(backend, folder):
        key = f"{backend.place.prefix}/{folder}/orders/part-00000.parquet"
        backend._files.call_s3("create_multipart_upload", Bucket=backend.place.bucket, Key=key)

    def unfinished(backend):
        return sorted(upload.key.split("/")[1] for upload in backend.uploads("snapshots/"))

    ours = ["run-1-00000000", "run-2-00000000"]  # of a committed run; of a marked attempt
    for folder in (*ours, "notes-0badcafe"):
        begin(store.backend, f"snapshots/{folder}")
    begin(store.backend, "elsewhere")
    begin(neighbour.backend, "snapshots/run-1-00000000")
    store.retain(last=1, grace_hours=1)
    assert unfinished(store.backend) == ["notes-0badcafe", *ours]
    assert store.gc(grace_hours=0, dry_run=True) == Garbage((), (ours[1],), 2)
    assert store.gc(grace_hours=0) == Garbage((), (ours[1],), 2)
    assert unfinished(store.backend) == ["notes-0badcafe"]
    assert len(list(store.backend.uploads("elsewhere/"))) == 1
    assert len(list(neighbour.backend.uploads("snapshots/"))) == 1


def test_verify_names_every_kind_of_damage(store, make_shop):
    """Missing, changed, cut and strange files are told apart."""
    extras = {name: make_shop()["public.orders"] for name in ("cut.bin", "changed.bin")}
    snapshot_id = store.publish("run-1", make_shop(), {}, extras).snapshot_id
    folder, size = f"snapshots/{snapshot_id}/", extras["cut.bin"].stat().st_size
    assert store.verify(snapshot_id) == []
    damage = {"cut.bin": b"1", "changed.bin": b"1" * size, "strange.bin": b"1"}
    for name, content in damage.items():
        store.backend.delete(folder + name)
        store.backend.put_new(folder + name, content)
    store.backend.delete(f"{folder}public.orders/part-00000.parquet")
    assert store.verify(snapshot_id) == [
        "public.orders/part-00000.parquet is missing",
        f"cut.bin has 1 bytes, the manifest says {size}",
        "changed.bin has another sha256",
        "strange.bin is not in the manifest",
    ]


@pytest.mark.parametrize(("last", "weekly"), [(0, 8), (-1, 0), (1, -1)])
def test_senseless_retention_is_refused(last, weekly):
    """Keeping nothing is not a policy."""
    with pytest.raises(SandboxError, match=f"got {last} and {weekly}"):
        Retention(last, weekly)


def test_a_senseless_grace_period_is_refused(store):
    """An attempt cannot have crashed in the future."""
    with pytest.raises(SandboxError, match="got -1"):
        store.gc(grace_hours=-1)


def test_unfinished_copies_in_a_folder_are_deleted(tmp_path):
    """What a killed copy left in `.uploads` goes after the grace period."""
    store = open_store(str(tmp_path))
    (tmp_path / ".uploads").mkdir()
    (tmp_path / ".uploads" / "half").write_bytes(b"PAR1")
    store.retain(last=1, grace_hours=1)
    assert _files(store, ".uploads/") == [".uploads/half"]
    store.retain(last=1, grace_hours=0)
    assert _files(store, ".uploads/") == []
