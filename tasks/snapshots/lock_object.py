"""A lock made of small files, for file systems that can create exclusively and no more.

Each holder creates the file with the next number, which only one can do, and may do so once the
highest number there is was released, or stood unchanged for the whole lease on the waiter's own
clock: clocks are never compared. The highest number is never deleted, so a slow process that
creates a number of long ago sees that it is not the highest, and has not got the lock.

Its limit: a holder that stands still for half the lease, between its last look at the lock and the
arrival of its one write, writes without the lock. Only the store itself could refuse that.
"""

from __future__ import annotations

import json
import os
import random
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prefect_synth.tasks.snapshots.backend import StoredObject
from prefect_synth.tasks.snapshots.errors import SandboxConflictError

if TYPE_CHECKING:  # the files lock themselves by this
    from prefect_synth.tasks.snapshots.remote_files import RemoteFiles

LOCKS = ".lock/"
_RELEASED = b'{"released": true}\n'


@dataclass(frozen=True)
class Held:
    """A lock that this process holds, as long as it hurries."""

    lock: LockObject
    number: int
    since: float

    def still(self) -> bool:
        """Whether nobody has taken the lock over, nor may do so soon."""
        hurried = time.monotonic() - self.since < self.lock.lease_seconds / 2
        return hurried and self.lock.highest() == self.number


@dataclass(frozen=True)
class LockObject:
    """The lock of a sandbox.

    Args:
        files: Where it lies.
        lease_seconds: After so long a lock that its holder did not release is taken over.
        patience_seconds: After so long a waiter gives up.
    """

    files: RemoteFiles
    lease_seconds: float = 20.0
    patience_seconds: float = 90.0

    @contextmanager
    def held(self) -> Iterator[Held]:
        """Hold the lock for one read and one write; it is not renewed, so that it cannot hang.

        Raises:
            SandboxConflictError: If others hold it for too long.
        """
        held = self._acquire()
        try:
            yield held
        finally:
            if self.highest() == held.number:
                self.files.replace(_key(held.number), _RELEASED)

    def highest(self) -> int:
        """Return the number of the lock that counts; 0 if there was none yet."""
        return max(self._numbers(), default=0)

    def _acquire(self) -> Held:
        begun = seen_since = time.monotonic()
        seen: tuple[int, bytes | None] | None = None
        while True:
            number = self.highest()
            found = (number, self.files.read(_key(number)) if number else _RELEASED)
            if found != seen:
                seen, seen_since = found, time.monotonic()
            expired = time.monotonic() - seen_since > self.lease_seconds
            if found[1] == _RELEASED or (expired and found[1] is not None):
                held = self._take(number + 1)
                if held:
                    return held
            if time.monotonic() - begun > self.patience_seconds:
                raise SandboxConflictError(
                    f"{self.files.url}/{LOCKS} has been held by others for "
                    f"{self.patience_seconds:.0f} s, last by {_owner(found[1])}: run again."
                )
            time.sleep(random.uniform(0.01, 0.1))  # noqa: S311

    def _take(self, number: int) -> Held | None:
        since, content = time.monotonic(), _document(self.lease_seconds)
        created = self.files.create(_key(number), content)
        # refused by our own first try, whose reply was lost?
        if not created and self.files.read(_key(number)) != content:
            return None
        numbers = self._numbers()
        if max(numbers, default=0) != number:
            self.files.delete(_key(number))
            return None
        for older in numbers:
            if older < number:
                self.files.delete(_key(older))
        return Held(self, number, since)

    def _numbers(self) -> list[int]:
        names = [item.key.removeprefix(LOCKS).removesuffix(".json") for item in self._files()]
        return [int(name) for name in names if name.isdecimal()]

    def _files(self) -> Iterator[StoredObject]:
        return self.files.objects(LOCKS)


def _key(number: int) -> str:
    return f"{LOCKS}{number:012d}.json"


def _document(lease_seconds: float) -> bytes:
    owner = f"{socket.gethostname()}, process {os.getpid()}"
    document = {"owner": owner, "lease_seconds": lease_seconds, "change": uuid.uuid4().hex}
    return (json.dumps(document) + "\n").encode()


def _owner(content: bytes | None) -> str:
    try:
        return str(json.loads(content or b"{}")["owner"])
    except (ValueError, KeyError):
        return "one that is gone"
