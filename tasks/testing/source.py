"""Which snapshot a test run reads: pinned or the latest, the same one for all of its processes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from prefect_synth.tasks.snapshots.errors import SnapshotWarning
from prefect_synth.tasks.snapshots.reading import LATEST, Snapshots, snapshots
from prefect_synth.tasks.snapshots.reading_snapshot import Snapshot

_AGREED = "synth-snapshot.txt"


@dataclass(frozen=True)
class Found:
    """The snapshot of a test run.

    Args:
        snapshot: The snapshot.
        notes: What a person should know of how it was found.
    """

    snapshot: Snapshot
    notes: tuple[str, ...] = ()


def find_snapshot(
    sandbox: str, endpoint_url: str | None, name: str, shared: Path | None = None
) -> Found:
    """Open the snapshot that tests read; a pinned one that is cached needs no network.

    Args:
        sandbox: A folder, or `s3://bucket/prefix`.
        endpoint_url: Address of an S3 server that is not Amazon's.
        name: Name of the snapshot, or `latest`.
        shared: A folder that all processes of the test run share, where there are several: the
            first of them finds out which snapshot is the latest, and all read that one.

    Raises:
        SandboxError: The subclass says what went wrong.
    """
    opened = snapshots(sandbox, endpoint_url=endpoint_url)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", SnapshotWarning)
        if name == LATEST and shared is not None:
            name = _agreed(shared / _AGREED, lambda: _latest(opened))
        snapshot = opened.get(name)
    return Found(snapshot, tuple(str(warning.message) for warning in told))


def _latest(opened: Snapshots) -> str:
    return opened.latest().snapshot_id


def _agreed(place: Path, find: Callable[[], str]) -> str:
    """What the first process to ask found out."""
    if not place.exists():
        aside = place.with_name(f"{place.name}.{os.getpid()}")
        aside.write_text(find(), encoding="utf-8")
        try:
            os.link(aside, place)
        except FileExistsError:
            pass  # another one was faster: its answer counts
        finally:
            aside.unlink()
    return place.read_text(encoding="utf-8")
