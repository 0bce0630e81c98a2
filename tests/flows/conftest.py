"""What the flows' tests share: one Prefect server, and a small shop."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest

from prefect_synth.flows.quiet import surround_prefect
from prefect_synth.tasks.snapshots.store import open_store

surround_prefect()  # before Prefect is imported

SHOP = """
CREATE TYPE status AS ENUM ('open', 'paid', 'sent');
CREATE TABLE customers (
    customer_id INTEGER PRIMARY KEY,
    email VARCHAR NOT NULL UNIQUE,
    city VARCHAR,
    credit DECIMAL(10, 2) NOT NULL,
    since DATE NOT NULL
);
CREATE TABLE products (sku VARCHAR PRIMARY KEY, weight DOUBLE, price DECIMAL(8, 2) NOT NULL);
CREATE TABLE orders (
    order_id BIGINT PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (customer_id),
    status status NOT NULL,
    ordered_at TIMESTAMP NOT NULL
);
CREATE TABLE order_items (
    order_id BIGINT NOT NULL REFERENCES orders (order_id),
    line_no SMALLINT NOT NULL,
    sku VARCHAR NOT NULL REFERENCES products (sku),
    quantity SMALLINT,
    PRIMARY KEY (order_id, line_no)
);
COMMENT ON TABLE customers IS 'People who buy';
COMMENT ON COLUMN customers.credit IS 'In euros';
CREATE TEMP MACRO dice(a, b, sides) AS (hash(a, b) % sides)::INTEGER;
INSERT INTO customers SELECT i, 'person' || i || '@example.com',
    CASE WHEN i % 7 = 0 THEN NULL ELSE ['Ulm', 'Bonn', 'Kiel'][1 + i % 3] END,
    dice(i, 0, 100000) / 100, DATE '2020-01-01' + dice(i, 1, 900) FROM range(120) t(i);
INSERT INTO products SELECT 'SKU-' || lpad(i::VARCHAR, 4, '0'), dice(i, 2, 5000) / 100,
    1 + dice(i, 3, 9000) / 100 FROM range(40) t(i);
INSERT INTO orders SELECT i, dice(i, 4, 120), ['open', 'paid', 'sent'][1 + dice(i, 5, 3)],
    TIMESTAMP '2024-01-01' + to_minutes(dice(i, 6, 400000)) FROM range(500) t(i);
INSERT INTO order_items SELECT i, line, 'SKU-' || lpad(dice(i, line, 40)::VARCHAR, 4, '0'),
    CASE WHEN dice(i, line + 7, 11) = 0 THEN NULL ELSE 1 + dice(i, line + 20, 5) END
    FROM range(500) o(i), range(1, 4) l(line) WHERE line <= 1 + dice(i, 9, 3);
"""


POSTGRES_SHOP = """
CREATE TYPE status AS ENUM ('open', 'paid', 'sent');
CREATE TABLE customers (
    customer_id int PRIMARY KEY, email text NOT NULL UNIQUE, city text,
    credit numeric(10, 2) NOT NULL, since date NOT NULL
);
CREATE TABLE products (sku text PRIMARY KEY, weight double precision, price numeric(8, 2) NOT NULL);
CREATE TABLE orders (
    order_id bigint PRIMARY KEY, customer_id int NOT NULL REFERENCES customers,
    status status NOT NULL, ordered_at timestamp NOT NULL
);
CREATE TABLE order_items (
    order_id bigint NOT NULL REFERENCES orders, line_no smallint NOT NULL,
    sku text NOT NULL REFERENCES products, quantity smallint, PRIMARY KEY (order_id, line_no)
);
CREATE FUNCTION dice(a int, b int, sides int) RETURNS int IMMUTABLE LANGUAGE sql
    AS $$ SELECT abs(hashint8(a * 1000 + b)::bigint % sides)::int $$;
INSERT INTO customers SELECT i, 'person' || i || '@example.com',
    CASE WHEN i % 7 > 0 THEN (ARRAY['Ulm', 'Bonn', 'Kiel'])[1 + i % 3] END,
    dice(i, 0, 100000) / 100.0, date '2020-01-01' + dice(i, 1, 900) FROM generate_series(0, 119) i;
INSERT INTO products SELECT 'SKU-' || lpad(i::text, 4, '0'), dice(i, 2, 5000) / 100.0,
    1 + dice(i, 3, 9000) / 100.0 FROM generate_series(0, 39) i;
INSERT INTO orders SELECT i, dice(i, 4, 120),
    (ARRAY['open', 'paid', 'sent'])[1 + dice(i, 5, 3)]::status,
    timestamp '2024-01-01' + dice(i, 6, 400000) * interval '1 minute'
    FROM generate_series(0, 499) i;
INSERT INTO order_items SELECT i, line, 'SKU-' || lpad(dice(i, line, 40)::text, 4, '0'),
    CASE WHEN dice(i, line + 7, 11) > 0 THEN 1 + dice(i, line + 20, 5) END
    FROM generate_series(0, 499) i, generate_series(1, 3) line WHERE line <= 1 + dice(i, 9, 3);
DROP FUNCTION dice;
"""


@dataclass(frozen=True)
class Shop:
    """A project of four tables in a folder of its own."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "synth.yaml"

    @property
    def warehouse(self) -> Path:
        return self.folder / "shop.duckdb"

    @property
    def sandbox(self) -> Path:
        return self.folder / "sandbox"

    @property
    def staging(self) -> Path:
        return self.folder / ".synth" / "shop"

    def configure(self, more: str = "") -> None:
        """Write the project file, with `more` keys at its end."""
        self.file.write_text(
            "project: shop\n"
            "warehouse: {url: 'duckdb:///shop.duckdb'}\n"
            f"sandbox: {{url: sandbox}}\n{more}"
        )

    def refresh(
        self, reuse_models: bool = False, retrain: bool = False, force: bool = False
    ) -> tuple[str, Any]:
        """Run the flow in this process: the name of its final state, and the outcome.

        Args:
            reuse_models: Draw with the models of the last published snapshot.
            retrain: Train all that changed, however little it moved.
            force: Publish even where nothing has changed.

        Raises:
            Exception: Whatever ended the flow, if it did not come to its end.
        """
        from prefect_synth.flows.refresh import refresh

        asked = {"reuse_models": reuse_models, "retrain": retrain, "force": force}
        state = refresh(str(self.file), **asked, return_state=True)
        return state.name, state.result(raise_on_failure=state.name != "Rejected")

    def latest(self) -> dict[str, Any] | None:
        """What `latest.json` says."""
        file = self.sandbox / "latest.json"
        return json.loads(file.read_text()) if file.exists() else None

    def published(self) -> list[str]:
        """The committed snapshots."""
        return [info.snapshot_id for info in open_store(str(self.sandbox)).list()]

    def accept(self) -> None:
        """Accept the warehouse as it is, in `synth.lock`."""
        from prefect_synth.flows.refresh_setup import open_setup
        from prefect_synth.tasks.drift.lock import Lock, write_lock

        setup = open_setup(self.file)
        with closing(setup.open_warehouse()) as warehouse:
            write_lock(setup.lock_file, Lock(tables=dict(setup.facts(warehouse))))

    def execute(self, sql: str) -> None:
        """Change the warehouse."""
        with duckdb.connect(str(self.warehouse)) as warehouse:
            warehouse.execute(sql)


@pytest.fixture(scope="session")
def shop_factory() -> Callable[[Path], Shop]:
    """Makes a shop in a folder."""

    def make(folder: Path) -> Shop:
        made = Shop(folder)
        made.execute(SHOP)
        made.configure()
        return made

    return make


@pytest.fixture
def shop(tmp_path: Path, shop_factory: Callable[[Path], Shop]) -> Shop:
    """A small shop, ready to be refreshed."""
    return shop_factory(tmp_path)


@dataclass(frozen=True)
class PostgresShop(Shop):
    """The same shop in a PostgreSQL of its own; `owner` may change it, `reader` may only read."""

    owner: str
    reader: str

    def configure(self, more: str = "") -> None:
        """Write the project file, with `more` keys at its end."""
        self.file.write_text(
            f"project: shop\nwarehouse: {{url: '{self.reader}'}}\nsandbox: {{url: sandbox}}\n{more}"
        )

    def execute(self, sql: str) -> None:
        """Change the warehouse."""
        import psycopg

        with closing(psycopg.connect(self.owner, autocommit=True)) as warehouse:
            warehouse.execute(sql)


@pytest.fixture
def postgres_shop(tmp_path: Path, postgres_database: str) -> PostgresShop:
    """A small shop in PostgreSQL, and a role that can only read it."""
    role = f"reader_{postgres_database.split('/')[3].split('?')[0]}"
    reader = postgres_database.replace("postgres:", f"{role}:")
    reader = reader.replace("postgres@", f"{role}:reads-only@")
    made = PostgresShop(tmp_path, postgres_database, reader)
    made.execute(POSTGRES_SHOP)
    made.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'reads-only'")
    made.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    made.execute(f"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {role}")
    made.configure()
    return made


@pytest.fixture(scope="module")
def refreshed(
    shop_factory: Callable[[Path], Shop],
    tmp_path_factory: pytest.TempPathFactory,
    prefect_url: str,
) -> tuple[Shop, Any]:
    """A shop that was refreshed once for a module's tests, and what that came to."""
    shop = shop_factory(tmp_path_factory.mktemp("refreshed"))
    name, outcome = shop.refresh()
    assert name == "Published", outcome.failures
    return shop, outcome


@pytest.fixture
def lent_shop(refreshed: tuple[Shop, Any], tmp_path: Path) -> Iterator[Shop]:
    """The shop that was refreshed once; what a test does to it is undone."""
    shop, _ = refreshed
    kept = shutil.copytree(shop.folder, tmp_path / "kept")
    yield shop
    shutil.rmtree(shop.folder)
    shutil.copytree(kept, shop.folder)


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tests' Prefect server keeps its database."""
    return tmp_path_factory.mktemp("prefect")


@pytest.fixture(scope="session")
def prefect_url(prefect_home: Path) -> Iterator[str]:
    """The address of one Prefect server for all tests, with a database of its own."""
    from prefect.settings import PREFECT_HOME, temporary_settings

    from prefect_synth.flows.server import prefect_api

    with temporary_settings({PREFECT_HOME: prefect_home}), prefect_api() as url:
        yield url


@pytest.fixture
def deployable(prefect_url: str) -> Iterator[str]:
    """The tests' Prefect server for a test that deploys: nothing is left for the tests to come."""

    def clear() -> None:
        for kind in ("deployments", "automations"):
            for found in httpx.post(f"{prefect_url}/{kind}/filter", json={}).json():
                httpx.delete(f"{prefect_url}/{kind}/{found['id']}")

    clear()
    yield prefect_url
    clear()


@dataclass
class OnCall:
    """Somebody who is told: a web server that keeps what a notification block sends."""

    url: str
    told: list[dict[str, str]]

    @property
    def subjects(self) -> list[str]:
        return [message["subject"] for message in self.told]

    def save(self, api: str) -> str:
        """Save the block on a Prefect server; its name, as the project file has it."""
        from prefect.blocks.notifications import CustomWebhookNotificationBlock
        from prefect.settings import PREFECT_API_URL, temporary_settings

        message = {"subject": "{{subject}}", "body": "{{body}}"}
        with temporary_settings({PREFECT_API_URL: api}):
            block = CustomWebhookNotificationBlock(name="oncall", url=self.url, json_data=message)
            block.save("oncall", overwrite=True)
        return "custom-webhook/oncall"


@pytest.fixture
def oncall() -> Iterator[OnCall]:
    """Somebody on call, and what they were told."""
    told: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            told.append(json.loads(self.rfile.read(length)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        yield OnCall(f"http://127.0.0.1:{web.server_port}/", told)
        web.shutdown()
        thread.join()


@pytest.fixture
def prefect_environment(prefect_url: str) -> dict[str, str]:
    """The environment of a child process that uses the tests' Prefect server."""
    return {**os.environ, "PREFECT_API_URL": prefect_url}


MAIN = "from prefect_synth.flows.cli import main; main()"
PATIENCE = 240


def wait_for(what: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Ask until there is an answer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.5)
    raise TimeoutError(f"nothing after {seconds} s")


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def port() -> int:
    """A port that nobody listens at."""
    return free_port()


@dataclass(frozen=True)
class Served:
    """A project that is being served."""

    url: str
    output: Path
    process: subprocess.Popen[bytes]

    def ask(self, path: str, **body: Any) -> Any:
        """Ask Prefect's API."""
        return httpx.post(f"{self.url}/api/{path}", json=body, timeout=30).json()

    def runs(self, **where: Any) -> list[dict[str, Any]]:
        """The flow runs."""
        found: list[dict[str, Any]] = self.ask("flow_runs/filter", flow_runs=where)
        return found

    def children(self) -> list[str]:
        """Processes that the service started."""
        listed = subprocess.run(
            ["ps", "-eo", "ppid=,pid=", "--no-headers"], capture_output=True, text=True, check=True
        )
        pairs = [line.split() for line in listed.stdout.splitlines()]
        return [pid for parent, pid in pairs if parent == str(self.process.pid)]


@contextmanager
def serving(folder: Path, home: Path, *options: str) -> Iterator[Served]:
    """Serve a project on a free port, with a database of its own."""
    port, output = free_port(), home / "output.txt"
    environment = {k: v for k, v in os.environ.items() if k != "PREFECT_API_URL"}
    command = [sys.executable, "-c", MAIN, "serve", "--project", str(folder), "--port", str(port)]
    # as a shell starts a job in the background: with SIGINT ignored
    command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command]
    with (
        output.open("wb") as log,
        subprocess.Popen(
            [*command, *options],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**environment, "PREFECT_HOME": str(home), "COLUMNS": "200"},
        ) as process,
    ):
        try:
            yield Served(f"http://127.0.0.1:{port}", output, process)
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, shop_factory: Any) -> Iterator[Served]:
    """A shop that is served and feeds a database, with a run each minute and one at once."""
    shop, home = shop_factory(tmp_path_factory.mktemp("served")), tmp_path_factory.mktemp("home")
    shop.configure("feeds: {test: {url: 'sqlite:///test.db'}}\n")
    with serving(shop.folder, home, "--now", "--cron", "* * * * *") as found:
        wait_for(lambda: "Ctrl-C" in found.output.read_text() or found.process.poll() is not None)
        assert found.process.poll() is None, found.output.read_text()
        yield found


@pytest.fixture(scope="session")
def serve() -> Callable[..., Any]:
    """Serves a project in a context: `with serve(folder, home, *options) as served`."""
    return serving


@pytest.fixture(scope="session")
def wait() -> Callable[..., Any]:
    """Asks until there is an answer."""
    return wait_for
