"""From night to night: equal data give equal bytes, and reused models append rows."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.synth.hierarchy import contexts
from prefect_synth.tasks import sample

pytestmark = pytest.mark.usefixtures("prefect_url")

MORE = """
INSERT INTO customers SELECT i, 'person' || i || '@example.com', 'Ulm', i,
    DATE '2020-01-01' + i::INTEGER FROM range(120, 122) t(i);
INSERT INTO orders SELECT i, (i * 11) % 122, 'paid', TIMESTAMP '2024-03-01' + to_minutes(i * 9)
    FROM range(500, 505) t(i);
INSERT INTO order_items SELECT i, line, 'SKU-' || lpad(((i * 7) % 40)::VARCHAR, 4, '0'), 2
    FROM range(500, 505) o(i), range(1, 3) l(line);
"""
BUSY = """
tables:
  customers:
    scenarios: [{name: busy, where: "city = 'Ulm'", children: {orders: 9}, at_least: 2}]
"""
KEYS = {
    "customers": ["customer_id"],
    "products": ["sku"],
    "orders": ["order_id"],
    "order_items": ["order_id", "line_no"],
}


def hashes(outcome: Any) -> dict[str, list[str]]:
    """SHA-256 of every Parquet file that the manifest names, by table."""
    manifest = json.loads((Path(outcome.url) / "manifest.json").read_text())
    return {
        name: [file["sha256"] for file in table["files"]]
        for name, table in manifest["tables"].items()
    }


def read(outcome: Any) -> dict[str, pa.Table]:
    """The published tables."""
    return {table: pq.read_table(f"{outcome.url}/{table}") for table in outcome.tables}


def refresh(shop: Any, **options: Any) -> Any:
    """A refresh that must publish."""
    name, outcome = shop.refresh(**options)
    assert name == "Published", outcome.failures
    return outcome


def unchanged(before: pa.Table, after: pa.Table, key: list[str]) -> float:
    """Share of the earlier rows that the later table has, cell by cell."""
    old, new = (t.to_pandas().astype(str).fillna("") for t in (before, after))
    met = old.merge(new, on=key, suffixes=("", "'"))
    rest = [c for c in old.columns if c not in key]
    same = (met[rest].to_numpy() == met[[f"{c}'" for c in rest]].to_numpy()).all(axis=1)
    return float(same.sum() / len(old))


def test_equal_data_give_equal_files(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One, two and four workers publish the same files of the same data, trained or reused."""
    monkeypatch.setattr(contexts, "BLOCK_ROWS", 64)
    monkeypatch.setattr(contexts, "_SMALLEST", 64)
    monkeypatch.setattr(sample, "_SHARD_ROWS", 500)
    nights = []
    for workers, reuse in ((1, False), (2, False), (4, True)):
        shop.configure(f"run: {{workers: {workers}}}\n")
        nights.append(refresh(shop, reuse_models=reuse, retrain=not reuse, force=True))
    found = [hashes(night) for night in nights]
    assert len(found[0]["orders"]) > 1
    assert found[0] == found[1] == found[2]
    assert [night.reused for night in nights] == [None, None, nights[0].run_id]


def test_reused_models_append(shop: Any) -> None:
    """With more rows all that was published stays, scenarios too, and as many come out."""
    shop.configure(BUSY)
    nights = [refresh(shop)]
    for change in (MORE, "INSERT INTO orders SELECT 505, 3, 'open', TIMESTAMP '2024-05-01'"):
        shop.execute(change)
        nights.append(refresh(shop, reuse_models=True))
    assert {night.reused for night in nights[1:]} == {nights[0].run_id}
    for earlier, later in pairwise(nights):
        before, after = read(earlier), read(later)
        shares = {name: unchanged(before[name], after[name], key) for name, key in KEYS.items()}
        assert shares == dict.fromkeys(KEYS, 1.0)
        assert all(len(after[name]) == later.tables[name].real for name in KEYS)
    assert [night.tables["orders"].synthetic for night in nights] == [500, 505, 506]


def test_other_settings_train(shop: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Where models depend on what has changed they are trained, and the log says why."""
    assert refresh(shop, reuse_models=True).reused is None
    shop.configure("defaults: {model: fast}\n")
    assert refresh(shop, reuse_models=True).reused is None
    said = [r.message for r in caplog.records if "trained and not reused" in r.message]
    assert [s.partition("because ")[2] for s in said] == [
        "no published snapshot has left any.",
        "settings that models depend on changed since they were trained.",
    ]


def test_stable_keys_stay_when_models_are_trained(shop: Any) -> None:
    """Where more rows are learned from, stable keys stay, and other columns do not."""
    shop.configure("defaults: {keys: stable}\n")
    first = read(refresh(shop))
    shop.execute(MORE)
    outcome = refresh(shop, retrain=True)
    second = read(outcome)
    assert outcome.reused is None
    for name in ("customers", "orders"):
        key = KEYS[name][0]
        assert second[name][key].slice(0, len(first[name])).equals(first[name][key])
    assert unchanged(first["customers"], second["customers"], ["customer_id"]) < 0.9
