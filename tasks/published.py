"""What earlier snapshots reached, read from their manifests."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from prefect_synth.expectations.report_content import PastScores
from prefect_synth.expectations.scores import Score
from prefect_synth.tasks.snapshots.errors import SandboxError
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
    """Read what the last snapshots reached; what cannot be read any more is left out.

    Args:
        sandbox: Where they are.

    Raises:
        SandboxError: The pointer cannot be read.
    """
    latest = sandbox.latest()
    places = dict(_places(sandbox)[-_MOST:])
    if latest is not None:
        places[latest.snapshot_id] = latest.created
    found = {name: _read(sandbox, name, created) for name, created in places.items()}
    return PublishedSnapshots(
        snapshots=tuple(sorted(found.values(), key=lambda snapshot: snapshot.created)),
        latest=None if latest is None else found[latest.snapshot_id],
    )


def _places(sandbox: SnapshotStore) -> list[tuple[str, str]]:
    """Names and moments of the published snapshots, the oldest first."""
    try:
        infos = sandbox.list()
    except SandboxError:  # the history is a courtesy: a broken record must not stop a refresh
        return []
    return sorted(((i.snapshot_id, i.created) for i in infos), key=lambda place: place[1])


def _read(sandbox: SnapshotStore, name: str, created: str) -> PublishedSnapshot:
    try:
        scores = [Score.from_dict(score) for score in sandbox.show(name).get("scores", ())]
    except (SandboxError, TypeError):  # its files are gone, or another version wrote it
        scores = []
    return PublishedSnapshot(
        name=name,
        created=datetime.fromisoformat(created),
        figures={score.key: score.found for score in scores},
    )
