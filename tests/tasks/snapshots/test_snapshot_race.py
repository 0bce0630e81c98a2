"""Several processes at once: one snapshot for each run, and the pointer at the newest."""

from __future__ import annotations

import threading


def _start_all(children, sandbox, runs):
    """Start a publisher for each (run id, tables, facts), and let all go at the same moment."""
    started = [
        children.publish(sandbox, run_id, tables, facts, wait=True)
        for run_id, tables, facts in runs
    ]
    for child in started:
        child.until("ready")
    for child in started:
        child.stdin.write("go\n")
        child.stdin.flush()
    return started


def _wait_for(started):
    assert [child.rest() for child in started] == ["done"] * len(started)


def test_two_processes_with_one_run_id_commit_one_snapshot(sandbox, make_shop, children):
    """The loser's files are gone, the winner's are whole."""
    store = sandbox.open()
    _wait_for(_start_all(children, sandbox, [("run-1", make_shop(mark), {}) for mark in (1, 2)]))
    folders = {item.key.split("/")[1] for item in store.backend.objects("snapshots/")}
    assert folders == {store.latest().snapshot_id}
    assert store.verify(store.latest().snapshot_id) == []


def test_several_runs_at_once_end_at_the_newest(sandbox, make_shop, children):
    """The order of arrival does not matter."""
    hours = [3, 1, 4, 2]
    runs = [
        (f"run-{hour}", make_shop(hour), {"created": f"2026-01-01T0{hour}:00:00Z"})
        for hour in hours
    ]
    _wait_for(_start_all(children, sandbox, runs))
    store = sandbox.open()
    assert [info.run_id for info in store.list()] == ["run-4", "run-3", "run-2", "run-1"]
    assert store.latest().run_id == "run-4"


def test_a_rollback_and_a_publication_at_once_are_taken_in_some_order(sandbox, make_shop, children):
    """Both take effect: the pointer ends at one of the two, and no generation is lost."""
    store = sandbox.open()
    first = store.publish("run-1", make_shop(1), {})
    store.publish("run-2", make_shop(2), {})
    started = _start_all(children, sandbox, [("run-3", make_shop(3), {})])
    back = store.rollback(first.snapshot_id)
    _wait_for(started)
    latest = store.latest()
    assert back.generation in (3, 4)
    # published first: rolled back from it; rolled back first: a newer run goes on
    assert (latest.run_id, latest.generation) == ("run-1" if back.generation == 4 else "run-3", 4)


def test_retention_during_rollbacks_never_leaves_the_pointer_at_nothing(sandbox, make_shop):
    """Whatever wins, the latest snapshot is whole."""
    store = sandbox.open()
    ids = [store.publish(f"run-{n}", make_shop(n), {}).snapshot_id for n in range(6)]
    errors = []

    def roll_back():
        for snapshot_id in ids:
            try:
                sandbox.open().rollback(snapshot_id)
            except Exception as error:
                errors.append(type(error).__name__)

    thread = threading.Thread(target=roll_back)
    thread.start()
    for last in (5, 4, 3, 2, 1):
        sandbox.open().retain(last)
    thread.join()
    assert set(errors) <= {"SnapshotNotFoundError"}
    assert store.verify(store.latest().snapshot_id) == []
