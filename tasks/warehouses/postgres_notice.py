"""Listening to PostgreSQL's notifications that its schema changed.

A notification carries nothing and proves nothing: it is a reason to look.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from threading import Event
from typing import Literal

import psycopg

from prefect_synth.tasks.warehouses.errors import ConnectionFailed
from prefect_synth.tasks.warehouses.postgres_trigger import CHANNEL
from prefect_synth.tasks.warehouses.url import postgres_uri, redact, scrub

Reason = Literal["start", "notified", "due"]

_SLICE = 0.5
_LONGEST_UNREST = 30.0


class Notices:
    """A connection that is told when PostgreSQL's schema changes.

    Args:
        url: The warehouse, `postgresql://…`.
        quiet: Seconds without a notification after which a migration counts as over.

    Raises:
        ConnectionFailed: The server is not there, refuses the role, or is a standby, where
            nobody can listen.
    """

    def __init__(self, url: str, quiet: float = 2.0) -> None:
        self._uri, self._shown, self._quiet = postgres_uri(url), redact(url), quiet
        try:
            self._connection = psycopg.connect(self._uri, autocommit=True)
        except psycopg.Error as error:
            raise self._lost(error) from None
        try:
            self._connection.execute(f"LISTEN {CHANNEL}")
        except psycopg.Error as error:
            self._connection.close()
            raise self._lost(error) from None

    def reasons(self, every: float, stop: Event) -> Iterator[Reason]:
        """Give a reason to look: now, after each notification, and from time to time anyway.

        Args:
            every: Seconds after which to look anyway.
            stop: Ends it.

        Raises:
            ConnectionFailed: The connection is gone.
        """
        with closing(self._connection):
            yield "start"
            due = time.monotonic() + every
            while not stop.is_set():
                if self._heard(_SLICE):
                    self._settle(stop)
                    yield "notified"
                elif time.monotonic() >= due:
                    self._check()
                    yield "due"
                    due = time.monotonic() + every

    def _heard(self, seconds: float) -> bool:
        try:
            return len(list(self._connection.notifies(timeout=seconds, stop_after=1))) > 0
        except psycopg.Error as error:
            raise self._lost(error) from None

    def _settle(self, stop: Event) -> None:
        """Let a migration of several statements come to its end."""
        latest = time.monotonic() + _LONGEST_UNREST
        while not stop.is_set() and time.monotonic() < latest and self._heard(self._quiet):
            pass

    def _check(self) -> None:
        """A server that vanished without a word is noticed by asking it."""
        try:
            self._connection.execute("SELECT 1")
        except psycopg.Error as error:
            raise self._lost(error) from None

    def _lost(self, error: psycopg.Error) -> ConnectionFailed:
        # not `from` the error: its text is not ours to vouch for
        return ConnectionFailed(
            f"Cannot listen to {self._shown}: {scrub(str(error), self._uri)} Listening needs the "
            "primary server itself: neither a standby nor a pooler that lends connections by "
            "transaction will do."
        )
