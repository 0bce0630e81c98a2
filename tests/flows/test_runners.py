"""Whoever runs the tasks of a refresh: the same rows, the same errors, the same progress."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prefect_synth.synth.hierarchy import contexts
from prefect_synth.tasks import sample
from prefect_synth.tasks.progress import listening

SMALL = """
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
        with listening(heard):
            name, outcome = shop.refresh()
        assert name == "Published", outcome.failures
        return shop, outcome, heard

    return run


def same_as_threads(ran: Callable[[str], tuple[Any, Any, Heard]], *settings: str) -> None:
    """Compare the published files and the models of runners with those of threads."""
    shop, expected, _ = ran("workers: 2")
    assert max(name.count("part-00001") for name in prints(expected))
    for setting in settings:
        other, found, heard = ran(setting)
        assert prints(found) == prints(expected)
        assert models(other) == models(shop)
        for step in ("train", "sample", "validate"):
            assert heard.ended[step] == heard.totals[step]
        assert not (other.staging / "workers").exists()


@pytest.mark.usefixtures("prefect_url", "small_shards")
def test_processes_and_dask_publish_the_same_bytes(ran: Any) -> None:
    """Files and models do not depend on who made them, and progress is heard."""
    same_as_threads(ran, "runner: processes, workers: 2", "runner: dask, workers: 2")


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_url", "small_shards")
def test_any_number_of_dask_workers_publishes_the_same_bytes(ran: Any) -> None:
    """One, two and four workers of Dask make what threads make."""
    same_as_threads(ran, *(f"runner: dask, workers: {workers}" for workers in (1, 2, 4)))


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="`make scale` installs Ray")
@pytest.mark.usefixtures("prefect_url", "small_shards")
def test_ray_publishes_the_same_bytes(ran: Any) -> None:
    """Workers of Ray make what threads make."""
    same_as_threads(ran, "runner: ray, workers: 2")
