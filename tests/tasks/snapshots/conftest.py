"""Sandboxes on a folder and on a real S3 server, and little snapshots to publish there."""

from __future__ import annotations

import uuid
from collections.abc import Callable
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

    def open(self, below: str = "") -> SnapshotStore:
        return open_store(self.url + below, **self.options)

    def read(self, place: str) -> pd.DataFrame:
        """Read as anybody would, without this package."""
        return pd.read_parquet(place, storage_options=self.options or None)


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
