"""What only a folder has: a lock that dies with its holder, and files that others may read."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from prefect_synth.tasks.snapshots import folder as folder_module
from prefect_synth.tasks.snapshots.errors import SandboxConflictError, SandboxError
from prefect_synth.tasks.snapshots.folder import FolderBackend

HOLD = """
import sys, time
from pathlib import Path
from prefect_synth.tasks.snapshots.folder import FolderBackend
with FolderBackend(Path(sys.argv[1]))._lock():
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the folder's lock."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "held\n"
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


def test_a_lock_that_is_held_too_long_is_named(tmp_path, holder, monkeypatch):
    """Nobody waits for ever for a process that hangs."""
    monkeypatch.setattr(folder_module, "_PATIENCE_SECONDS", 0.2)
    with pytest.raises(SandboxConflictError, match=r"\.lock has been held by another process"):
        FolderBackend(tmp_path).compare_and_swap("latest.json", b"{}", None)


def test_a_killed_holder_frees_the_lock(tmp_path, holder):
    """A crash never blocks the next run."""
    holder.kill()
    assert FolderBackend(tmp_path).compare_and_swap("latest.json", b"{}", None)


def test_one_of_many_creators_wins(tmp_path):
    """Create-once holds between threads, too."""
    backend, wins = FolderBackend(tmp_path), []
    threads = [
        threading.Thread(target=lambda n=n: wins.append(backend.put_new("x.json", b"%d" % n)))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(wins) == [False] * 7 + [True]


def test_many_swappers_lose_no_change(tmp_path):
    """Sixty increments by six threads make sixty."""
    backend = FolderBackend(tmp_path)
    backend.put_new("n", b"0")

    def increment():
        done = 0
        while done < 10:
            content, token = backend.read_with_token("n")
            done += backend.compare_and_swap("n", b"%d" % (int(content) + 1), token)

    threads = [threading.Thread(target=increment) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert backend.read_with_token("n")[0] == b"60"


def test_published_files_may_be_read_by_others(tmp_path):
    """Files keep the usual rights, so that another user's tests can read them."""
    (tmp_path / "source").write_bytes(b"1")
    FolderBackend(tmp_path / "sandbox").put_file(tmp_path / "source", "snapshots/a/b")
    usual = (tmp_path / "source").stat().st_mode
    assert (tmp_path / "sandbox/snapshots/a/b").stat().st_mode == usual


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    """A wrong path is found out."""
    (tmp_path / "file").touch()
    with pytest.raises(SandboxError, match=r"file: could not make and list this folder"):
        FolderBackend(tmp_path / "file").reach()
