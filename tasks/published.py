"""What earlier snapshots reached, read from their manifests."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from prefect_synth.expectations.report_content import PastScores
from prefect_synth.expectations.scores import Score
from prefect_synth.tasks.snapshots.store import SnapshotStore

_MOST = 12


class PublishedSnapshot(BaseModel):
    """A published snapshot.

    Args:
        name: Its name.
        created: When its real rows were read.
        figures: Its figures by their keys.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    created: datetime
    figures: dict[str, float] = {}


class PublishedSnapshots(BaseModel):
    """The last snapshots, the oldest first.

    Args:
        snapshots: The snapshots.
        latest: The one that readers see; None where there is none.
    """

    model_config = ConfigDict(frozen=True)

    snapshots: tuple[PublishedSnapshot, ...] = ()
    latest: PublishedSnapshot | None = None

    def past(self) -> tuple[PastScores, ...]:
        """The figures of whole snapshots, as the report draws them."""
        return tuple(
            PastScores(s.name, s.created, {k: v for k, v in s.figures.items() if " " not in k})
            for s in self.snapshots
        )


def published_snapshots(sandbox: SnapshotStore) -> PublishedSnapshots:
    """Read what the last snapshots reached from the sandbox."""
    infos = sorted(sandbox.list(), key=lambda info: info.created)[-_MOST:]
    found = {info.snapshot_id: _read(sandbox, info.snapshot_id, info.created) for info in infos}
    latest = sandbox.latest()
    if latest is not None and latest.snapshot_id not in found:
        found[latest.snapshot_id] = _read(sandbox, latest.snapshot_id, latest.created)
    return PublishedSnapshots(
        snapshots=tuple(found.values()),
        latest=None if latest is None else found[latest.snapshot_id],
    )


def _read(sandbox: SnapshotStore, name: str, created: str) -> PublishedSnapshot:
    scores = [Score.from_dict(score) for score in sandbox.show(name).get("scores", ())]
    return PublishedSnapshot(
        name=name,
        created=datetime.fromisoformat(created),
        figures={score.key: score.found for score in scores},
    )
