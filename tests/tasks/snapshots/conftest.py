"""Sandboxes on a folder and on a real S3 server, and little snapshots to publish there."""

from __future__ import annotations

import getpass
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.tasks.snapshots.store import SnapshotStore, open_store

Files = dict[str, Path]


@dataclass(frozen=True)
class Sandbox:
    """A place to publish to, which can be opened again and again."""

    url: str
    options: dict[str, Any] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)  # where its credentials are found

    def open(self, below: str = "") -> SnapshotStore:
        return open_store(self.url + below, **self.options)

    def read(self, place: str) -> pd.DataFrame:
        """Read as anybody would, without this package."""
        return pd.read_parquet(place, storage_options=self.options or None)


class Child:
    """A process that publishes or reads; its lines can be read, and it can be killed."""

    def __init__(self, server: socket.socket, job: dict[str, Any]) -> None:
        self._server = server
        (their_in, our_in), (our_out, their_out) = os.pipe(), os.pipe()
        self.stdin, self.stdout = os.fdopen(our_in, "w"), os.fdopen(our_out)
        message = json.dumps(job).encode()
        socket.send_fds(server, [message], [their_in, their_out])
        os.close(their_in)
        os.close(their_out)
        self.pid = int(server.recv(100))

    def until(self, *words: str) -> str:
        """Read until a line begins with one of these words, and return it."""
        line = ""
        for line in self.stdout:
            if line.startswith(words):
                return line.strip()
        raise AssertionError(f"the child died after {line!r}")

    def rest(self) -> str:
        """End its input, and return its last line."""
        self.stdin.close()
        return self.stdout.read().splitlines()[-1]

    def kill(self) -> None:
        """Kill it, or bury it if it is dead already."""
        self._server.send(json.dumps({"kill": self.pid}).encode())
        self._server.recv(100)
        self.stdin.close()
        self.stdout.close()


class Children:
    """Starts processes within milliseconds, by a server that has all imported and forks."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server
        self._running: list[Child] = []

    def publish(
        self,
        sandbox: Sandbox,
        run_id: str,
        tables: Files,
        facts: dict[str, Any] | None = None,
        *,
        below: str = "",
        pause_before: int | None = None,
        wait: bool = False,
        warm: bool = False,
        part: int = 16 << 20,
    ) -> Child:
        """Start a publisher; it says `ready`, each `step`, `paused`, `done` or `failed`."""
        job = {"run_id": run_id, "tables": {name: str(path) for name, path in tables.items()}}
        how = {"pause_before": pause_before, "wait": wait, "warm": warm, "part": part}
        return self._start("publish", sandbox, below, {**job, "facts": facts or {}, **how})

    def poll(self, sandbox: Sandbox) -> Child:
        """Start a reader that checks every byte until its input ends."""
        return self._start("poll", sandbox, "", {})

    def _start(self, task: str, sandbox: Sandbox, below: str, job: dict[str, Any]) -> Child:
        place = {"url": sandbox.url + below, "options": sandbox.options, "environ": sandbox.environ}
        child = Child(self._server, {"task": task, **place, **job})
        self._running.append(child)
        return child

    def end(self) -> None:
        """Kill all that are left."""
        for child in self._running:
            if not child.stdout.closed:
                child.kill()
        self._running.clear()


@pytest.fixture(scope="session")
def fork_server() -> Iterator[socket.socket]:
    """A process with everything imported, ready to fork."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    script = Path(__file__).with_name("publish_child.py")
    command = [sys.executable, str(script), str(theirs.fileno())]
    with subprocess.Popen(command, pass_fds=[theirs.fileno()]) as process:
        theirs.close()
        yield ours
        ours.close()
        process.wait(timeout=10)


@pytest.fixture
def children(fork_server: socket.socket) -> Iterator[Children]:
    """Processes that publish and read; none survives the test."""
    started = Children(fork_server)
    yield started
    started.end()


@pytest.fixture(params=["folder", "s3"])
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    """An empty sandbox of each kind."""
    if request.param == "folder":
        return Sandbox(str(tmp_path / "sandbox"))
    return request.getfixturevalue("s3_sandbox")


@pytest.fixture
def s3_sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """An empty sandbox on the S3 server."""
    server = request.getfixturevalue("s3_server")
    url = f"s3://{request.getfixturevalue('s3_bucket')}/{uuid.uuid4().hex[:8]}/shop"
    return Sandbox(url, server.storage_options)


@pytest.fixture(scope="session")
def sftp_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """A real OpenSSH server on this machine; yields its port and a home with the key to it."""
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if sshd is None:
        reason = "OpenSSH's server is not installed: make sshd"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    folder, home = tmp_path_factory.mktemp("sshd"), tmp_path_factory.mktemp("home")
    (home / ".ssh").mkdir()
    for key in (folder / "host", home / ".ssh" / "id_ed25519"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
        subprocess.run(command, check=True)
    port = _free_port()
    (folder / "config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder}/host\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {home}/.ssh/id_ed25519.pub\nStrictModes no\n"
        "Subsystem sftp internal-sftp\nMaxStartups 100\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where sshd separates its privileges
    command = [sshd, "-D", "-e", "-f", str(folder / "config")]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stderr=log) as process:
        _wait_for_port(port, process, folder / "log")
        yield port, home
        process.kill()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError(log.read_text()[-2000:]) from None
            time.sleep(0.1)
        else:
            return


@pytest.fixture
def sftp_sandbox(
    sftp_server: tuple[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Sandbox:
    """An empty sandbox on the SFTP server, whose key is found in the home folder."""
    port, home = sftp_server
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    user = getpass.getuser()
    url = f"sftp://{user}@127.0.0.1:{port}{tmp_path}/lab/shop"
    return Sandbox(url, environ={"HOME": str(home)})


@pytest.fixture
def memory_sandbox() -> Sandbox:
    """An empty sandbox in this process's memory."""
    return Sandbox(f"memory://{uuid.uuid4().hex[:8]}/shop")


AZURITE_KEY = (  # the one that Microsoft publishes for everybody's emulator
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Azurite, Microsoft's own emulator of its blob storage; yields how to connect."""
    if importlib.util.find_spec("adlfs") is None or shutil.which("azurite-blob") is None:
        pytest.skip("needs adlfs and Azurite: pip install adlfs; npm install --global azurite")
    port, folder = _free_port(), tmp_path_factory.mktemp("azurite")
    command = ["azurite-blob", "--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    command += ["--location", str(folder), "--blobPort", str(port)]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log) as process:
        _wait_for_port(port, process, folder / "log")
        account = f"AccountName=devstoreaccount1;AccountKey={AZURITE_KEY}"
        endpoint = f"BlobEndpoint=http://127.0.0.1:{port}/devstoreaccount1"
        yield f"DefaultEndpointsProtocol=http;{account};{endpoint};"
        process.kill()


@pytest.fixture
def abfs_sandbox(azurite: str, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """An empty sandbox in a container of the Azure emulator."""
    import fsspec

    container = uuid.uuid4().hex[:12]
    fsspec.filesystem("abfs", connection_string=azurite).mkdir(container)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite)
    environ = {"AZURE_STORAGE_CONNECTION_STRING": azurite}
    return Sandbox(f"abfs://{container}/shop", environ=environ)


@pytest.fixture(params=["memory", "sftp", pytest.param("abfs", marks=pytest.mark.slow)])
def remote(request: pytest.FixtureRequest) -> Sandbox:
    """An empty sandbox on each kind of file system that fsspec speaks and that can be had here."""
    return request.getfixturevalue(f"{request.param}_sandbox")


@pytest.fixture
def mortal_sandbox(mortal_server: Any) -> Sandbox:
    """An empty sandbox on the server that can be killed."""
    server = mortal_server.server
    return Sandbox(f"s3://{server.fresh_bucket()}/lab/shop", server.storage_options)


@pytest.fixture(scope="session")
def s3_bucket(s3_server: Any) -> str:
    """One bucket for all sandboxes; each has a prefix of its own."""
    return s3_server.fresh_bucket()


@pytest.fixture
def store(sandbox: Sandbox) -> SnapshotStore:
    """An opened, empty sandbox of each kind."""
    return sandbox.open()


@pytest.fixture
def make_shop(tmp_path: Path) -> Callable[..., Files]:
    """Make a shop of two tables whose every value carries a mark, so that no mix goes unseen."""

    def make(mark: int = 1, rows: int = 3) -> Files:
        folder = tmp_path / f"shop-{uuid.uuid4().hex[:8]}"
        folder.mkdir()
        ids = [mark * 1000 + i for i in range(rows)]
        tables = {
            "public.customers": pa.table({"id": ids, "mark": [mark] * rows}),
            "public.orders": pa.table({"id": ids, "customer_id": ids, "mark": [mark] * rows}),
        }
        for name, table in tables.items():
            pq.write_table(table, folder / f"{name}.parquet")
        return {name: folder / f"{name}.parquet" for name in tables}

    return make
