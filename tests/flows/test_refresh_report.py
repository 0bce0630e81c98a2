"""What the written report tells of a refresh, besides its judgement."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("prefect_url")


def test_the_report_tells_what_was_left_out_and_which_keys_changed(
    shop: Any,
) -> None:
    """On both editions; a table that is left out takes a foreign key with it."""
    assert shop.refresh()[0] == "Published"
    shop.configure("tables: {customers: {columns: {city: {exclude: true}}}}\n")
    text = shop.file.read_text()
    wanted = "warehouse: {url: 'duckdb:///shop.duckdb', exclude: [products]}"
    shop.file.write_text(text.replace("warehouse: {url: 'duckdb:///shop.duckdb'}", wanted))
    name, outcome = shop.refresh()
    assert name == "Published", outcome.failures
    public = shop.sandbox / "snapshots" / outcome.snapshot_id / "report.html"
    for page in (outcome.report.read_text(), public.read_text()):
        assert "<b>Left out by request:</b> products, customers.city." in page
        assert '<td class="place">order_items</td><td>key changed' in page
