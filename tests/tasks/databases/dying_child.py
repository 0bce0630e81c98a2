"""Feed a database and die in the middle: `python dying_child.py SANDBOX SNAPSHOT URL BATCHES`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from prefect_synth.tasks.databases.feeding import feed_snapshot
from prefect_synth.tasks.snapshots.reading import snapshots
from prefect_synth.tasks.snapshots.reading_snapshot import Snapshot


class Dying(Snapshot):
    """A snapshot whose reader is killed after some batches."""

    left = 0

    def batches(self, name: str, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        for batch in super().batches(name, columns):
            if Dying.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            Dying.left -= 1
            yield batch


def main(sandbox: str, snapshot_id: str, url: str, batches: str) -> Any:
    """Feed until so many batches were read."""
    found = snapshots(sandbox).get(snapshot_id)
    Dying.left = int(batches)
    return feed_snapshot(Dying(found.manifest, found.local, found.store), url)


if __name__ == "__main__":
    main(*sys.argv[1:])
