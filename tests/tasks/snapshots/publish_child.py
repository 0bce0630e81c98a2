"""A process that publishes, says each step before it takes it, and can be stopped there.

Called with one JSON argument: url, options, run_id, tables, facts, and pause_before (a step's
number, or null). It writes one line for each step and, where it pauses, waits for ever.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from prefect_synth.tasks.snapshots.backend import Backend
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


def main() -> None:
    """Publish as the argument says."""
    order = json.loads(sys.argv[1])
    backend = open_store(order["url"], **order["options"]).backend
    store = SnapshotStore(Announced(backend, order["pause_before"]))
    tables = {name: Path(path) for name, path in order["tables"].items()}
    print("ready", flush=True)
    if order.get("wait"):
        sys.stdin.readline()
    store.publish(order["run_id"], tables, order["facts"])
    print("done", flush=True)


if __name__ == "__main__":
    main()
