"""Prefect's API: the one that is configured, or a server of our own while it is needed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import IO

import httpx
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_SERVER_ALLOW_EPHEMERAL_MODE,
    get_current_settings,
    temporary_settings,
)

from prefect_synth.flows.server_errors import ServerError

_ALONE: ContextVar[bool] = ContextVar("alone", default=False)
_SECONDS_TO_START = 240
_SECONDS_TO_END = 15
_IN_BATCHES = {
    # every task sends three states as events, which one by one are a transaction each: in batches
    # of what a second brings they cost the server a third, and a state is seen a second later
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "100",
}
_TAIL = 2000


def pages_of(api: str) -> str:
    """Where the user interface of an API is; in its second version the schema is drawn."""
    return api.removesuffix("/api") + "/v2"


def runs_alone() -> bool:
    """Whether Prefect's server was started for this process only: nobody else asks it."""
    return _ALONE.get()


@contextmanager
def prefect_api(port: int | None = None, ui: bool = False) -> Iterator[str]:
    """Give the address of Prefect's API, and see to it that Prefect uses it.

    Args:
        port: Port of our own server; any free one by default.
        ui: Whether our own server has the user interface and schedules too.

    Yields:
        The address of the API that the user has configured, or of a server of our own, which ends
        with the context, and with this process however that ends.

    Raises:
        ServerError: The port is taken, or the server does not start.
    """
    configured = PREFECT_API_URL.value()
    if configured:
        yield configured
        return
    port = port or _free_port()
    _check_free(port)
    url = f"http://127.0.0.1:{port}/api"
    with tempfile.TemporaryFile() as log, _running(port, ui, log) as process:
        _wait_until_healthy(url, process, log)
        with temporary_settings({PREFECT_API_URL: url, PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: False}):
            _ALONE.set(True)
            try:
                yield url
            finally:
                _ALONE.set(False)
                _deliver()


def _deliver() -> None:
    """Send what Prefect has not sent yet; once the server is gone, it would try for a minute."""
    for worker in (APILogWorker, EventsWorker):
        worker.drain_all(timeout=_SECONDS_TO_END, at_exit=False)


@contextmanager
def _running(port: int, ui: bool, log: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "prefect_synth.flows.server_process", str(port), *_mode(ui)],
        env=_environment(port, ui),
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C is for us; we end the server when we are done with it
    )
    try:
        yield process
    finally:
        _end(process)


def _mode(ui: bool) -> list[str]:
    return ["ui" if ui else "api"]


def _environment(port: int, ui: bool) -> Mapping[str, str]:
    return {
        **_IN_BATCHES,
        **os.environ,
        **get_current_settings().to_environment_variables(exclude_unset=True),
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        # without it the user interface asks for the API at the default port
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_UI_ENABLED": str(ui).lower(),
        # only pages of the user interface listen to events as they come
        "PREFECT_SERVER_EVENTS_STREAM_OUT_ENABLED": str(ui).lower(),
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        # in memory they would be lost with the server, and the slots stay taken
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
            "prefect.server.concurrency.lease_storage.filesystem"
        ),
    }


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _check_free(port: int) -> None:
    with socket.socket() as tried:
        # a server that has just ended may leave the port in TIME_WAIT
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            raise ServerError(
                f"Port {port} is taken. Give another with --port, or set PREFECT_API_URL to the "
                "Prefect server that runs there."
            ) from None


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    with httpx.Client(timeout=5, trust_env=False) as client:  # one: each reads all certificates
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            try:
                if client.get(f"{url}/health").status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
    log.seek(0)
    raise ServerError(
        f"Prefect's server did not start at {url}. It said: "
        f"{log.read().decode(errors='replace')[-_TAIL:].strip() or 'nothing'}"
    )
