"""A refresh in several shards publishes what one shard does, in several parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.synth.hierarchy import contexts
from prefect_synth.tasks import sample

pytestmark = pytest.mark.usefixtures("prefect_url")


def read(url: str, name: str) -> pa.Table:
    """A published table, read as anybody would read it."""
    return pq.read_table(f"{url}/{name}")


def test_shards_write_parts_of_their_own(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rows in the same order, whether one task drew them or several."""
    monkeypatch.setattr(contexts, "BLOCK_ROWS", 64)
    monkeypatch.setattr(contexts, "_SMALLEST", 64)
    _, whole = shop.refresh()
    monkeypatch.setattr(sample, "_SHARD_ROWS", 500)
    name, cut = shop.refresh(force=True)
    assert name == "Published", cut.failures
    parts = {t: len(list(Path(f"{cut.url}/{t}").glob("*.parquet"))) for t in cut.tables}
    assert max(parts.values()) > 1
    for table in cut.tables:
        assert read(cut.url, table).equals(read(whole.url, table))
