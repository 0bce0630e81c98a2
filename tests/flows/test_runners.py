"""Whoever runs the tasks of a refresh: the same rows, the same errors, the same progress."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pickle
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import cloudpickle
import dask
import httpx
import pytest
from prefect.utilities.engine import collect_task_run_inputs_sync

from prefect_synth.expectations.settings import Gates
from prefect_synth.flows.failures import EXIT_CODES
from prefect_synth.flows.run_settings import RunSettings
from prefect_synth.flows.runners_elsewhere import (
    MissingRunnerError,
    RunnerUnreachableError,
    _reached,
    dask_runner,
    ray_runner,
)
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.hierarchy import contexts
from prefect_synth.tasks import sample
from prefect_synth.tasks.elsewhere import (
    OtherVersionError,
    Place,
    Placed,
    StagingNotSharedError,
    carried,
    placed,
)
from prefect_synth.tasks.progress import listening
from prefect_synth.tasks.progress_file import ReadProgress, WrittenProgress
from prefect_synth.tasks.saved_blocks import BlockNotFoundError
from prefect_synth.tasks.steps import StepError, guarded
from prefect_synth.tasks.warehouses.errors import WarehouseError

SECRET = bytes(range(32))
SMALL = """
import sys
# Ray gives its own agents 15 seconds to start, in which they cannot load all of ours
if not any(word.endswith(("/agent.py", "/agent/main.py")) for word in sys.orig_argv):
    import prefect_synth.synth.hierarchy.contexts as contexts
    import prefect_synth.tasks.sample as sample
    contexts.BLOCK_ROWS = contexts._SMALLEST = 64
    sample._SHARD_ROWS = 500
"""


class Heard:
    """Remembers how far each step came."""

    def __init__(self) -> None:
        self.totals: dict[str, int | None] = {}
        self.reached: dict[str, int] = {}
        self.ended: dict[str, int] = {}

    def begin(self, step: str, total: int | None) -> None:
        self.totals[step] = total

    def advance(self, step: str, amount: int, detail: str = "") -> None:
        self.reached[step] = self.reached.get(step, 0) + amount

    def end(self, step: str) -> None:
        self.ended[step] = self.reached.get(step, 0)


@pytest.fixture
def small_shards(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut the shop into several shards, here and in the processes that are started from here."""
    monkeypatch.setattr(contexts, "BLOCK_ROWS", 64)
    monkeypatch.setattr(contexts, "_SMALLEST", 64)
    monkeypatch.setattr(sample, "_SHARD_ROWS", 500)
    folder = tmp_path_factory.mktemp("site")
    (folder / "sitecustomize.py").write_text(SMALL)
    here = [os.path.abspath(p) for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *here]))


def prints(outcome: Any) -> dict[str, str]:
    """SHA-256 of every published Parquet file."""
    files = sorted(Path(outcome.url).rglob("*.parquet"))
    return {
        str(file.relative_to(outcome.url)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }


def models(shop: Any) -> set[str]:
    """Fingerprints of the models of the last published snapshot."""
    from prefect_synth.tasks.staging import Staging

    last = Staging(shop.staging).last_models
    assert last is not None
    return {model.fingerprint for model in last.models}


@pytest.fixture
def ran(shop_factory: Any, tmp_path: Path) -> Callable[[str], tuple[Any, Any, Heard]]:
    """Refreshes a new shop with the settings of `run`: the shop, the outcome and the progress."""

    def run(settings: str) -> tuple[Any, Any, Heard]:
        folder = tmp_path / f"shop-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        shop, heard = shop_factory(folder), Heard()
        shop.configure(f"run: {{{settings}}}\n")
        shop.staging.mkdir(parents=True, mode=0o700)
        # personal data are made with a secret of each project's own
        (shop.staging / "pseudonyms.key").write_bytes(SECRET)
        with listening(heard):
            name, outcome = shop.refresh()
        assert name == "Published", outcome.failures
        return shop, outcome, heard

    return run


def tasks(api: str) -> dict[str, str]:
    """The states of the tasks of the last refresh, by their names, as Prefect's server has them."""
    last = {"sort": "START_TIME_DESC", "limit": 1}
    [run] = httpx.post(f"{api}/flow_runs/filter", json=last, timeout=60).json()
    where = {"task_runs": {"flow_run_id": {"any_": [run["id"]]}}}
    found = httpx.post(f"{api}/task_runs/filter", json=where, timeout=60).json()
    return {t["name"]: t["state_name"] for t in found if not t["name"].startswith("publish[")}


@pytest.fixture
def same_as_threads(ran: Any, prefect_url: str, wait: Any) -> Callable[..., None]:
    """Compares the published files, the models and the states of runners with those of threads."""

    def compare(*settings: str) -> None:
        shop, expected, _ = ran("workers: 2")
        assert max(name.count("part-00001") for name in prints(expected))
        wait(lambda: tasks(prefect_url).get("retain") == "Completed")  # the last one
        states = tasks(prefect_url)
        assert {"train[orders]", "sample[2/4]", "validate[orders]"} <= set(states)
        for setting in settings:
            same(ran(setting), shop, expected)
            wait(lambda: tasks(prefect_url) == states)

    return compare


def same(made: tuple[Any, Any, Heard], shop: Any, expected: Any) -> None:
    """Compare what a refresh made with what another one has made."""
    other, found, heard = made
    assert prints(found) == prints(expected)
    assert models(other) == models(shop)
    for step in ("train", "sample", "validate"):
        assert heard.ended[step] == heard.totals[step]
    assert not (other.staging / "workers").exists()


@pytest.mark.slow
@pytest.mark.timeout(1800)  # a busy machine is no error
@pytest.mark.usefixtures("small_shards")
def test_processes_publish_the_same_bytes(same_as_threads: Any) -> None:
    """Files, models and states do not depend on who made them, and progress is heard."""
    same_as_threads("runner: processes, workers: 2")


@pytest.mark.slow
@pytest.mark.timeout(1800)  # a busy machine is no error
@pytest.mark.usefixtures("small_shards")
def test_any_number_of_dask_workers_publishes_the_same_bytes(same_as_threads: Any) -> None:
    """One, two and four workers of Dask make what threads make."""
    same_as_threads(*(f"runner: dask, workers: {workers}" for workers in (1, 2, 4)))


@pytest.mark.slow
@pytest.mark.timeout(1800)  # a busy machine is no error
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="`make scale` installs Ray")
@pytest.mark.usefixtures("small_shards")
def test_ray_publishes_the_same_bytes(same_as_threads: Any) -> None:
    """Workers of Ray make what threads make."""
    same_as_threads("runner: ray, workers: 2")


LATE = """
import os, sys, time
if any(word.endswith(("/agent.py", "/agent/main.py")) for word in sys.orig_argv):
    seen = os.environ["SEEN_ONCE"]
    if not os.path.exists(seen):
        time.sleep(25)
        open(seen, "w").close()
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="`make scale` installs Ray")
# what Ray has started of the first cluster ends with this process
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_ray_that_starts_too_slowly_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its agents come too late, as on a busy machine, and Ray gives up; the next try succeeds."""
    (tmp_path / "sitecustomize.py").write_text(LATE)
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    )
    monkeypatch.setenv("SEEN_ONCE", str(tmp_path / "seen"))
    with ray_runner(1, None):
        assert (tmp_path / "seen").exists()


def a_place(folder: Path) -> Place:
    """Where workers meet."""
    folder.mkdir(exist_ok=True)
    return Place(meeting=folder, errors=folder / "errors")


def failing(place: Place, kind: type[Exception]) -> Placed:
    """A guarded function that breaks, on its way to another process."""

    @guarded
    def breaks() -> None:
        raise kind("the value 4711 of alice@example.com")

    return Placed(breaks, place)


def test_a_task_crosses_by_name(tmp_path: Path) -> None:
    """What is sent is short and holds no code, and comes back as the task's own function."""
    place = a_place(tmp_path / "meeting")
    sent = cloudpickle.dumps(placed(sample.sample_shard, place).fn)
    assert len(sent) < 1000
    assert pickle.loads(sent).function is sample.sample_shard.fn  # noqa: S301


def test_an_argument_crosses_unseen_by_prefect() -> None:
    """A model with a field called `keys` is no mapping, and its parts can be named."""
    gates = Gates()
    sent = pickle.loads(cloudpickle.dumps(carried({"gates": gates, "table": "t"})))  # noqa: S301
    assert sent["table"] == "t"
    assert sent["gates"].value == gates
    assert "{gates.keys}".format(**sent) == "True"
    collect_task_run_inputs_sync(sent)


def test_errors_elsewhere_are_told_by_kind_only(tmp_path: Path) -> None:
    """Their text is kept in private staging, as in the flow's own process."""
    place = a_place(tmp_path / "meeting")
    with pytest.raises(StepError) as told:
        failing(place, ZeroDivisionError)()
    assert "4711" not in str(told.value)
    assert ["4711" in file.read_text() for file in place.errors.iterdir()] == [True]


def test_every_error_of_ours_crosses() -> None:
    """An error that cannot be unpickled would hang a cluster instead of ending the refresh."""
    names = (name.rpartition(".") for name in EXIT_CODES if not name.startswith("flows."))
    kinds = [getattr(import_module(f"prefect_synth.{module}"), kind) for module, _, kind in names]
    own = {
        SynthesisError,
        WarehouseError,
        BlockNotFoundError,
    }  # and those that say by themselves how they cross
    for kind in (k for k in kinds if "__reduce__" not in vars(k) or k in own):
        error = kind.__new__(kind)
        error.args = ("a sentence",)
        error.add_note("a note")
        found = pickle.loads(pickle.dumps(error))  # noqa: S301
        assert (type(found), str(found)) == (kind, "a sentence")
        assert found.__notes__ == ["a note"]


def test_a_worker_that_sees_other_files_says_so(tmp_path: Path) -> None:
    """The sentence names the folder and the setting."""
    place = Place(meeting=tmp_path / "shop" / "workers" / "1")
    with pytest.raises(StagingNotSharedError, match=r"shop'.*staging.url"):
        failing(place, ValueError)()


def test_a_worker_of_another_version_says_so(tmp_path: Path) -> None:
    """Other code would make other rows."""
    place = Place(meeting=tmp_path, version="0.0.1")
    with pytest.raises(OtherVersionError, match=r"runs 0\.0\.1"):
        failing(place, ValueError)()


def test_progress_of_workers_is_told_once(tmp_path: Path) -> None:
    """Whatever several of them wrote, before the step ends."""
    heard = Heard()
    told = ReadProgress(tmp_path, heard)
    written = WrittenProgress(tmp_path)
    told.begin("train", 3)
    written.advance("train", 1)
    told.catch_up()
    written.advance("train", 2)
    told.end("train")
    told.catch_up()
    assert (heard.ended, heard.reached) == ({"train": 3}, {"train": 3})


def test_only_clusters_have_an_address(tmp_path: Path) -> None:
    """An address that nobody would use is refused."""
    with pytest.raises(ValueError, match="which only the runners 'dask' and 'ray' take"):
        RunSettings(runner="processes", address="tcp://scheduler:8786")


def test_a_missing_runner_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install stands in the sentence."""
    monkeypatch.setitem(sys.modules, "prefect_ray", None)
    with pytest.raises(MissingRunnerError, match=r"prefect-synth\[ray\]"), ray_runner(1, None):
        pass


def test_a_silent_scheduler_is_named() -> None:
    """Nobody listens there."""
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(RunnerUnreachableError, match=r"tcp://127\.0\.0\.1:9"),
        dask_runner(1, "tcp://127.0.0.1:9"),
    ):
        pass


def test_a_cluster_that_does_not_start_says_what_to_do() -> None:
    """Of one that starts too slowly Ray raises a plain exception, whose text is not told."""
    with (
        pytest.raises(RunnerUnreachableError, match=r"Ray does not .*less busy") as told,
        _reached("Ray", None, Exception),
    ):
        raise Exception("a text of Ray's")
    assert "a text" not in str(told.value)
