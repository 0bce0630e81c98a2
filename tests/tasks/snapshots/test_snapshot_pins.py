"""What stays: one snapshot a week, what is pinned, what readers use; and pins against deletions."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_synth.tasks.snapshots.errors import SandboxError, SnapshotNotFoundError
from prefect_synth.tasks.snapshots.records import CommitRecord, Pin, Pointer, utc_text
from prefect_synth.tasks.snapshots.retention import Garbage, Retention

SUNDAY = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)


def _record(moment):
    created = utc_text(moment)
    return CommitRecord(created, f"{created}-1", created, 1, 1, 1)


def _nights(store, make_shop, moments):
    """Publish one snapshot for each moment, oldest first; return their ids in that order."""
    return [
        store.publish(f"run-{number}", make_shop(number), {"created": moment}).snapshot_id
        for number, moment in enumerate(moments)
    ]


def _ids(store):
    return [info.snapshot_id for info in reversed(store.list())]


def test_one_snapshot_a_week_stays(store, make_shop):
    """It is the newest of the week, the week begins on Monday in UTC, and counts double nothing."""
    moments = [SUNDAY + timedelta(days=day) for day in (-13, -7, -6, 0, 1, 2)]
    ids = _nights(store, make_shop, moments)
    # Mondays begin the weeks: (-13, -7), (-6, 0), (1, 2)
    assert sorted(store.retain(last=1, weekly=2)) == sorted(ids[:3] + ids[4:5])
    assert _ids(store) == [ids[3], ids[5]]
    assert store.retain(last=1, weekly=2) == []


def test_weeks_are_counted_in_utc_and_across_new_year():
    """31 December 2024 and 5 January 2025 lie in one week; a time zone does not move a night."""
    new_year = [
        _record(datetime(2025, 1, 5, tzinfo=UTC)),
        _record(datetime(2024, 12, 31, tzinfo=UTC)),
    ]
    assert Retention(1, weekly=5).dropped(new_year) == {new_year[1].snapshot_id}
    monday_east = datetime.fromisoformat("2026-11-23T01:00:00+08:00")  # Sunday in UTC
    late = [_record(monday_east), _record(SUNDAY)]
    assert Retention(1, weekly=5).dropped(late) == {late[1].snapshot_id}


@given(
    days=st.lists(st.integers(0, 400), unique=True, max_size=60),
    last=st.integers(1, 20),
    weekly=st.integers(0, 20),
)
def test_retention_keeps_what_it_says(days, last, weekly):
    """The newest stay, no week has more than its newest besides, older weeks have none."""
    newest_first = [_record(SUNDAY + timedelta(days=day)) for day in sorted(days, reverse=True)]
    dropped = Retention(last, weekly).dropped(newest_first)
    kept = [r for r in newest_first if r.snapshot_id not in dropped]
    weeks = [datetime.fromisoformat(r.created).isocalendar()[:2] for r in newest_first]
    first_of_week = [r for n, r in enumerate(newest_first) if weeks[n] not in weeks[:n]]
    assert kept[:last] == newest_first[:last]
    assert set(kept[last:]) == set(first_of_week[:weekly]) - set(newest_first[:last])


def test_a_pinned_snapshot_stays_until_it_is_unpinned(store, make_shop):
    """The pin has a note and a date, and everybody sees it."""
    ids = _nights(store, make_shop, [SUNDAY + timedelta(days=day) for day in range(3)])
    pin = store.pin(ids[0], "release 4.2")
    assert store.retain(last=1) == [ids[1]]
    assert (_ids(store), store.pins()) == ([ids[0], ids[2]], {ids[0]: pin})
    assert [info.pin for info in store.list()] == [None, pin]
    store.unpin(ids[0])
    assert store.retain(last=1) == [ids[0]]


def test_pins_survive_publishing_rolling_back_and_retention(store, make_shop):
    """Whoever writes the pointer takes the pins along."""
    ids = _nights(store, make_shop, [SUNDAY, SUNDAY + timedelta(days=1)])
    pin = store.pin(ids[0], "kept")
    store.rollback(ids[0])
    store.publish("run-9", make_shop(), {})
    store.retain(last=1)
    assert store.pins() == {ids[0]: pin}


def test_a_roll_back_and_retention_keep_old_new_and_pinned(store, make_shop):
    """Readers' old snapshot stays while it is theirs; then it goes, unless it is pinned."""
    ids = _nights(store, make_shop, [SUNDAY + timedelta(days=day) for day in range(5)])
    store.rollback(ids[1])
    store.pin(ids[0])
    assert store.retain(last=2) == [ids[2]]
    assert (_ids(store), store.latest().snapshot_id) == ([*ids[:2], *ids[3:]], ids[1])
    newest = store.publish("run-9", make_shop(), {}).snapshot_id
    assert sorted(store.retain(last=2)) == sorted([ids[1], ids[3]])
    assert _ids(store) == [ids[0], ids[4], newest]


def test_what_is_not_there_cannot_be_pinned(store, make_shop):
    """Neither an unknown snapshot nor a deleted one; and unpinning tells what is pinned."""
    with pytest.raises(SnapshotNotFoundError, match="has no snapshot 'run-0-00000000'"):
        store.pin("run-0-00000000")
    ids = _nights(store, make_shop, [SUNDAY, SUNDAY + timedelta(days=1)])
    store.retain(last=1)
    with pytest.raises(SnapshotNotFoundError, match="deleted by retention"):
        store.pin(ids[0])
    store.pin(ids[1])
    with pytest.raises(SnapshotNotFoundError, match=f"is not pinned; pinned are: {ids[1]}"):
        store.unpin(ids[0])
    with pytest.raises(SandboxError, match="may have 500 characters, got 501"):
        store.pin(ids[1], "x" * 501)


def test_a_snapshot_that_is_being_deleted_cannot_be_pinned(store, make_shop):
    """From the moment its deletion is written down, though its files are still there."""
    ids = _nights(store, make_shop, [SUNDAY, SUNDAY + timedelta(days=1)])
    _retire_only(store, ids[0])
    with pytest.raises(SnapshotNotFoundError, match="deleted by retention"):
        store.pin(ids[0])
    assert store.gc() == Garbage((ids[0],), (), 0)
    assert list(store.backend.objects(f"snapshots/{ids[0]}/")) == []


def _retire_only(store, snapshot_id):
    """Die, as it were, between the decision to delete a snapshot and its deletion."""
    content, token = store.backend.read_with_token("latest.json")
    document = {**json.loads(content), "retired": [snapshot_id]}
    assert store.backend.compare_and_swap("latest.json", json.dumps(document).encode(), token)


def test_a_trial_of_gc_deletes_nothing_and_says_the_same(store, make_shop):
    """What it announces is what is deleted then."""
    ids = _nights(store, make_shop, [SUNDAY + timedelta(days=day) for day in range(4)])
    store.pin(ids[1])
    told = store.gc(Retention(1), dry_run=True)
    assert (told.snapshots, _ids(store)) == (tuple(sorted((ids[0], ids[2]))), ids)
    assert store.gc(Retention(1)) == told


def test_a_pointer_from_before_there_were_pins_is_read(store, make_shop):
    """Nobody has to publish anew."""
    snapshot_id = store.publish("run-1", make_shop(), {}).snapshot_id
    content, token = store.backend.read_with_token("latest.json")
    document = json.loads(content)
    assert document.pop("pins") == {}
    assert store.backend.compare_and_swap("latest.json", json.dumps(document).encode(), token)
    assert (store.latest().snapshot_id, store.pins()) == (snapshot_id, {})
    store.pin(snapshot_id, "now")
    assert store.pins()[snapshot_id].note == "now"


def test_the_pointer_document_is_read_as_it_was_written():
    """Pins included."""
    pointer = Pointer(1, "a-1", "a", "2026", ("2026", "a"), ("b-1",), {"a-1": Pin("x", "2026")})
    assert Pointer.from_dict(json.loads(pointer.to_json())) == pointer


def test_a_pin_and_a_deletion_at_once_never_both_succeed(sandbox, make_shop):
    """Each snapshot is either pinned and whole, or deleted and its pin was refused."""
    store = sandbox.open()
    ids = _nights(store, make_shop, [SUNDAY + timedelta(days=day) for day in range(5)])
    pinned, refused = [], []

    def pin_all():
        for snapshot_id in ids[:-1]:
            try:
                sandbox.open().pin(snapshot_id)
            except SnapshotNotFoundError:
                refused.append(snapshot_id)
            else:
                pinned.append(snapshot_id)

    thread = threading.Thread(target=pin_all)
    thread.start()
    for last in range(4, 0, -1):
        sandbox.open().retain(last)
    thread.join()
    assert sorted(pinned + refused) == sorted(ids[:-1])
    assert set(store.pins()) == set(pinned)
    for snapshot_id in (*pinned, ids[-1]):
        assert store.verify(snapshot_id) == []
    assert [name for name in refused if list(store.backend.objects(f"snapshots/{name}/"))] == []
