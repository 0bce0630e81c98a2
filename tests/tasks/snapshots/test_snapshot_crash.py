"""The crash test: SIGKILL of clients and of the server at random moments, while a reader checks.

`make crash` runs it in full and prints what it counted; the default suite runs a small one.
"""

from __future__ import annotations

import json
import random
import time
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.tasks.snapshots.retention import Retention

PART = 5 << 20
SERVER_KILLS = 6
FOREIGN_FOLDERS = ("snapshots/theirs-0badcafe/", "elsewhere/")
FOREIGN = (
    "notes.txt",
    "attempts/notes.txt",
    "snapshots/readme.txt",
    "snapshots/theirs-0badcafe/part-00000.parquet",
)


@pytest.fixture
def make_marked(make_shop, tmp_path):
    """Make a shop whose rows carry a mark; every third has a table of several parts besides."""

    def make(mark):
        shop = make_shop(mark)
        if mark % 3 == 0:
            noise = random.Random(mark).randbytes(11 << 20)  # noqa: S311
            big = pa.table(
                {"mark": [mark] * 11, "noise": [noise[n << 20 :][: 1 << 20] for n in range(11)]}
            )
            pq.write_table(big, tmp_path / f"big-{mark}.parquet", compression="none")
            shop["public.big"] = tmp_path / f"big-{mark}.parquet"
        return shop

    return make


class Crashes:
    """One sandbox, a reader that never stops checking, and publishers that are killed."""

    def __init__(self, sandbox, children, make_marked, seed):
        self.sandbox, self.children, self.make = sandbox, children, make_marked
        self.store, self.draw = sandbox.open(), random.Random(seed)  # noqa: S311
        self.began, self.kills, self.amid, self.after = time.monotonic(), 0, 0, 0
        self.publish(0)
        self.seconds = self._undisturbed()
        self.reader = children.poll(sandbox)
        self.reader.until("ready")

    def publish(self, mark, shop=None):
        """Publish, or finish what a killed process began, and see that it is whole."""
        published = self.store.publish(f"run-{mark}", shop or self.make(mark), {"mark": mark})
        assert published.is_latest
        assert self.store.verify(published.snapshot_id) == []

    def kill_at_random(self, mark):
        """Start to publish, kill at a random moment, and publish the same run again."""
        shop = self.make(mark)
        child = self._start(mark, shop)
        child.until("ready")
        time.sleep(self.draw.uniform(0, self.seconds[mark % 3 == 0]))
        child.kill()
        self.kills += 1
        self.after += self.store.latest().run_id == f"run-{mark}"
        self.amid += f"attempts/run-{mark}-" in str(list(self.store.backend.objects("attempts/")))
        self.publish(mark, shop)

    def _start(self, mark, shop):
        facts = {"mark": mark, "created": datetime.now(UTC).isoformat()}
        return self.children.publish(self.sandbox, f"run-{mark}", shop, facts, warm=True, part=PART)

    def _undisturbed(self):
        """How long publishing takes, without and with a big table."""
        seconds = []
        for mark in (1, 3):
            child = self._start(mark, self.make(mark))
            child.until("ready")
            start = time.monotonic()
            child.until("done")
            seconds.append(time.monotonic() - start)
        return seconds

    def stop(self):
        """Stop the reader, and return all counts."""
        seen = json.loads(self.reader.rest())
        kills = {"kills": self.kills, "amid_an_attempt": self.amid, "after_publication": self.after}
        return {**kills, **seen, "seconds": round(time.monotonic() - self.began)}


def _plant(store):
    """Put files and unfinished uploads of others inside the sandbox and beside it."""
    place, files = store.backend.place, store.backend._files
    keys = [f"{place.prefix}/{key}" for key in FOREIGN]
    keys += [f"{place.prefix}2/latest.json", f"{place.prefix}2/snapshots/run-1-00000000/a.parquet"]
    for key in keys:
        files.call_s3("put_object", Bucket=place.bucket, Key=key, Body=b"theirs")
    folders = (
        *(f"{place.prefix}/{name}" for name in FOREIGN_FOLDERS),
        f"{place.prefix}2/snapshots/",
    )
    uploads = [
        files.call_s3("create_multipart_upload", Bucket=place.bucket, Key=f"{folder}big.parquet")
        for folder in folders
    ]
    return keys, sorted(upload["Key"] for upload in uploads)


def _all_objects(store):
    place = store.backend.place
    page = store.backend._files.call_s3(
        "list_objects_v2", Bucket=place.bucket, Prefix=place.prefix.split("/")[0]
    )
    assert not page["IsTruncated"]
    return {item["Key"] for item in page["Contents"]}


def _all_uploads(store):
    place = store.backend.place
    page = store.backend._files.call_s3("list_multipart_uploads", Bucket=place.bucket)
    ours = place.prefix.split("/")[0]
    return sorted(u["Key"] for u in page.get("Uploads", ()) if u["Key"].startswith(ours))


def _assert_clean(crashes, foreign, uploads):
    """After `gc` there are the newest snapshots, what others put there, and nothing else."""
    store, prefix = crashes.store, crashes.store.backend.place.prefix
    for _ in range(2):  # an abandoned attempt's mark goes with the second
        store.gc(Retention(3), grace_hours=0)
    kept = {info.snapshot_id for info in store.list()}
    assert len(kept) == 3
    left = {item.key.split("/")[1] for item in store.backend.objects("snapshots/")}
    assert left == kept | {"readme.txt", "theirs-0badcafe"}
    assert [item.key for item in store.backend.objects("attempts/")] == ["attempts/notes.txt"]
    assert set(foreign) <= _all_objects(store)
    assert _all_uploads(store) == uploads
    assert all(key.startswith(prefix) for key in _all_objects(store) | set(uploads))


def _crash_clients(s3_sandbox, children, make_marked, kills):
    crashes = Crashes(s3_sandbox, children, make_marked, seed=kills)
    foreign, uploads = _plant(crashes.store)
    unfinished = 0
    for number in range(kills):
        crashes.kill_at_random(number + 4)
        if number % 25 == 24:
            unfinished += len(list(crashes.store.backend.uploads("snapshots/"))) - 1
            crashes.store.gc(Retention(3), grace_hours=0)
    counts = {**crashes.stop(), "unfinished_uploads_collected": unfinished}
    _assert_clean(crashes, foreign, uploads)
    print(f"\nclient killed: {json.dumps(counts)}")
    return counts


def test_a_few_random_kills_leave_nothing_torn_and_nothing_behind(
    s3_sandbox, children, make_marked
):
    """The crash test in small: readers see whole snapshots, runs finish, only ours is deleted."""
    counts = _crash_clients(s3_sandbox, children, make_marked, kills=10)
    assert (counts["torn"], counts["refused"], counts["kills"]) == ([], 0, 10)


@pytest.mark.slow
def test_two_hundred_random_kills_leave_nothing_torn_and_nothing_behind(
    s3_sandbox, children, make_marked
):
    """The same at 200 random moments; the moments reach from the first request to the last."""
    counts = _crash_clients(s3_sandbox, children, make_marked, kills=200)
    assert (counts["torn"], counts["refused"], counts["kills"]) == ([], 0, 200)
    assert counts["after_publication"] < 100
    assert counts["unfinished_uploads_collected"] > 0
    assert counts["amid_an_attempt"] > 50
    assert counts["reads"] > 100


@pytest.mark.slow
def test_a_killed_server_loses_nothing_that_was_published(
    mortal_server, mortal_sandbox, children, make_marked
):
    """SIGKILL of the server while publishing, at several moments; the run is repeated after."""
    crashes = Crashes(mortal_sandbox, children, make_marked, seed=6)
    foreign, uploads = _plant(crashes.store)
    outcomes = []
    for number in range(SERVER_KILLS):
        mark = 3 * (number + 2)
        shop = crashes.make(mark)
        child = crashes._start(mark, shop)
        child.until("ready")
        time.sleep(crashes.seconds[1] * number / SERVER_KILLS)
        mortal_server.kill()
        mortal_server.start()
        outcomes.append(child.until("done", "failed").partition(":")[0])
        crashes.publish(mark, shop)
    counts = crashes.stop()
    _assert_clean(crashes, foreign, uploads)
    print(f"\nserver killed: {json.dumps({**counts, 'kills': SERVER_KILLS, 'clients': outcomes})}")
    assert counts["torn"] == []
    assert counts["reads"] > SERVER_KILLS
