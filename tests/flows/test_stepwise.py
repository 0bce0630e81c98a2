"""The steps of a refresh one by one: what Airflow calls, and the flow's own work."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from prefect_synth.flows import stepwise
from prefect_synth.flows.refresh_setup import open_setup
from prefect_synth.flows.stepwise_run import Drawn, RunOverError
from prefect_synth.flows.yaml_document import ProjectError
from prefect_synth.tasks.references import TableRef, file_fingerprint
from prefect_synth.tasks.snapshots.errors import SandboxError, UnjudgedRowsError

STEPS = (stepwise.train, stepwise.sample, stepwise.validate, stepwise.publish)

TIE = """
UPDATE customers SET credit = tied.credit FROM (
    SELECT customer_id, credit
    FROM (SELECT customer_id, row_number() OVER (ORDER BY since, customer_id) r FROM customers)
    JOIN (SELECT credit, row_number() OVER (ORDER BY credit {order}) r FROM customers) USING (r)
) AS tied WHERE customers.customer_id = tied.customer_id
"""
JUDGED = """
gates: {quality: {dependence: null}}
checks:
  tied: SELECT 1 WHERE (SELECT corr(date_part('epoch', since), credit) FROM customers) > %s
"""


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


@contextmanager
def killed_at(name: str) -> Iterator[None]:
    """A step that is killed where it calls a function."""

    def die(*arguments: object) -> None:
        raise Killed(name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stepwise, name, die)
        yield


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
            match=r"Failed checks: 1, the first: snapshot: quality failed: 0\.875",
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


@pytest.fixture
def tied(shop: Any) -> Any:
    """A published shop in whose rows two columns now go together the other way round.

    No column moved, so that models are reused; what they draw is refused by the user's check.
    """
    shop.execute(TIE.format(order="ASC"))
    shop.configure(JUDGED % 2)
    run = stepwise.pull(str(shop.folder))["run_id"]
    for step in STEPS:
        step(str(shop.folder), run)
    shop.execute(TIE.format(order="DESC"))
    shop.configure(JUDGED % -0.3)
    return shop


def on_disk(ref: TableRef) -> tuple[str, ...]:
    """What the files of a table are now."""
    return tuple(file_fingerprint(file) for file in sorted(ref.path.glob("*.parquet")))


def test_a_killed_retry_goes_on_and_publishes_what_was_judged(tied: Any) -> None:
    """Models are trained after a refusal, whenever that is killed, and no older file counts."""
    folder = str(tied.folder)
    with without_prefect():
        run = stepwise.pull(folder)["run_id"]
        stepwise.train(folder, run)
        stepwise.sample(folder, run)
        for moment in ("_train", "_sample", "add_pins"):
            with killed_at(moment), pytest.raises(Killed, match=moment):
                stepwise.validate(folder, run)
        assert stepwise.pull(folder)["run_id"] == run
        stepwise.train(folder, run)
        stepwise.sample(folder, run)
        left = tied.staging / "runs" / run / "steps" / "sample.json"
        drawn = Drawn.model_validate_json(left.read_text())
        assert {t: on_disk(ref) for t, ref in drawn.synthetic.items()} == {
            table: ref.files for table, ref in drawn.synthetic.items()
        }
        stepwise.validate(folder, run)
        shutil.rmtree(drawn.synthetic["orders"].path)
        shutil.copytree(drawn.synthetic["customers"].path, drawn.synthetic["orders"].path)
        with pytest.raises(UnjudgedRowsError, match="'orders' was not published: its files are"):
            stepwise.publish(folder, run)
        with pytest.raises(RunOverError, match="is over: failed"):
            stepwise.publish(folder, run)
    assert len(tied.published()) == 1


def test_a_retry_publishes_what_it_has_trained(tied: Any) -> None:
    """The files name the models that the manifest names, though `validate` was called twice."""
    folder = str(tied.folder)
    with without_prefect():
        run = stepwise.pull(folder)["run_id"]
        stepwise.train(folder, run)
        stepwise.sample(folder, run)
        with killed_at("add_pins"), pytest.raises(Killed):
            stepwise.validate(folder, run)
        stepwise.validate(folder, run)
        url = Path(stepwise.publish(folder, run)["url"])
    models = json.loads((url / "manifest.json").read_text())["models"]
    written = pq.read_schema(url / "customers" / "part-00000.parquet").metadata
    assert written[b"prefect_synth.model"].decode() == models["customers"]
    trained = json.loads((tied.staging / "published" / "profiles" / "models.json").read_text())
    assert trained["run_id"] == run


def test_what_is_worth_a_retry_ends_the_process(
    shop: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A lost connection, or a refresh that is going: exit code 3; what is wrong stays an error."""
    said = "the sandbox is away"
    with pytest.raises(SystemExit) as ended, stepwise.worth_a_retry():
        raise SandboxError(said)
    assert (ended.value.code, capsys.readouterr().err) == (3, f"{said}\n")
    with (
        open_setup(shop.file).staging.lock(),
        pytest.raises(SystemExit),
        stepwise.worth_a_retry(),
    ):
        stepwise.pull(str(shop.file))
    shop.configure("warehouses: {}\n")
    with pytest.raises(ProjectError), stepwise.worth_a_retry():
        stepwise.pull(str(shop.file))
