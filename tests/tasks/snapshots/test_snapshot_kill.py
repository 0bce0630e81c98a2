"""SIGKILL at any moment: readers see one whole snapshot, and the same run finishes later."""

from __future__ import annotations

import threading
import time

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest


def _mark(sandbox, store):
    """Check every byte of the latest snapshot, and return the mark that all its rows carry."""
    latest = store.latest()
    assert store.verify(latest.snapshot_id) == []
    tables = store.show(latest.snapshot_id)["tables"].values()
    frames = [sandbox.read(f"{latest.url}/{table['folder']}") for table in tables]
    marks = set(pd.concat([frame["mark"] for frame in frames]))
    assert len(marks) == 1
    return marks.pop()


def test_a_kill_before_any_step_leaves_one_whole_snapshot(sandbox, make_shop, children):
    """Whatever step comes next: old or new, never half; then the run is repeated and tidied."""
    store, old, new, seen = sandbox.open(), make_shop(mark=1), make_shop(mark=2), []
    for step in range(100):
        store.publish(f"old-{step}", old, {})
        child = children.publish(sandbox, f"new-{step}", new, pause_before=step)
        reached = child.until("paused", "done")
        child.kill()
        seen.append(_mark(sandbox, store))
        assert store.publish(f"new-{step}", new, {}).is_latest
        assert _mark(sandbox, store) == 2
        store.retain(last=1, grace_hours=0)
        store.retain(last=1, grace_hours=0)
        _assert_only_latest_is_left(store)
        if reached == "done":
            break
    # all but the steps after the pointer's move saw the old snapshot; there are a dozen steps
    assert len(seen) > 12
    assert seen == sorted(seen)
    assert {1, 2} == set(seen)


def _assert_only_latest_is_left(store):
    latest = store.latest()
    folders = {item.key.split("/")[1] for item in store.backend.objects("snapshots/")}
    assert folders == {latest.snapshot_id}
    assert [item.key for item in store.backend.objects("attempts/")] == []


@pytest.fixture
def big_shop(tmp_path):
    """Make a shop too big for one request: incompressible rows, marked like the small ones."""

    def make(mark, megabytes):
        path = tmp_path / f"big-{mark}.parquet"
        if not path.exists():
            noise = pd.Series([bytes([mark]) + random_bytes(1 << 20) for _ in range(megabytes)])
            table = pa.table({"mark": [mark] * megabytes, "noise": noise})
            pq.write_table(table, path, compression="none", use_dictionary=False)
        return {"big": path, "small": path}

    return make


def random_bytes(size):
    """Return bytes that do not compress."""
    with open("/dev/urandom", "rb") as file:
        return file.read(size)


def test_kills_at_odd_moments_are_never_seen_by_a_polling_reader(sandbox, big_shop, children):
    """A reader checks every byte all the time while publishers die in mid-upload."""
    store, stop, seen, errors = sandbox.open(), threading.Event(), [], []
    store.publish("run-0", big_shop(0, 8), {})

    def poll():
        while not stop.is_set():
            try:
                seen.append(_mark(sandbox, sandbox.open()))
            except Exception as error:
                errors.append(error)

    reader = threading.Thread(target=poll)
    reader.start()
    for number in range(1, 6):
        child = children.publish(sandbox, f"run-{number}", big_shop(number % 2, 8), warm=True)
        child.until("ready")
        time.sleep(0.03 * number)
        child.kill()
    stop.set()
    reader.join()
    assert (errors, len(seen) > 0) == ([], True)
    assert store.publish("run-5", big_shop(1, 8), {}).is_latest
    assert _mark(sandbox, store) == 1


def test_a_kill_within_a_multipart_upload_leaves_nothing_to_see(s3_sandbox, big_shop, children):
    """The parts are invisible, go with retention, and the run finishes."""
    shop = big_shop(1, 24)
    store = next(
        store
        for number in range(20)  # on a busy machine a kill may come too late
        if _killed_within_a_file(store := s3_sandbox.open(f"/{number}"), children, s3_sandbox, shop)
    )
    assert store.latest() is None
    store.retain(last=1, grace_hours=0)
    assert list(store.backend.uploads("snapshots/")) == []
    assert store.publish("run-1", shop, {}).is_latest


def _killed_within_a_file(store, children, sandbox, shop):
    """Kill a publisher while its first file is on its way; say whether that was in time."""
    below = store.url.removeprefix(sandbox.url)
    child = children.publish(sandbox, "run-1", shop, below=below, part=5 << 20)
    deadline = time.monotonic() + 60
    while not list(store.backend.uploads("snapshots/")):
        assert time.monotonic() < deadline
    child.kill()
    unfinished = list(store.backend.uploads("snapshots/"))
    return bool(unfinished) and not list(store.backend.objects("snapshots/"))
