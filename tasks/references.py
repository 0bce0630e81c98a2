"""What crosses from step to step: small, printable references to data that stay in files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from prefect_synth.synth.hierarchy.extended import Prints
from prefect_synth.synth.hierarchy.summary import PartSummary

_BLOCK = 1 << 20


class _Reference(BaseModel):
    model_config = ConfigDict(frozen=True)

    def at(self, path: Path) -> Self:
        """Where it is now: what is kept of an earlier run may name a folder that was moved."""
        return self.model_copy(update={"path": path})


class TableRef(_Reference):
    """A table, or a part of one, in private staging.

    Args:
        table: The table's name.
        path: The file, or the folder of its parts.
        rows: How many rows it holds.
        fingerprint: SHA-256 of the file, or of its parts.
        parts: SHA-256 of each file in the folder of parts, in their order.
    """

    table: str
    path: Path
    rows: int
    fingerprint: str
    parts: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """SHA-256 of each of its files, in their order."""
        return self.parts or (self.fingerprint,)


class ModelRef(_Reference):
    """The trained part of one table in private staging.

    Args:
        table: The table's name.
        path: The folder.
        fingerprint: Of all that the part was trained from.
        made: How the table is modelled, and why.
        seconds: Time on the clock that training it took, when it was trained.
    """

    table: str
    path: Path
    fingerprint: str
    made: PartSummary
    seconds: float


class SampleRef(_Reference):
    """The plan of a sample in private staging, and who draws which part of it.

    Args:
        path: The folder.
        fingerprint: Of all that it was made from: another plan may have been in the folder before.
        shards: By shard, the tables of which it draws a part.
        rows: Rows by table.
    """

    path: Path
    fingerprint: str
    shards: tuple[tuple[str, ...], ...]
    rows: dict[str, int]


class LinksRef(_Reference):
    """How the rows of all tables hang together, in private staging.

    Args:
        path: The folder: the plan of the work, and what each table's step needs of the others.
        fingerprint: Of all that it was made from.
        levels: Tables that can be extended at the same time, children before their parents.
        before: By table, the children that are extended before it.
        needs: By table, a fingerprint of what its step depends on, but these children.
        rows: By table, how many rows there are to train on.
    """

    path: Path
    fingerprint: str
    levels: tuple[tuple[str, ...], ...]
    before: dict[str, tuple[str, ...]]
    needs: dict[str, str]
    rows: dict[str, int]


class ExtendedRef(_Reference):
    """One extended table in private staging, and fingerprints of what others learn of it.

    Args:
        table: The table's name.
        path: The folder.
        fingerprint: Of all that it was made from.
        prints: What others learn of it.
        personal: Sdtype of each personal column, and whether its values are unique.
        one_to_one: Relations in which a parent has at most one of its rows.
    """

    table: str
    path: Path
    fingerprint: str
    prints: Prints
    personal: dict[str, tuple[str, bool]]
    one_to_one: tuple[str, ...]


class SharedRef(_Reference):
    """Whose values personal columns have, in private staging: ways, no values.

    Args:
        path: The folder.
        prints: By table, a fingerprint of the ways of its columns.
    """

    path: Path
    prints: dict[str, str]


class ExtensionsRef(_Reference):
    """What parent rows know of their children, in private staging.

    Args:
        path: The folder of the plan.
        fingerprint: Of all that the extensions were made from.
        parts: By table, the fingerprint of all that its part of the model is trained from.
        rows: By table, how many rows there are to train on.
        tables: By table, the folder of what training it needs.
        shared: Folder of the ways to the values that personal columns share, if any do.
    """

    path: Path
    fingerprint: str
    parts: dict[str, str]
    rows: dict[str, int]
    tables: dict[str, Path] = {}
    shared: Path | None = None


def part_file(folder: Path, shard: int) -> Path:
    """The file that a shard writes of a table."""
    return folder / f"part-{shard:05d}.parquet"


def whole_table(parts: Sequence[TableRef]) -> TableRef:
    """Refer to a table whose parts, in their order, are the files of one folder.

    Args:
        parts: The files; the first one may stand for several that are together already.
    """
    first = parts[0]
    prints = tuple(file for part in parts for file in part.files)
    return TableRef(
        table=first.table,
        path=first.path if first.parts else first.path.parent,
        rows=sum(part.rows for part in parts),
        fingerprint=fingerprint(prints),
        parts=prints,
    )


def table_ref(table: str, path: Path, rows: int) -> TableRef:
    """Refer to a staged table, whose file is complete and will not change."""
    return TableRef(table=table, path=path, rows=rows, fingerprint=file_fingerprint(path))


def file_fingerprint(path: Path) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def fingerprint(*parts: Any) -> str:
    """SHA-256 of JSON values; the same in every process."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
