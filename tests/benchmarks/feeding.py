"""Feed PostgreSQL with the full completejourney from S3, beside a plain COPY of the same rows.

python tests/benchmarks/feeding.py [--repeat 3]

One run on one machine, alternating. The peer has the rows as CSV files on disk and copies them by
psycopg into the same tables, which have the same keys and indexes, in one transaction: once with
the keys there from the beginning, and once with the keys added after the rows, as pg_dump does.
The feed reads the snapshot from a real S3 server (SeaweedFS), with an empty cache.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from databases import database
from places import REPO
from servers import postgres

import prefect_synth
from prefect_synth.flows.demo import build_demo_warehouse
from prefect_synth.tasks.databases.feeding import feed_snapshot
from prefect_synth.tasks.databases.job import Create
from prefect_synth.tasks.databases.postgres_copy import csv_of
from prefect_synth.tasks.snapshots.reading_snapshot import Snapshot
from prefect_synth.tasks.snapshots.store import open_store
from prefect_synth.tasks.warehouses.warehouse import open_warehouse

CHUNK = 2**20
FEEDS = {"feed": "missing", "feed_again": "missing", "feed_anew": "always"}
"""Into an empty database, over what is there, and with the tables made anew."""
TABLES_ONLY = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"


@contextmanager
def s3_server(folder: Path) -> Iterator[Any]:
    """The tests' own S3 server."""
    spec = importlib.util.spec_from_file_location("s3", REPO / "tests" / "conftest.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(REPO / "tests" / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["s3"] = module  # its dataclasses look there
    spec.loader.exec_module(module)
    server = module._start_seaweed(folder)
    try:
        module._wait_until_up(server, folder)
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def publish(folder: Path, server: Any) -> tuple[str, int]:
    """Publish the whole demo warehouse; its URL and the number of rows."""
    source, url = folder / "full.duckdb", f"s3://{server.fresh_bucket()}/shop"
    build_demo_warehouse(source, None)
    files, rows = {}, 0
    with closing(open_warehouse(f"duckdb:///{source}")) as warehouse:
        metadata = warehouse.reflect()
        types = warehouse.schemas(metadata)
        with warehouse.snapshot() as state:
            for table in metadata.tables:
                files[table] = folder / f"{table}.parquet"
                rows += state.pull(table, types[table], files[table])
    store = open_store(url, **server.storage_options)
    store.publish("full", files, {"metadata": metadata.to_dict()})
    return url, rows


def write_csv(snapshot: Snapshot, folder: Path) -> None:
    """The rows of every table as CSV, for the peer."""
    for table in snapshot.tables:
        with (folder / f"{table}.csv").open("wb") as file:
            for batch in snapshot.batches(table):
                file.write(csv_of(batch))


def copy_plainly(uri: str, snapshot: Snapshot, folder: Path) -> None:
    """COPY each file into its table, parents first, in one transaction."""
    with psycopg.connect(uri) as connection:
        _copy_all(connection, snapshot, folder)


def copy_then_constrain(
    uri: str, snapshot: Snapshot, folder: Path, drop: list[str], add: list[str]
) -> None:
    """The same, with keys and indexes added after the rows."""
    with psycopg.connect(uri) as connection:
        for statement in drop:
            connection.execute(statement.encode())
        _copy_all(connection, snapshot, folder)
        for statement in add:
            connection.execute(statement.encode())


def _copy_all(connection: psycopg.Connection[Any], snapshot: Snapshot, folder: Path) -> None:
    for table in snapshot.tables:
        with (
            (folder / f"{table}.csv").open("rb") as file,
            connection.cursor() as cursor,
            cursor.copy(f'COPY "{table}" FROM STDIN (FORMAT csv)'.encode()) as copy,
        ):
            while chunk := file.read(CHUNK):
                copy.write(chunk)


def keys_of(uri: str) -> tuple[list[str], list[str]]:
    """The statements that drop and add all keys and indexes of a database."""
    with psycopg.connect(uri) as connection:
        constraints = connection.execute(
            "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) "
            "FROM pg_constraint WHERE contype IN ('p', 'u', 'f') "
            "AND connamespace = 'public'::regnamespace ORDER BY contype = 'f'"
        ).fetchall()
        indexes = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes i WHERE schemaname = 'public' AND NOT "
            "EXISTS (SELECT FROM pg_constraint c WHERE c.conname = i.indexname)"
        ).fetchall()
    drop = [f"ALTER TABLE {t} DROP CONSTRAINT {name}" for t, name, _ in reversed(constraints)]
    drop += [f'DROP INDEX "{name}"' for name, _ in indexes]
    add = [f"ALTER TABLE {t} ADD CONSTRAINT {name} {text}" for t, name, text in constraints]
    return drop, [*add, *(text for _, text in indexes)]


def schema_of(snapshot: Snapshot, uri: str) -> None:
    """Make the tables that the feed makes, with no rows."""
    feed_snapshot(snapshot, uri)
    with psycopg.connect(uri) as connection:
        names = ", ".join(f'"{row[0]}"' for row in connection.execute(TABLES_ONLY))
        connection.execute(f"TRUNCATE {names}".encode())


def timed(work: Callable[[], object]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def fed(url: str, server: Any, uri: str, create: str) -> dict[str, float]:
    """Feed in a process of its own with an empty cache: its seconds and its peak memory."""
    with tempfile.TemporaryDirectory() as cache:
        secrets = {"S3_KEY": server.key, "S3_SECRET": server.secret, "PREFECT_SYNTH_CACHE": cache}
        done = subprocess.run(
            [sys.executable, __file__, "--feed", url, server.endpoint_url, uri, create],
            env={**os.environ, **secrets},
            capture_output=True,
            text=True,
            check=True,
        )
    said: dict[str, float] = json.loads(done.stdout)
    return said


def feed_here(url: str, endpoint: str, uri: str, create: Create) -> dict[str, float]:
    """What the child process does."""
    seconds = timed(
        lambda: feed_snapshot(
            prefect_synth.snapshots(
                url,
                endpoint_url=endpoint,
                key=os.environ["S3_KEY"],
                secret=os.environ["S3_SECRET"],
            ).latest(),
            uri,
            create=create,
        )
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "peak_mb": peak}


def measure(repeat: int) -> dict[str, Any]:
    """Alternate feed and peers on one PostgreSQL."""
    folder = Path(tempfile.mkdtemp(prefix="feeding-"))
    times: dict[str, list[float]] = {name: [] for name in ("copy", "copy_then_keys", *FEEDS)}
    peaks = []
    try:
        with s3_server(folder) as server, postgres() as admin:
            url, rows = publish(folder, server)
            snapshot = prefect_synth.snapshots(
                url, cache=folder / "cache", **server.storage_options
            ).latest()
            write_csv(snapshot, folder)
            for _ in range(repeat):
                with database(admin) as uri:
                    schema_of(snapshot, uri)
                    times["copy"].append(timed(partial(copy_plainly, uri, snapshot, folder)))
                with database(admin) as uri:
                    schema_of(snapshot, uri)
                    drop, add = keys_of(uri)
                    later = partial(copy_then_constrain, uri, snapshot, folder, drop, add)
                    times["copy_then_keys"].append(timed(later))
                with database(admin) as uri:
                    for name, create in FEEDS.items():
                        said = fed(url, server, uri, create)
                        times[name].append(said["seconds"])
                        peaks.append(said["peak_mb"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    seconds = {name: round(median(values), 2) for name, values in times.items()}
    return {
        "rows": rows,
        "seconds": seconds,
        "all_seconds": {name: [round(v, 2) for v in values] for name, values in times.items()},
        "rows_per_second": {name: round(rows / value) for name, value in seconds.items()},
        "feed_speed_of_copy": round(seconds["copy"] / seconds["feed"], 2),
        "feed_speed_of_copy_then_keys": round(seconds["copy_then_keys"] / seconds["feed"], 2),
        "feed_again_speed_of_copy": round(seconds["copy"] / seconds["feed_again"], 2),
        "feed_anew_speed_of_copy": round(seconds["copy"] / seconds["feed_anew"], 2),
        "peak_mb": round(max(peaks)),
    }


def main() -> None:
    """Print the figures as JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--repeat", type=int, default=3)
    options.add_argument("--feed", nargs=4, metavar=("SANDBOX", "ENDPOINT", "URI", "CREATE"))
    given = options.parse_args()
    answer = feed_here(*given.feed) if given.feed else measure(given.repeat)
    sys.stdout.write(json.dumps(answer, indent=1) + "\n")


if __name__ == "__main__":
    main()
