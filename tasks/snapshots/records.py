"""The small documents of the protocol, and how they are read and written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Self

from prefect_synth.tasks.snapshots.backend import Backend
from prefect_synth.tasks.snapshots.errors import SandboxDocumentError, SandboxError
from prefect_synth.tasks.snapshots.naming import manifest_key

FORMAT = 1
"""Version of the sandbox's documents; a reader refuses a later one."""

Json = bytes
"""A document as it is stored."""

State = Literal["writing", "sealed", "abandoned"]

Order = tuple[str, str]
"""(created, run id): what makes one snapshot newer than another."""


@dataclass(frozen=True)
class SnapshotRef:
    """A committed snapshot, and whether readers are pointed at it.

    Args:
        snapshot_id: Name of the snapshot.
        run_id: The run that made it.
        url: Folder of the snapshot; a table's folder lies in it (see the manifest).
        generation: Generation of `latest.json` that names it, or None if a newer one is named.
        created: When its data were taken, in UTC, as text that sorts by time.
    """

    snapshot_id: str
    run_id: str
    url: str
    generation: int | None
    created: str

    @property
    def is_latest(self) -> bool:
        """Whether `latest.json` named this snapshot when the reference was made."""
        return self.generation is not None


@dataclass(frozen=True)
class SnapshotInfo:
    """A committed snapshot as `snapshots ls` shows it."""

    snapshot_id: str
    run_id: str
    created: str
    tables: int
    rows: int
    bytes: int
    is_latest: bool
    pin: Pin | None = None


@dataclass(frozen=True)
class Pin:
    """Says that retention must leave a snapshot alone.

    Args:
        note: Why, in a person's words; it lies in the sandbox for everybody to read.
        since: When it was pinned, in UTC.
    """

    note: str
    since: str


@dataclass(frozen=True)
class CommitRecord:
    """`runs/<run_id>.json`, created once: the attempt that won, for ever."""

    run_id: str
    snapshot_id: str
    created: str
    tables: int
    rows: int
    bytes: int

    @property
    def order(self) -> Order:
        """What makes one snapshot newer than another."""
        return (self.created, self.run_id)

    def to_json(self) -> Json:
        """Return the document."""
        return encode(self.__dict__)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read the document."""
        return cls(**{name: document[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Attempt:
    """`attempts/<snapshot_id>.json`: says that these files are ours and not committed yet.

    It goes from writing to sealed by the publisher, or from writing to abandoned by the
    collector; compare-and-swap lets only one of the two happen.
    """

    snapshot_id: str
    state: State = "writing"

    def to_json(self) -> bytes:
        """Return the document."""
        return encode(self.__dict__)


@dataclass(frozen=True)
class Pointer:
    """`latest.json`: the snapshot that readers shall use.

    Args:
        generation: Rises by one whenever another snapshot is named.
        snapshot_id: The snapshot named.
        run_id: The run that made it.
        created: When its data were taken.
        newest: The newest snapshot that a person or a run has decided about. What is not newer
            cannot take the pointer by itself, so a roll-back stays.
        retired: Snapshots being deleted; the pointer can never name them again.
        pins: Snapshots that must not be deleted. They are kept here and not beside the snapshots
            so that one compare-and-swap decides between a pin and a deletion.
        change: Random name of this change, by which a writer knows its own after a lost reply.
    """

    generation: int
    snapshot_id: str
    run_id: str
    created: str
    newest: Order
    retired: tuple[str, ...] = ()
    pins: Mapping[str, Pin] = field(default_factory=dict)
    change: str = field(default="")

    def to_json(self) -> bytes:
        """Return the document, with the manifest's place for readers in other languages."""
        pins = {snapshot_id: pin.__dict__ for snapshot_id, pin in self.pins.items()}
        manifest = manifest_key(self.snapshot_id)
        return encode({**self.__dict__, "pins": pins, "manifest": manifest})

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read the document; one from before there were pins has none."""
        values = {name: document[name] for name in cls.__dataclass_fields__ if name != "pins"}
        created, run_id = values["newest"]
        pins = {
            snapshot_id: Pin(note=pin["note"], since=pin["since"])
            for snapshot_id, pin in document.get("pins", {}).items()
        }
        rest = {"newest": (created, run_id), "retired": tuple(values["retired"]), "pins": pins}
        return cls(**{**values, **rest})


def encode(document: Mapping[str, Any]) -> bytes:
    """Return a document as JSON that people can read too; tables and columns keep their order.

    Raises:
        ValueError: If a value has no place in JSON.
        TypeError: If a value has no place in JSON.
    """
    whole = {"format": FORMAT, **document}
    return (json.dumps(whole, indent=1, allow_nan=False) + "\n").encode()


def read_document(backend: Backend, key: str) -> tuple[dict[str, Any], str] | None:
    """Return a document and the token of exactly this version, or None if it is absent.

    Raises:
        SandboxDocumentError: If the file is not one of the protocol's, or damaged.
        SandboxError: If it is of a later version of this package.
    """
    found = backend.read_with_token(key)
    return None if found is None else (decode(f"{backend.url}/{key}", found[0]), found[1])


def decode(url: str, content: bytes) -> dict[str, Any]:
    """Return the document that a file holds.

    Args:
        url: Where it was read, for the error.
        content: What the file holds.

    Raises:
        SandboxError: If it is not ours, or of a later version of this package.
    """
    try:
        document = json.loads(content)
        version = int(document["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise SandboxDocumentError(
            f"{url} is not a document of prefect-synth. Move it away, or choose another prefix."
        ) from error
    if version > FORMAT:
        raise SandboxError(
            f"{url} has format {version}, this version of prefect-synth knows up to {FORMAT}. "
            "Upgrade prefect-synth."
        )
    return dict(document)


def utc_text(moment: datetime) -> str:
    """Return a moment in UTC as text whose order is the order of time.

    Raises:
        ValueError: If the moment has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"created must have a time zone, got {moment.isoformat()!r}: add 'Z'.")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
