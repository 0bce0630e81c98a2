"""What PostgreSQL's drivers mean when they fail: a lost connection, or a refused query."""

from __future__ import annotations

import re
from collections.abc import Callable

from prefect_synth.tasks.warehouses.errors import (
    ConnectionFailed,
    QueryFailed,
    SnapshotLost,
    UnrepresentableValue,
    WarehouseError,
    without_values,
)
from prefect_synth.tasks.warehouses.url import scrub

# 08: connection; 57P0x: shut down or not up yet; 53300: too many connections; 25P0x: timed out
_LOST_STATES = ("08", "57P0", "53300", "25P03", "25P04")
# ADBC gives no SQLSTATE once the connection is broken
_LOST = re.compile(
    "terminating connection|server closed the connection|connection to server|failed to connect|"
    "could not (receive|send) data|no connection to the server|connection (is closed|not open)|"
    "SSL (connection|SYSCALL)|connection (timed out|reset)|database system is",
    re.IGNORECASE,
)
_NO_SNAPSHOT = re.compile("snapshot .* does not exist|invalid snapshot identifier")
_FLATTENED = re.compile("column (.*) is an array of several dimensions")


def is_lost(error: BaseException) -> bool:
    """Whether the connection is gone, or could not be made; another one may do."""
    state = getattr(error, "sqlstate", None)
    return str(state).startswith(_LOST_STATES) if state else bool(_LOST.search(str(error)))


def reading_error(
    error: BaseException, about: str, uri: str, is_held: Callable[[], bool] = lambda: True
) -> WarehouseError:
    """The error to raise for a driver's; never `from` it, its text is not ours to vouch for.

    Args:
        error: What the driver raised.
        about: What was read.
        uri: Whose passwords must not be told.
        is_held: Whether the transaction that holds the snapshot is still there.
    """
    reason = scrub(str(error), uri)
    lost = is_lost(error)
    if (lost or _NO_SNAPSHOT.search(reason)) and not is_held():
        return SnapshotLost(
            f"PostgreSQL ended the connection that holds the snapshot, while {about} was read: "
            f"{reason} All tables must be read again from a new snapshot."
        )
    if lost:
        return ConnectionFailed(f"The connection was lost while {about} was read: {reason}")
    return _refusal(reason, about)


def _refusal(reason: str, about: str) -> QueryFailed | UnrepresentableValue:
    flattened = _FLATTENED.search(reason)
    if flattened:
        return UnrepresentableValue(
            f"Column '{flattened[1]}' of {about} holds an array of several dimensions, which "
            "would be flattened. Cast it in a view, or exclude the column in synth.yaml."
        )
    return QueryFailed(f"PostgreSQL could not read {about}: {without_values(reason)}")
