"""Small drift reuses the models of the last snapshot, and the run says so and why."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from prefect_synth.tasks.learned import read_compared

pytestmark = pytest.mark.usefixtures("prefect_url")

FEW = """
INSERT INTO orders SELECT i, (i * 11) % 120, 'paid', TIMESTAMP '2024-03-01' + to_minutes(i * 9)
    FROM range(500, 505) t(i)
"""
MANY = "UPDATE customers SET city = 'Bonn' WHERE customer_id % 3 > 0"

TIE = """
UPDATE customers SET credit = tied.credit FROM (
    SELECT customer_id, credit
    FROM (SELECT customer_id, row_number() OVER (ORDER BY since, customer_id) r FROM customers)
    JOIN (SELECT credit, row_number() OVER (ORDER BY credit) r FROM customers) USING (r)
) AS tied WHERE customers.customer_id = tied.customer_id
"""


def published(shop: Any, **options: Any) -> Any:
    """A refresh that must publish."""
    name, outcome = shop.refresh(**options)
    assert name == "Published", outcome.failures
    return outcome


def test_models_are_reused_until_the_rows_move(
    lent_shop: Any, refreshed: tuple[Any, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A few more rows are drawn with the models there are; other shares of a column are learned."""
    shop, first = lent_shop, refreshed[1]
    assert (first.reused, first.why) == (None, "no published snapshot has left any")
    shop.execute(FEW)
    second = published(shop)
    assert (second.reused, second.tables["orders"].synthetic) == (first.run_id, 505)
    assert second.why == "rows moved no more than chance explains"
    shop.execute(MANY)
    third = published(shop)
    assert (third.reused, third.why) == (None, "rows moved in customers")
    assert "city: distribution moved" in third.tables["customers"].moved
    assert third.tables["orders"].moved == ()
    assert "What changed is trained, because rows moved in customers." in caplog.messages


def test_small_steps_are_measured_from_what_was_learned(
    lent_shop: Any, refreshed: tuple[Any, Any]
) -> None:
    """Small nights in one direction are one large move in the end."""
    lent_shop.execute(FEW.replace("505", "540"))
    assert published(lent_shop).reused == refreshed[1].run_id
    lent_shop.execute(FEW.replace("range(500, 505)", "range(540, 560)"))
    outcome = published(lent_shop)
    assert outcome.reused is None
    assert outcome.tables["orders"].moved == ("it has 12% more rows",)


def test_only_rows_that_are_others_are_profiled(lent_shop: Any, refreshed: tuple[Any, Any]) -> None:
    """What a table looks like is known where its rows, and those above, are those of last night."""
    before = read_compared(lent_shop.staging / "published" / "profiles")
    lent_shop.execute(FEW)
    assert published(lent_shop).reused == refreshed[1].run_id
    now = read_compared(lent_shop.staging / "published" / "profiles")
    changed = {profile.table for key, profile in now.items() if key not in before}
    assert changed == {"orders", "order_items"}
    assert {profile.table for profile in now.values()} > changed


def test_old_models_are_trained_again(lent_shop: Any) -> None:
    """However little moved, models are no older than `run.retrain_days`."""
    file = lent_shop.staging / "published" / "profiles" / "models.json"
    trained = json.loads(file.read_text())
    trained["since"] = (datetime.now(UTC) - timedelta(days=31)).isoformat()
    file.write_text(json.dumps(trained))
    lent_shop.execute(FEW)
    outcome = published(lent_shop)
    assert (outcome.reused, outcome.why) == (None, "they are older than 30 days")


@pytest.mark.parametrize(
    ("option", "setting", "why"),
    [
        (True, "", "that was asked for"),
        (False, "run: {retrain: changed}\n", "run.retrain is 'changed'"),
    ],
)
def test_whoever_asks_for_training_gets_it(
    lent_shop: Any, option: bool, setting: str, why: str
) -> None:
    """`--retrain` and `run.retrain: changed` train what changed, however little."""
    lent_shop.configure(setting)
    lent_shop.execute(FEW)
    outcome = published(lent_shop, retrain=option)
    assert (outcome.reused, outcome.why) == (None, why)


def test_a_gate_that_refuses_reused_models_has_them_trained(
    lent_shop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What columns alone do not show may fail a gate: then the run trains before it refuses."""
    lent_shop.execute(TIE)  # the same values in another order: no column moved
    outcome = published(lent_shop)
    assert outcome.reused is None
    assert outcome.why == "what the models of the last snapshot drew was refused by the gates"
    assert any("does not pass the gates (2 of the checks" in said for said in caplog.messages)


def test_what_was_learned_is_used_where_staging_is_now(lent_shop: Any, tmp_path: Path) -> None:
    """A project that was moved, or copied, needs nothing of where it was."""
    moved = replace(lent_shop, folder=shutil.copytree(lent_shop.folder, tmp_path / "moved"))
    moved.execute(FEW)
    outcome = published(moved, retrain=True)
    assert (outcome.tables["products"].synthetic, outcome.reused) == (40, None)
    kept = (moved.staging / "published" / "profiles" / "models.json").read_text()
    assert (str(moved.staging) in kept, str(lent_shop.staging) in kept) == (True, False)
