"""A server that forks processes which publish or read, so that starting one takes milliseconds.

Everything is imported once, here, where no thread runs and no connection is open. Called with the
number of an open Unix socket. Each message is a JSON job with two open files, the child's standard
input and output; the answer is its process id. `{"kill": pid}` kills a child and waits for it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
import traceback
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from prefect_synth.tasks.snapshots import s3
from prefect_synth.tasks.snapshots.backend import Backend
from prefect_synth.tasks.snapshots.errors import SandboxError
from prefect_synth.tasks.snapshots.store import SnapshotStore, open_store

STEPS = {"put_file", "put_new", "compare_and_swap", "read_with_token", "delete"}


class Announced:
    """A backend that tells every step beforehand."""

    def __init__(self, backend: Backend, pause_before: int | None) -> None:
        self._backend, self._pause_before, self._count = backend, pause_before, 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._backend, name)
        return self._announced(name, method) if name in STEPS else method

    def _announced(self, name: str, method: Any) -> Any:
        def step(*arguments: Any) -> Any:
            paused = self._count == self._pause_before
            print("paused before" if paused else "step", self._count, name, flush=True)
            self._count += 1
            if paused:
                time.sleep(600)
            return method(*arguments)

        return step


def publish(job: dict[str, Any]) -> None:
    """Publish, saying each step before it is taken; stop for ever before one of them."""
    s3._PART = job["part"]
    backend = open_store(job["url"], **job["options"]).backend
    if job["warm"]:
        SnapshotStore(backend).latest()  # connected: what comes now is publishing and nothing else
    store = SnapshotStore(Announced(backend, job["pause_before"]))
    tables = {name: Path(path) for name, path in job["tables"].items()}
    print("ready", flush=True)
    if job["wait"]:
        sys.stdin.readline()
    store.publish(job["run_id"], tables, job["facts"])
    print("done", flush=True)


def poll(job: dict[str, Any]) -> None:
    """Read whatever is latest, over and over, until the standard input ends; tell what was seen.

    `torn` lists what must never be seen: a file that differs from its manifest, or rows of another
    snapshot than the manifest's.
    """
    store, seen = open_store(job["url"], **job["options"]), {"reads": 0, "refused": 0}
    names, torn = set(), []
    os.set_blocking(0, False)
    print("ready", flush=True)
    while sys.stdin.buffer.raw.read(1) is None:
        try:
            latest = store.latest()
            if latest is not None:
                torn += _damage(store, latest.snapshot_id)
                names.add(latest.snapshot_id)
                seen["reads"] += 1
        except SandboxError as error:  # the server was killed, or is not up again
            seen["refused"] += 1
            seen.setdefault("first_refusal", repr(error))
            time.sleep(0.1)
    print(json.dumps({**seen, "snapshots": len(names), "torn": torn}), flush=True)


def _damage(store: SnapshotStore, snapshot_id: str) -> list[str]:
    manifest = store.show(snapshot_id)
    damage = [f"{snapshot_id}: {text}" for text in store.verify(snapshot_id)]
    for name, table in manifest["tables"].items():
        for file in table["files"]:
            content = b"".join(store.backend.chunks(f"snapshots/{snapshot_id}/{file['path']}"))
            marks = set(pq.read_table(BytesIO(content), columns=["mark"])["mark"].to_pylist())
            if marks != {manifest["mark"]}:
                damage.append(f"{snapshot_id}: {name} holds {marks}, not {manifest['mark']}")
    return damage


def _run(job: dict[str, Any], files: list[int]) -> None:
    for target, file in enumerate(files):
        os.dup2(file, target)
        os.close(file)
    os.environ.update(job["environ"])
    try:
        {"publish": publish, "poll": poll}[job["task"]](job)
    except SandboxError as error:
        print("failed:", error, flush=True)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def serve(server: socket.socket) -> None:
    """Fork a child for each job; reap the dead only when asked, so that no process id is reused."""
    while True:
        message, files, _, _ = socket.recv_fds(server, 1 << 20, 2)
        if not message:
            return
        job = json.loads(message)
        if "kill" in job:
            os.kill(job["kill"], signal.SIGKILL)
            os.waitpid(job["kill"], 0)
            server.send(b"0")
            continue
        child = os.fork()
        if child == 0:
            server.close()
            _run(job, files)
        for file in files:
            os.close(file)
        server.send(str(child).encode())


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
