"""What can go wrong with Prefect's server."""

from __future__ import annotations


class ServerError(RuntimeError):
    """Prefect's server did not start; the message says why."""


class NoServerError(ServerError):
    """No Prefect server is configured, and the command needs one."""
