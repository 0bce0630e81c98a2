"""What tests of several rooms share."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from servers import has_mariadb, mariadb, postgres

if TYPE_CHECKING:
    from selenium.webdriver import Chrome as WebDriver

# the same examples on every run and no deadline, so that a red test means a change and not a busy
# machine; to look for new examples: pytest --hypothesis-profile default
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

S3_RIGHTS = {
    "admin": ["Admin", "Read", "Write", "List", "Tagging"],
    "publisher": ["Read", "Write", "List"],
    "read_only": ["Read", "List"],
    "no_list": ["Read", "Write"],
    "no_read": ["Write", "List"],
    "no_access": ["Read:elsewhere"],
    # what docs/snapshots.md grants a publisher: its own prefix of one bucket
    "prefix_only": ["Read:least/shop/*", "Write:least/shop/*", "List:least/shop*"],
}


@dataclass(frozen=True)
class S3Identity:
    """A user of the S3 server."""

    key: str
    secret: str


@dataclass(frozen=True)
class S3Server:
    """A running SeaweedFS; `key` and `secret` are a publisher's, who cannot make buckets."""

    endpoint_url: str
    identities: dict[str, S3Identity]
    ports: tuple[int, ...] = field(repr=False)
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def key(self) -> str:
        return self.identities["publisher"].key

    @property
    def secret(self) -> str:
        return self.identities["publisher"].secret

    @property
    def read_only(self) -> S3Identity:
        return self.identities["read_only"]

    @property
    def no_access(self) -> S3Identity:
        return self.identities["no_access"]

    @property
    def storage_options(self) -> dict[str, str]:
        """What pandas takes to read from here."""
        return {"endpoint_url": self.endpoint_url, "key": self.key, "secret": self.secret}

    def fresh_bucket(self, name: str | None = None) -> str:
        """Make an empty bucket, by default one of a new name, and return its name."""
        import s3fs

        admin = self.identities["admin"]
        files = s3fs.S3FileSystem(
            key=admin.key, secret=admin.secret, endpoint_url=self.endpoint_url
        )
        bucket = name or f"bucket-{uuid.uuid4().hex[:12]}"
        files.call_s3("create_bucket", Bucket=bucket)
        return bucket


class MortalServer:
    """An S3 server of its own that can be killed and started again on the same files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.server = _start_seaweed(folder)
        _wait_until_up(self.server, folder)

    def kill(self) -> None:
        """End it as a power cut would, but for the disk."""
        self.server.process.kill()
        self.server.process.wait()

    def start(self) -> None:
        """Start it again at the same address, and wait until it serves."""
        self.server = _start_seaweed(self._folder, self.server.ports)
        _wait_until_up(self.server, self._folder)

    def remove(self) -> None:
        """End it, and take its files away."""
        self.kill()
        shutil.rmtree(self._folder)
        for port in self.server.ports:  # its sockets lie in /tmp whatever TMPDIR says
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108
                left.unlink()


@pytest.fixture
def mortal_server() -> Iterator[MortalServer]:
    """A real S3 server for this test alone."""
    server = MortalServer(Path(tempfile.mkdtemp(prefix="s3-")))
    yield server
    server.remove()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """A real S3 server on this machine, with users of different rights."""
    server = MortalServer(Path(tempfile.mkdtemp(prefix="s3-")))
    yield server.server
    server.remove()  # by SIGKILL: a graceful end takes 15 s, and the data are worth nothing


def _start_seaweed(folder: Path, ports: tuple[int, ...] = ()) -> S3Server:
    weed = Path(sys.executable).with_name("weed")
    users = {name: S3Identity(f"key-{name}", f"secret-of-{name}") for name in S3_RIGHTS}
    config = {
        "identities": [
            {
                "name": name,
                "credentials": [{"accessKey": user.key, "secretKey": user.secret}],
                "actions": S3_RIGHTS[name],
            }
            for name, user in users.items()
        ]
    }
    (folder / "s3.json").write_text(json.dumps(config))
    port, *others = ports or _free_ports(8)
    # volumes shall grow one by one, or each bucket takes seven
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [str(weed), "server", *_seaweed_flags(folder, port, others)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={"HOME": str(folder), "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"},
        )
    return S3Server(f"http://127.0.0.1:{port}", users, (port, *others), process)


def _seaweed_flags(folder: Path, port: int, others: list[int]) -> list[str]:
    names = ["s3", "master", "volume", "filer"]
    grpc = [f"-{name}.port.grpc={value}" for name, value in zip(names, others, strict=False)]
    plain = [f"-{name}.port={value}" for name, value in zip(names[1:], others[4:], strict=True)]
    return [
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=64",
        "-volume.max=500",
        "-filer",
        "-s3",
        f"-s3.port={port}",
        f"-s3.config={folder / 's3.json'}",
        f"-s3.localSocket={folder / 's3.sock'}",
        "-s3.autoCreateBucket=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        *grpc,
        *plain,
    ]


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _wait_until_up(server: S3Server, folder: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            server.fresh_bucket()
        except Exception as error:
            if time.monotonic() > deadline or server.process.poll() is not None:
                raise RuntimeError((folder / "log").read_text()[-2000:]) from error
            time.sleep(0.2)
        else:
            return


CHROMIUM_FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--disable-dev-shm-usage --window-size=1400,1000"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    """Headless Chromium with a profile of its own; it keeps a log of page and network."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    driver = shutil.which("chromedriver")
    if driver is None or shutil.which("chromium") is None:
        reason = "Chromium or its driver is not installed: make browser"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    profile = tmp_path_factory.mktemp("profile")
    for flag in (*CHROMIUM_FLAGS.split(), f"--user-data-dir={profile}"):
        options.add_argument(flag)
    with webdriver.Chrome(options=options, service=Service(driver)) as opened:
        yield opened


@pytest.fixture(scope="session")
def postgres_uri() -> Iterator[str]:
    """A real PostgreSQL on a local socket; this is its superuser's way into `postgres`."""
    with postgres() as uri:
        yield uri


@pytest.fixture
def postgres_database(postgres_uri: str) -> Iterator[str]:
    """The URI of an empty database of its own, dropped afterwards."""
    import psycopg

    name = f"d{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_uri, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        yield postgres_uri.replace("/postgres?", f"/{name}?")
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[str]:
    """A real MariaDB on a local socket; this is its superuser's way in, without a database."""
    if not has_mariadb():
        reason = "MariaDB's server is not installed: make mariadb"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    with mariadb() as url:
        yield url


@pytest.fixture
def mariadb_database(mariadb_server: str) -> Iterator[str]:
    """The URL of an empty MariaDB database of its own, dropped afterwards."""
    import pymysql

    name = f"d{uuid.uuid4().hex[:12]}"
    socket_file = mariadb_server.partition("unix_socket=")[2]
    with pymysql.connect(unix_socket=socket_file, user="root") as admin, admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        yield mariadb_server.replace("localhost/", f"localhost/{name}")
        cursor.execute(f"DROP DATABASE {name}")
