"""A Prefect server in a process of its own, which ends with the process that started it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

_SECONDS_BETWEEN_LOOKS = 0.5


def main(port: int, ui: bool) -> None:
    """Serve Prefect's API on this machine only.

    Args:
        port: Where to listen.
        ui: Whether to serve the user interface and schedules too; else the API alone, for one run.
    """
    import uvicorn
    from prefect.server.api.server import create_app

    app = create_app(ephemeral=not ui, final=True)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=5)


def end_with(parent: int) -> None:
    """End this process as soon as `parent` is gone, even if it was killed."""
    while os.getppid() == parent:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    main(int(sys.argv[1]), ui=sys.argv[2] == "ui")
