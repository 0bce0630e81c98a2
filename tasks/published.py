"""What earlier snapshots reached, read from their manifests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from prefect_synth.expectations.history import RunFigures, run_figures
from prefect_synth.expectations.report_content import PastScores
from prefect_synth.expectations.scores import Score
from prefect_synth.expectations.verdict import Verdict
from prefect_synth.tasks.snapshots.errors import SandboxError
from prefect_synth.tasks.snapshots.store import SnapshotStore

_MOST = 12


class PublishedSnapshot(BaseModel):
    """A published snapshot.

    Args:
        name: Its name.
        created: When its real rows were read.
        figures: Its figures by their keys.
        run: What the run came to that made it; None where its manifest tells too little.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    created: datetime
    figures: dict[str, float] = {}
    run: RunFigures | None = None


class PublishedSnapshots(BaseModel):
    """The last snapshots, the oldest first.

    Args:
        snapshots: The snapshots.
        latest: The one that readers see; None where there is none.
    """

    model_config = ConfigDict(frozen=True)

    snapshots: tuple[PublishedSnapshot, ...] = ()
    latest: PublishedSnapshot | None = None

    @property
    def runs(self) -> tuple[RunFigures, ...]:
        """What the runs came to that made them, as far as their manifests tell."""
        return tuple(snapshot.run for snapshot in self.snapshots if snapshot.run)

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
    started = datetime.fromisoformat(created)
    try:
        manifest = sandbox.show(name)
        scores = [Score.from_dict(score) for score in manifest.get("scores", ())]
    except (SandboxError, TypeError):  # its files are gone, or another version wrote it
        return PublishedSnapshot(name=name, created=started)
    figures = {score.key: score.found for score in scores}
    run = _run(manifest, started, figures)
    return PublishedSnapshot(name=name, created=started, figures=figures, run=run)


def _run(
    manifest: Mapping[str, Any], started: datetime, figures: Mapping[str, float]
) -> RunFigures | None:
    """What a run came to, as its manifest tells."""
    try:
        return run_figures(
            manifest["run_id"],
            started,
            figures,
            Verdict.from_dict(manifest["verdict"]),
            rows=sum(table["rows"] for table in manifest["tables"].values()),
            seconds=sum(manifest["seconds"].values()) if "seconds" in manifest else None,
        )
    except (KeyError, TypeError):  # another version wrote it
        return None
