"""Any sequence of publications, roll-backs, pins, crashes and retentions keeps the promises."""

from __future__ import annotations

import tempfile
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from prefect_synth.tasks.snapshots.attempts import Attempts
from prefect_synth.tasks.snapshots.catalogue import Catalogue
from prefect_synth.tasks.snapshots.errors import SnapshotNotFoundError
from prefect_synth.tasks.snapshots.manifest import draft_snapshot
from prefect_synth.tasks.snapshots.pointing import PointerFile
from prefect_synth.tasks.snapshots.publishing import Publisher
from prefect_synth.tasks.snapshots.retention import Retention
from prefect_synth.tasks.snapshots.store import open_store

DAYS = st.integers(0, 60)


def commit(store, run, tables, created):
    """Publish up to the commit record, as a process does that is killed right after it."""
    draft = draft_snapshot(tables, {"created": created}, {})
    return Publisher(store.backend).publish(run, draft)


class Sandbox(RuleBasedStateMachine):
    """A sandbox in memory, and a model of it: who is there, who is pinned, who is named."""

    snapshots = Bundle("snapshots")

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.table = Path(self.folder.name) / "orders.parquet"
        pq.write_table(pa.table({"id": [1]}), self.table)
        self.store = open_store(f"memory://{uuid.uuid4().hex}/shop")
        self.there, self.pinned, self.generation = {}, set(), 0

    @rule(target=snapshots, day=DAYS)
    def publish(self, day):
        run, moment = uuid.uuid4().hex, datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)
        snapshot = self.store.publish(run, {"orders": self.table}, {"created": moment})
        self.there[snapshot.snapshot_id] = (snapshot.created, run)
        return snapshot.snapshot_id

    @precondition(lambda self: self.there)
    @rule(target=snapshots, day=DAYS)
    def die_before_the_pointer_moves(self, day):
        run, moment = uuid.uuid4().hex, datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)
        record = commit(self.store, run, {"orders": self.table}, moment)
        self.there[record.snapshot_id] = record.order
        return record.snapshot_id

    @rule(snapshot=snapshots)
    def publish_again(self, snapshot):
        run = snapshot.rpartition("-")[0]
        assert self.store.publish(run, {"orders": self.table}, {}).snapshot_id == snapshot

    @rule(snapshot=snapshots)
    def roll_back(self, snapshot):
        self._if_there(snapshot, self.store.rollback)

    @rule(snapshot=snapshots)
    def pin(self, snapshot):
        if self._if_there(snapshot, self.store.pin):
            self.pinned.add(snapshot)

    @rule(snapshot=snapshots)
    def unpin(self, snapshot):
        if snapshot in self.pinned:
            self.store.unpin(snapshot)
            self.pinned.remove(snapshot)

    def _if_there(self, snapshot, act):
        try:
            act(snapshot)
        except SnapshotNotFoundError:
            assert snapshot not in self.there
            return False
        assert snapshot in self.there
        return True

    @rule(last=st.integers(1, 4), weekly=st.integers(0, 4))
    def retain(self, last, weekly):
        expected = self._kept(last, weekly)
        told = self.store.gc(Retention(last, weekly), dry_run=True)
        assert self.store.gc(Retention(last, weekly)).snapshots == told.snapshots
        self.there = {name: self.there[name] for name in expected}

    @rule(last=st.integers(1, 4))
    def die_while_retaining(self, last):
        """The decision is written down, and nothing is deleted yet; readers see them no more."""
        expected = self._kept(last, 0)
        records = Catalogue(self.store.backend).committed()
        living = [record for record in records if record.snapshot_id in self.there]
        dropped = Retention(last).dropped(living)
        PointerFile(self.store.backend).retire(lambda now: set(now.retired) | dropped)
        self.there = {name: self.there[name] for name in expected}

    @rule(day=DAYS)
    def die_while_publishing(self, day):
        snapshot = f"{uuid.uuid4().hex}-{'0' * 8}"
        Attempts(self.store.backend).begin(snapshot)
        self.store.backend.put_file(self.table, f"snapshots/{snapshot}/orders/part-00000.parquet")

    @rule()
    def collect(self):
        self.store.gc(grace_hours=0)
        self.store.gc(grace_hours=0)
        folders = {o.key.split("/")[1] for o in self.store.backend.objects("snapshots/")}
        assert folders == self.there.keys()
        assert list(self.store.backend.objects("attempts/")) == []

    def _kept(self, last, weekly):
        newest_first = sorted(self.there, key=self.there.get, reverse=True)
        weeks = {}
        for name in newest_first:
            moment = datetime.fromisoformat(self.there[name][0])
            weeks.setdefault(moment.date() - timedelta(days=moment.weekday()), name)
        latest = self.store.latest()
        named = {latest.snapshot_id} if latest else set()
        return {*newest_first[:last], *list(weeks.values())[:weekly], *self.pinned, *named}

    @invariant()
    def all_that_is_there_is_whole(self):
        assert {info.snapshot_id for info in self.store.list()} == self.there.keys()
        assert all(self.store.verify(name) == [] for name in self.there)
        assert self.store.pins().keys() == self.pinned

    @invariant()
    def readers_always_find_something_whole(self):
        latest = self.store.latest()
        assert (latest is None) == (not self.there)
        assert latest is None or latest.snapshot_id in self.there
        generation = latest.generation if latest else 0
        assert generation >= self.generation
        self.generation = generation

    def teardown(self):
        files = self.store.backend._files
        if files.files.exists(files.root):
            files.files.rm(files.root, recursive=True)
        self.folder.cleanup()


def test_what_is_being_deleted_takes_no_place_of_another():
    """The second newest of those that live stays, though a retired one is newer."""
    sandbox = Sandbox()
    kept, half_deleted, newest = (sandbox.publish(day) for day in (1, 2, 3))
    sandbox.pin(kept)
    sandbox.die_while_retaining(1)
    sandbox.unpin(kept)
    sandbox.retain(2, 0)
    assert [info.snapshot_id for info in sandbox.store.list()] == [newest, kept]
    assert half_deleted not in sandbox.there
    sandbox.teardown()


def test_a_roll_back_to_what_is_named_already_holds_as_well():
    """The run that died between commit and pointer cannot undo it when it is repeated."""
    sandbox = Sandbox()
    wanted = sandbox.publish(1)
    died = sandbox.die_before_the_pointer_moves(2)
    generation = sandbox.store.latest().generation
    assert sandbox.store.rollback(wanted).generation == generation
    sandbox.publish_again(died)
    assert sandbox.store.latest().snapshot_id == wanted
    newer = sandbox.publish(3)
    assert sandbox.store.latest().snapshot_id == newer
    sandbox.teardown()


TestSandbox = Sandbox.TestCase
TestSandbox.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
