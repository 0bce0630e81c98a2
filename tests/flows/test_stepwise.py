"""The steps of a refresh one by one: what Airflow calls, and the flow's own work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from prefect_synth.flows import stepwise
from prefect_synth.flows.stepwise_run import RunOverError

STEPS = (stepwise.train, stepwise.sample, stepwise.validate, stepwise.publish)


@contextmanager
def without_prefect() -> Iterator[None]:
    """Nobody answers at Prefect's address: whoever asks, fails."""
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        yield


def rows_on_disk(folder: Path) -> dict[str, bytes]:
    """The published files, by table."""
    return {file.parent.name: file.read_bytes() for file in folder.glob("*/part-*.parquet")}


@pytest.fixture(scope="module")
def stepped(shop_factory: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A shop whose snapshot was published step by step, and what each step came to."""
    shop = shop_factory(tmp_path_factory.mktemp("stepped"))
    with without_prefect():
        results = [stepwise.pull(str(shop.folder))]
        results += [step(str(shop.folder), results[0]["run_id"]) for step in STEPS]
    return shop, results


def test_the_steps_publish_without_prefect(stepped: Any) -> None:
    """Names and counts go from step to step, and nothing else is needed."""
    shop, results = stepped
    assert shop.latest()["snapshot_id"] == results[-1]["snapshot_id"]
    assert results[-1]["rows_by_table"] == {
        "customers": 120, "order_items": 1026, "orders": 500, "products": 40
    }  # fmt: skip
    assert all(len(json.dumps(result)) < 1000 for result in results)
    assert {result["run_id"] for result in results} == {results[0]["run_id"]}


def test_a_step_may_be_called_again(stepped: Any) -> None:
    """An orchestrator that lost the answer of `publish` gets the same one; nothing is doubled."""
    shop, results = stepped
    with without_prefect():
        again = stepwise.publish(str(shop.folder), results[0]["run_id"])
    assert again["snapshot_id"] == results[-1]["snapshot_id"]
    assert len(shop.published()) == 1


@pytest.mark.usefixtures("prefect_url")
def test_the_flow_does_the_same_and_repeats_nothing(stepped: Any) -> None:
    """By Prefect the same files are published, byte for byte, with the models that are there."""
    shop, results = stepped
    trained = {file: file.stat().st_mtime_ns for file in shop.staging.glob("results/train-*")}
    assert len(trained) == 4
    name, outcome = shop.refresh(force=True)
    assert (name, outcome.published) == ("Published", True)
    assert {file: file.stat().st_mtime_ns for file in trained} == trained
    assert len(list(shop.staging.glob("results/train-*"))) == 4
    assert rows_on_disk(Path(outcome.url)) == rows_on_disk(Path(results[-1]["url"]))


def test_an_unchanged_warehouse_ends_with_the_first_step(stepped: Any) -> None:
    """There is nothing to publish, and the run is over."""
    shop, _ = stepped
    before = shop.latest()
    with without_prefect():
        pulled = stepwise.pull(str(shop.folder))
        with pytest.raises(RunOverError, match="is over: unchanged"):
            stepwise.train(str(shop.folder), pulled["run_id"])
    assert (pulled["unchanged"], shop.latest()) == (True, before)


def test_a_refused_snapshot_ends_the_steps(stepped: Any) -> None:
    """The sentence says which gate; readers see what they saw, and the run cannot go on."""
    shop, _ = stepped
    before = shop.latest()
    shop.configure("gates: {quality: {min: 1.0}}\n")
    with without_prefect():
        run = stepwise.pull(str(shop.folder))["run_id"]
        stepwise.train(str(shop.folder), run)
        stepwise.sample(str(shop.folder), run)
        with pytest.raises(
            stepwise.SnapshotRefusedError,
            match=r"nothing was published: snapshot: quality failed: 0\.875",
        ):
            stepwise.validate(str(shop.folder), run)
        with pytest.raises(RunOverError, match="is over: rejected"):
            stepwise.publish(str(shop.folder), run)
    assert shop.latest() == before


def test_the_steps_keep_to_their_order_and_to_their_file(shop: Any) -> None:
    """A step that comes too early says what is missing; a changed project file is noticed."""
    with pytest.raises(RunOverError, match="'nobody' has no staged tables"):
        stepwise.train(str(shop.folder), "nobody")
    run = stepwise.pull(str(shop.folder))["run_id"]
    with pytest.raises(RunOverError, match="has not done the step 'train', which must come first"):
        stepwise.sample(str(shop.folder), run)
    shop.configure("run: {seed: 7}\n")
    with pytest.raises(RunOverError, match="has changed since run"):
        stepwise.train(str(shop.folder), run)
