"""Names in the sandbox: runs, snapshots, and the folders of tables.

A table's folder is the table's name wherever that is safe in a bucket, on a disk and for readers
that take `=`, `*` or a leading `_` as their own signs. Every other character becomes `!` and the
two hexadecimal digits of each of its UTF-8 bytes, so the name can be had back:

>>> folder_names(["public.orders", "order items", "_log", "a=b"])["order items"]
'order!20items'
>>> table_name('order!20items')
'order items'
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable

from prefect_synth.tasks.snapshots.errors import SandboxError

LATEST = "latest.json"
MANIFEST = "manifest.json"
SNAPSHOTS = "snapshots/"
ATTEMPTS = "attempts/"
RUNS = "runs/"

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,149}")
_ATTEMPT = re.compile(r"[0-9a-f]{8}")
_SAFE_CHARACTER = re.compile(r"[A-Za-z0-9._-]")
_LOWER = re.compile(r"[a-z0-9]")
_NOTHING = re.compile(r"(?!)")
_LONGEST_FOLDER = 200


def checked_name(what: str, name: str) -> str:
    """Return the name if it can stand in a path as it is.

    Raises:
        SandboxError: If it cannot.
    """
    if not _SAFE_NAME.fullmatch(name):
        raise SandboxError(
            f"{what} {name!r} cannot name a file in the sandbox: use 1 to 150 letters, digits, "
            "'.', '_' and '-', starting with a letter or digit."
        )
    return name


def new_snapshot_id(run_id: str) -> str:
    """Return a fresh id for one more attempt of this run."""
    return f"{run_id}-{uuid.uuid4().hex[:8]}"


def is_snapshot_id(name: str) -> bool:
    """Whether a name looks like one that `new_snapshot_id` made."""
    run_id, _, attempt = name.rpartition("-")
    return bool(_SAFE_NAME.fullmatch(run_id) and _ATTEMPT.fullmatch(attempt))


def run_of(snapshot_id: str) -> str:
    """Return the run that a snapshot is an attempt of."""
    return snapshot_id.rpartition("-")[0]


def commit_key(run_id: str) -> str:
    """Return where a run's commit record lies."""
    return f"{RUNS}{run_id}.json"


def attempt_key(snapshot_id: str) -> str:
    """Return where the mark of an unfinished attempt lies."""
    return f"{ATTEMPTS}{snapshot_id}.json"


def snapshot_folder(snapshot_id: str) -> str:
    """Return the prefix of all files of a snapshot."""
    return f"{SNAPSHOTS}{snapshot_id}/"


def manifest_key(snapshot_id: str) -> str:
    """Return where a snapshot's manifest lies."""
    return f"{snapshot_folder(snapshot_id)}{MANIFEST}"


def folder_names(tables: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Give every table a folder of its own, different even where letter case does not count.

    Args:
        tables: The tables' names.
        taken: File names that stand beside the folders already.

    Raises:
        SandboxError: If a table has no name.
    """
    used = {name.casefold() for name in (MANIFEST, *taken)}
    folders: dict[str, str] = {}
    # lower case first: of 'Orders' and 'orders' the latter keeps its name
    for table in sorted(tables, key=str.swapcase):
        stricter = (_escape(table, safe) for safe in (_LOWER, _NOTHING))
        candidates = (_folder(table), *stricter)
        folder = next(name for name in candidates if name.casefold() not in used)
        used.add(folder.casefold())
        folders[table] = folder
    return folders


def table_name(folder: str) -> str:
    """Return the name of the table that a folder was made for."""
    raw = re.sub(r"!([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), folder)
    return raw.encode("latin-1").decode()


def _folder(table: str) -> str:
    if not table:
        raise SandboxError("A table without a name cannot be published: give it a name.")
    folder = _escape(table[0], re.compile(r"[A-Za-z0-9]")) + _escape(table[1:], _SAFE_CHARACTER)
    if len(folder) <= _LONGEST_FOLDER:
        return folder
    # too long for a file system: cut, and told apart by a hash; only the manifest knows the name
    return f"{folder[:100]}!!{hashlib.sha256(table.encode()).hexdigest()[:16]}"


def _escape(text: str, safe: re.Pattern[str]) -> str:
    return "".join(
        sign if safe.fullmatch(sign) else "".join(f"!{byte:02X}" for byte in sign.encode())
        for sign in text
    )
