"""What crosses from step to step: small, printable references to data that stay in files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

_BLOCK = 1 << 20


class _Reference(BaseModel):
    model_config = ConfigDict(frozen=True)


class TableRef(_Reference):
    """A table in a Parquet file of private staging.

    Args:
        table: The table's name.
        path: The file.
        rows: How many rows it holds.
        fingerprint: SHA-256 of the file.
    """

    table: str
    path: Path
    rows: int
    fingerprint: str


class ModelRef(_Reference):
    """The trained part of one table in private staging.

    Args:
        table: The table's name.
        path: The folder.
        fingerprint: Of all that the part was trained from.
    """

    table: str
    path: Path
    fingerprint: str


class ExtensionsRef(_Reference):
    """What parent rows know of their children, in private staging.

    Args:
        path: The folder.
        fingerprint: Of all that the extensions were made from.
        parts: By table, the fingerprint of all that its part of the model is trained from.
        rows: By table, how many rows there are to train on.
    """

    path: Path
    fingerprint: str
    parts: dict[str, str]
    rows: dict[str, int]


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
