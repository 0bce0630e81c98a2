"""Prefect's surroundings on the command line: quiet, private, and patient when it starts."""

from __future__ import annotations

import os

_DEFAULTS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # the first start creates a database, which takes a minute on a slow disk
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
}


def surround_prefect(verbose: bool = True) -> None:
    """Set what Prefect reads when it is imported first; what the user has set stays.

    Args:
        verbose: Whether Prefect's own log is shown.
    """
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    if not verbose:
        os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
