"""Sandboxes on what fsspec speaks: memory, a real SFTP server; and what will not do."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import fsspec
import pytest
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import known_implementations

from prefect_synth.tasks.snapshots.attempts import Attempts
from prefect_synth.tasks.snapshots.errors import (
    SandboxConflictError,
    SandboxCredentialsError,
    SandboxDependencyError,
    SandboxError,
    SandboxUnreachableError,
    SandboxUnsafeError,
)
from prefect_synth.tasks.snapshots.lock_object import LockObject
from prefect_synth.tasks.snapshots.remote_files import creates_exclusively
from prefect_synth.tasks.snapshots.retention import Garbage, Retention
from prefect_synth.tasks.snapshots.store import open_store


def _keys(store, prefix=""):
    found = sorted(item.key for item in store.backend.objects(prefix))
    return [key for key in found if not key.startswith(".lock/")]


def test_a_good_file_system_passes_the_trial_and_is_left_as_it_was(remote):
    """The trial takes its own files away."""
    store = remote.open()
    store.check_writable()
    assert _keys(store) == []


def test_snapshots_live_there_as_in_a_folder(remote, make_shop):
    """Publish, repeat, read, go back, pin, retain: all by another address only."""
    store = remote.open()
    ids = [store.publish(f"run-{n}", make_shop(n), {}).snapshot_id for n in range(4)]
    assert store.publish("run-3", make_shop(9), {}).snapshot_id == ids[3]
    assert [info.snapshot_id for info in remote.open().list()] == ids[::-1]
    assert [store.verify(snapshot_id) for snapshot_id in ids] == [[]] * 4
    assert store.rollback(ids[1]).generation == 5
    store.pin(ids[0], "kept")
    assert store.gc(Retention(1)) == Garbage((ids[2],), (), 0)
    assert {key.split("/")[1] for key in _keys(store, "snapshots/")} == {*ids[:2], ids[3]}
    assert remote.open().latest().snapshot_id == ids[1]


def test_crashed_attempts_are_collected_there_too(remote, make_shop):
    """After the grace period, by the file system's own clock."""
    store, path = remote.open(), make_shop()["public.orders"]
    Attempts(store.backend).begin("run-1-00000000")
    store.backend.put_file(path, "snapshots/run-1-00000000/public.orders/part-00000.parquet")
    [mark] = store.backend.objects("attempts/")
    assert abs(mark.modified - datetime.now(UTC)) < timedelta(minutes=1)
    assert store.gc(grace_hours=1) == Garbage()
    assert store.gc(grace_hours=0).attempts == ("run-1-00000000",)
    store.gc(grace_hours=0)
    assert _keys(store) == []


def test_a_file_is_created_once_among_many(remote):
    """One of eight wins, and its content is what is read."""
    stores = [remote.open().backend for _ in range(8)]
    barrier = threading.Barrier(8)

    def create(number):
        barrier.wait()
        return stores[number].put_new("runs/run-1.json", f"{number}".encode())

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(create, range(8)))
    assert won.count(True) == 1
    assert stores[0].read_with_token("runs/run-1.json")[0] == f"{won.index(True)}".encode()


def test_no_swap_is_lost_among_many(remote):
    """A counter that four raise five times each ends at twenty."""
    remote.open().backend.put_new("counter", b"0")

    def count(_):
        backend = remote.open().backend
        for _ in range(5):
            swapped = False
            while not swapped:
                content, token = backend.read_with_token("counter")
                swapped = backend.compare_and_swap("counter", b"%d" % (int(content) + 1), token)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(4)))
    store = remote.open()
    locks = list(store.backend.objects(".lock/"))
    assert len(locks) == (0 if store.url.startswith("abfs") else 1)  # Azure needs none
    assert remote.open().backend.read_with_token("counter")[0] == b"20"


def test_runs_at_once_end_at_the_newest(remote, make_shop):
    """One snapshot for each run, and one for a run that two publish."""
    hours = [3, 1, 4, 2, 4]
    shops = [make_shop(hour) for hour in hours]

    def publish(number):
        facts = {"created": f"2026-01-01T0{hours[number]}:00:00Z"}
        remote.open().publish(f"run-{hours[number]}", shops[number], facts)

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(publish, range(5)))
    store = remote.open()
    assert [info.run_id for info in store.list()] == ["run-4", "run-3", "run-2", "run-1"]
    assert store.latest().run_id == "run-4"
    assert len({key.split("/")[1] for key in _keys(store, "snapshots/")}) == 4


@pytest.mark.parametrize("kind", ["sftp", pytest.param("abfs", marks=pytest.mark.slow)])
def test_killed_publishers_leave_nothing_torn_on_a_real_server(kind, request, make_shop, children):
    """SIGKILL before every other step, while a reader checks every byte."""
    sandbox = request.getfixturevalue(f"{kind}_sandbox")
    store = sandbox.open()
    store.publish("run-first", make_shop(0), {"mark": 0})
    reader, seen = children.poll(sandbox), []
    for step in range(0, 16, 2):
        shop, facts = make_shop(step), {"mark": step}
        child = children.publish(sandbox, f"run-{step}", shop, facts, pause_before=step)
        seen.append(child.until("paused", "done").split()[0])
        child.kill()
        assert store.publish(f"run-{step}", shop, facts).is_latest
    told = json.loads(reader.rest())
    assert (told["torn"], told["refused"], seen.count("paused") > 4) == ([], 0, True)
    for _ in range(2):
        store.gc(Retention(1), grace_hours=0)
    assert {key.split("/")[1] for key in _keys(store, "snapshots/")} == {store.latest().snapshot_id}
    assert _keys(store, "attempts/") + _keys(store, ".uploads/") == []


@pytest.fixture
def lock(memory_sandbox):
    """A lock with a short lease."""
    files = memory_sandbox.open().backend._files
    return LockObject(files, lease_seconds=1, patience_seconds=20)


def test_a_lock_that_was_not_released_is_taken_over_after_its_lease(lock):
    """A holder that died blocks nobody for longer; before, it blocks everybody."""
    lock._acquire()
    start = time.monotonic()
    with lock.held() as second:
        waited = time.monotonic() - start
        assert second.still()
    assert 1 < waited < 10


def test_a_lock_that_is_held_is_not_taken(lock):
    """Whoever waits in vain is told who holds it."""
    patient = LockObject(lock.files, lease_seconds=30, patience_seconds=0.3)
    with lock.held(), pytest.raises(SandboxConflictError, match=r"held by others .* process \d+"):
        patient._acquire()


def test_a_holder_that_was_too_slow_knows_it(lock):
    """After half of its lease it may not write any more; nor when another has taken over."""
    held = lock._acquire()
    assert held.still()
    time.sleep(0.6)
    assert not held.still()
    with lock.held() as second:
        assert (second.number, second.still()) == (held.number + 1, True)


def test_a_sleeper_that_takes_an_old_number_has_not_got_the_lock(lock):
    """It sees that its number is not the highest, and leaves nothing behind."""
    with lock.held() as first:
        number = first.number
    for _ in range(2):
        with lock.held():
            pass
    assert lock._take(number + 1) is None
    assert lock.highest() == number + 2
    assert len(list(lock.files.objects(".lock/"))) == 1


class Pretender(MemoryFileSystem):
    """Memory under another name."""

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(str(path).removeprefix(f"{cls.protocol}://"))


class LooksFirst(Pretender):
    """A file system that inherits fsspec's own look-then-write, as most do."""

    protocol = "looksfirst"
    pipe_file = AbstractFileSystem.pipe_file


class Ignores(Pretender):
    """A file system that takes the mode and forgets it."""

    protocol = "ignores"

    def pipe_file(self, path, value, mode="overwrite", **kwargs):
        super().pipe_file(path, value)


class Races(Pretender):
    """A file system that looks first and writes later, in its own way."""

    protocol = "races"

    def pipe_file(self, path, value, mode="overwrite", **kwargs):
        if mode == "create" and self.exists(path):
            raise FileExistsError(path)
        time.sleep(0.05)
        super().pipe_file(path, value)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (LooksFirst, "cannot create a file only where there is none"),
        (Ignores, "does not keep conditional writes"),
        (Races, "does not keep conditional writes"),
    ],
)
def test_a_file_system_that_cannot_create_exclusively_is_refused(kind, message, make_shop):
    """It is found out before anything is published; what it holds can be read."""
    fsspec.register_implementation(kind.protocol, kind, clobber=True)
    with pytest.raises(SandboxUnsafeError, match=message):
        open_store(f"{kind.protocol}://lab/shop").check_writable()
    written = open_store("memory://lab/shop")
    try:
        published = written.publish("run-1", make_shop(), {})
        reader = open_store(f"{kind.protocol}://lab/shop")
        assert reader.verify(reader.latest().snapshot_id) == []
        assert published.snapshot_id == reader.latest().snapshot_id
    finally:
        MemoryFileSystem().rm("/lab", recursive=True)


class Chatty(Pretender):
    """A file system whose errors quote what they were asked with."""

    protocol = "chatty"

    def cat_file(self, path, start=None, end=None, **kwargs):
        raise OSError(f"GET /{path}?sv=1&sig=hush%2B failed; AccountKey=hush==;Next=1 token=hush")


def test_an_error_that_quotes_a_secret_is_told_without_it():
    """Whatever a library says, its keys are taken out."""
    fsspec.register_implementation("chatty", Chatty, clobber=True)
    with pytest.raises(SandboxError) as caught:
        open_store("chatty://lab/shop").latest()
    assert "hush" not in str(caught.value)
    assert "could not read: OSError: GET /" in str(caught.value)


def test_fsspecs_own_local_files_are_not_trusted_with_creation():
    """They look first and write then; `file://` and `local://` are a folder of our own instead."""
    assert not creates_exclusively(LocalFileSystem())
    assert creates_exclusively(MemoryFileSystem())


def test_a_library_that_is_missing_is_named(monkeypatch):
    """The message says what to install."""
    needy = {"class": "no_such_library.Files", "err": "Please install no-such-library"}
    monkeypatch.setitem(known_implementations, "needy", needy)
    with pytest.raises(SandboxDependencyError, match="Please install no-such-library"):
        open_store("needy://bucket/shop")


def test_nobody_there_and_wrong_keys_are_told_apart(sftp_sandbox, monkeypatch, tmp_path):
    """An address where nothing listens, and a home without a key."""
    with pytest.raises(SandboxUnreachableError, match="nobody answers there"):
        open_store("sftp://127.0.0.1:9/lab").check_writable()
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(SandboxCredentialsError, match="credentials are missing or refused"):
        sftp_sandbox.open().check_writable()
