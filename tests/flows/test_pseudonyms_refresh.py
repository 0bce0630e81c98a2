"""The pseudonyms of snapshots: the same people until their key is deleted."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from prefect_synth.flows.cli import app

pytestmark = pytest.mark.usefixtures("prefect_url")

CONTACTS = """
CREATE TABLE tickets (ticket_id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers,
    contact_email VARCHAR, topic VARCHAR);
INSERT INTO tickets SELECT i, i % 120,
    CASE WHEN i % 9 = 0 THEN 'gift' || i || '@else.example' ELSE email END, ['a', 'b'][1 + i % 2]
    FROM range(600) t(i) JOIN customers c ON c.customer_id = i % 120;
"""


def refreshed(shop: Any) -> dict[str, Any]:
    """Refresh, and read the customers' addresses in the order of their keys."""
    name, outcome = shop.refresh()
    assert name == "Published", outcome.failures
    mails = pq.read_table(f"{outcome.url}/customers")["email"].to_pylist()
    tickets = pq.read_table(f"{outcome.url}/tickets")["contact_email"].to_pylist()
    return {"mails": mails, "shared": sum(t in set(mails) for t in tickets) / len(tickets)}


def test_people_stay_until_their_key_is_deleted(shop: Any, prefect_home: Path) -> None:
    """The key is in staging alone; with it gone, the next snapshot has other people."""
    shop.execute(CONTACTS)
    first = refreshed(shop)
    key = (shop.staging / "pseudonyms.key").read_bytes()
    shop.configure("run: {seed: 5}\n")
    again = refreshed(shop)
    elsewhere = [shop.sandbox, shop.staging / "models", shop.staging / "results", prefect_home]
    files = [f for place in elsewhere for f in place.rglob("*") if f.is_file()]
    forms = (key, key.hex().encode(), base64.b64encode(key))
    assert [f for f in files if any(form in f.read_bytes() for form in forms)] == []
    command = ["purge", "--pseudonyms", "--yes", "--project", str(shop.folder)]
    assert CliRunner().invoke(app, command).exit_code == 0
    other = refreshed(shop)
    assert first["mails"] == again["mails"]
    assert set(first["mails"]) & set(other["mails"]) == set()
    assert [round(f["shared"], 1) for f in (first, again, other)] == [0.9] * 3
