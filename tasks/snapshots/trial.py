"""A trial of the sandbox before the expensive part: every right that publishing needs, once."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from prefect_synth.tasks.snapshots.backend import Backend
from prefect_synth.tasks.snapshots.errors import (
    SandboxError,
    SandboxFullError,
    SandboxUnsafeError,
)

TRIALS = "trials/"

_RIVALS = 4


def try_sandbox(backend: Backend, needed_bytes: int) -> None:
    """Write, overwrite, read and delete a small file, and see that conditions are kept.

    Raises:
        SandboxError: The subclass says what is missing.
    """
    backend.reach()
    _check_space(backend, needed_bytes)
    key = f"{TRIALS}{uuid.uuid4().hex}.json"
    raced = f"{TRIALS}{uuid.uuid4().hex}.json"
    try:
        _check_conditions(backend, key)
        _check_race(backend, raced)
    except BaseException:
        for left in (key, raced):
            with suppress(SandboxError):
                backend.delete(left)
        raise
    backend.delete(key)
    backend.delete(raced)


def _check_space(backend: Backend, needed_bytes: int) -> None:
    free = backend.free_bytes()
    if free is not None and free < needed_bytes:
        raise SandboxFullError(
            f"{backend.url}: {free:,} bytes are free, about {needed_bytes:,} are needed. Free some "
            "on that disk, keep fewer snapshots (sandbox.retain), or choose another sandbox."
        )


def _check_conditions(backend: Backend, key: str) -> None:
    backend.put_new(key, b"1")
    first = backend.read_with_token(key)
    refused_new = not backend.put_new(key, b"2")
    swapped = backend.compare_and_swap(key, b"3", first[1] if first else None)
    refused_stale = not backend.compare_and_swap(key, b"4", first[1] if first else None)
    if not (first and refused_new and swapped and refused_stale):
        raise _unsafe(backend)


def _check_race(backend: Backend, key: str) -> None:
    """Let several create one file at once: a store that looks first and writes then is found out.

    A retried request may be refused by its own first try, so that nobody seems to have won.
    """
    contents = [f"{number}".encode() for number in range(_RIVALS)]
    with ThreadPoolExecutor(_RIVALS) as pool:
        won = list(pool.map(lambda content: backend.put_new(key, content), contents))
    if sum(won) > 1:
        raise _unsafe(backend)


def _unsafe(backend: Backend) -> SandboxUnsafeError:
    return SandboxUnsafeError(
        f"{backend.url}: this store does not keep conditional writes (If-None-Match, If-Match),"
        " so two runs could overwrite each other. Use a server that does (Amazon S3, MinIO, "
        "Ceph, SeaweedFS in a recent version), or a local folder."
    )
