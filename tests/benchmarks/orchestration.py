"""What Prefect adds: a whole refresh as a flow against the same work called as plain functions.

    python tests/benchmarks/orchestration.py demo --runs 3
    python tests/benchmarks/orchestration.py tables --tables 200 --runs 2
    python tests/benchmarks/orchestration.py tasks --tables 200 --runs 3

Both are run by turns in one process, each with staging and a sandbox of its own, on as many
threads. Plain means: no flow, no task, no server, no event, no artifact and no cache; the same
functions are called in the same order. Processor seconds are those of this process and of its
Prefect server. `tasks` measures the task runs alone, on a machine whose load drowns the difference
of two refreshes: as many as a refresh of so many tables has, cached as theirs, and nothing in them.
"""

from __future__ import annotations

import argparse
import contextvars
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import psutil

from prefect_synth.flows.quiet import surround_prefect

surround_prefect(verbose=False)  # before Prefect is imported

from prefect import flow, task  # noqa: E402
from prefect.task_runners import ThreadPoolTaskRunner  # noqa: E402
from prefect.utilities.annotations import quote  # noqa: E402

from prefect_synth.flows import refresh as story  # noqa: E402
from prefect_synth.flows.demo import build_demo_warehouse  # noqa: E402
from prefect_synth.flows.plain import PlainFuture, PlainTaskRunner  # noqa: E402
from prefect_synth.flows.refresh_setup import open_setup  # noqa: E402
from prefect_synth.flows.run_settings import RunSettings  # noqa: E402
from prefect_synth.flows.runners import Runners, quoted  # noqa: E402
from prefect_synth.flows.server import _deliver, prefect_api  # noqa: E402
from prefect_synth.tasks.steps import guarded, keyed_by  # noqa: E402

_SECONDS_TO_SETTLE = 6
_RUNS_A_TABLE = 4
"""`pull`, `extend`, `train` and `validate`; the other steps have one run each."""


class Bare(PlainTaskRunner):
    """Calls a task's function on a thread, and keeps nothing of it."""

    def submit(
        self, task: Any, parameters: dict[str, Any], wait_for: Any = None, dependencies: Any = None
    ) -> PlainFuture[Any]:
        """Call it."""
        plain = {n: v.unquote() if isinstance(v, quote) else v for n, v in parameters.items()}
        call = contextvars.copy_context().run
        return PlainFuture(self._pool.submit(call, lambda: (task.fn(**plain), False)))


@contextmanager
def plain_runners(run: RunSettings, *_: Any) -> Iterator[Any]:
    """Threads without Prefect, as many as the project file says."""
    with Bare(run.workers) as here:
        yield Runners(here, here)


def as_flow(project: Path) -> dict[str, float]:
    """Refresh as anybody does; the seconds of each step."""
    state = story.refresh(str(project), return_state=True)
    _deliver()  # as at the end of a command: what is not sent yet is part of the cost
    return _seconds(state)


def as_functions(project: Path) -> dict[str, float]:
    """Do the same work without Prefect."""
    started, story.started_runners = story.started_runners, plain_runners  # type: ignore[assignment]
    try:
        state = story._refresh(
            open_setup(project), "manual", story._Asked(reuse=False, retrain=False, force=False)
        )
    finally:
        story.started_runners = started
    return _seconds(state)


def _seconds(state: Any) -> dict[str, float]:
    outcome = state.result(raise_on_failure=False)
    if state.name != "Published":
        raise SystemExit(f"nothing was published: {outcome}")
    return dict(outcome.seconds)


def measure(project: Path, way: Callable[[Path], dict[str, float]]) -> dict[str, Any]:
    """Seconds on the clock and of processors, in a fresh staging and sandbox."""
    with tempfile.TemporaryDirectory(dir=project) as fresh:
        file = Path(fresh) / "synth.yaml"
        file.write_text((project / "synth.yaml").read_text())
        began, cpu = time.perf_counter(), _processor_seconds()
        steps = way(file)
        wall = time.perf_counter() - began
        time.sleep(_SECONDS_TO_SETTLE)  # the server writes down what it was told
        return {
            "wall": wall,
            "cpu": sum(_processor_seconds()) - sum(cpu),
            "server": _processor_seconds()[1] - cpu[1],
            "steps": {name: round(seconds, 2) for name, seconds in steps.items()},
        }


def _processor_seconds() -> tuple[float, float]:
    """Of this process, and of those that it started: Prefect's server."""
    this = psutil.Process()
    mine, *others = (p.cpu_times() for p in (this, *this.children(recursive=True)))
    return mine.user + mine.system, sum(spent.user + spent.system for spent in others)


def demo(folder: Path) -> None:
    """The demo's warehouse, with its gates."""
    build_demo_warehouse(folder / "shop.duckdb")
    _project(folder)


def many_tables(folder: Path, tables: int, rows: int = 1000) -> None:
    """A warehouse of small tables, every second one the child of the one before it."""
    with duckdb.connect(str(folder / "shop.duckdb")) as warehouse:
        warehouse.execute(
            "CREATE TEMP MACRO dice(i, t, c, sides) AS (hash(i, t, c) % sides)::INTEGER"
        )
        for number in range(tables):
            parent = f"table_{number - 1:03d}" if number % 2 else None
            refers = f", parent INTEGER NOT NULL REFERENCES {parent} (id)" if parent else ""
            link = f", dice(i, {number}, 5, {rows})" if parent else ""
            warehouse.execute(
                f"CREATE TABLE table_{number:03d} (id INTEGER PRIMARY KEY, kind VARCHAR NOT NULL, "
                f"amount DOUBLE, made TIMESTAMP NOT NULL, size INTEGER{refers})"
            )
            warehouse.execute(
                f"INSERT INTO table_{number:03d} SELECT i, ['a', 'b', 'c', 'd'][1 + "
                f"dice(i, {number}, 1, 4)], dice(i, {number}, 2, 100000) / 100, TIMESTAMP "
                f"'2024-01-01' + to_minutes(dice(i, {number}, 3, 400000)), "
                f"dice(i, {number}, 4, 50){link} FROM range({rows}) t(i)"
            )
    _project(folder)


@task(
    name="nothing",
    task_run_name="nothing[{table}]",
    cache_policy=keyed_by("fingerprint"),
    persist_result=True,
    result_serializer="json",
)
@guarded
def nothing(table: str, fingerprint: str, folder: Path) -> Path:
    """Do nothing, as a step of a refresh would."""
    return folder


@flow(name="nothing", persist_result=False)
def do_nothing(folder: str, run: int, tables: int) -> None:
    """As many task runs as a refresh of so many tables has."""
    kept = nothing.with_options(result_storage=Path(folder))
    with ThreadPoolTaskRunner(2) as threads:
        futures = []
        for number in range(tables * _RUNS_A_TABLE):
            told = {"table": f"t{number}", "fingerprint": f"{run}-{number}", "folder": Path(folder)}
            futures.append(threads.submit(kept, quoted(told)))
        for future in futures:
            future.result()


def task_runs(folder: Path, runs: int, tables: int) -> None:
    """Print what the task runs of a table cost, in milliseconds of processors."""
    do_nothing(str(folder), -1, 5)  # imports and connections
    time.sleep(_SECONDS_TO_SETTLE)
    for run in range(runs):
        before = _processor_seconds()
        do_nothing(str(folder), run, tables)
        _deliver()
        time.sleep(_SECONDS_TO_SETTLE)
        spent = [1000 * (now - then) / tables for now, then in zip(
            _processor_seconds(), before, strict=True)]  # fmt: skip
        print(json.dumps({"flow, ms a table": spent[0], "server, ms a table": spent[1]}))


def _project(folder: Path) -> None:
    (folder / "synth.yaml").write_text(
        f"project: overhead\nwarehouse: {{url: 'duckdb:///{folder}/shop.duckdb'}}\n"
        "sandbox: {url: sandbox}\n"
    )


def main() -> None:
    """Measure, and print what was found as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("demo", "tables", "tasks"))
    parser.add_argument("--tables", type=int, default=200)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=("flow", "functions"), help="one of both, to profile it")
    asked = parser.parse_args()
    ways = {"functions": as_functions, "flow": as_flow}
    with tempfile.TemporaryDirectory(prefix="orchestration-") as place:
        folder = Path(place)
        if asked.what == "tasks":
            with prefect_api():
                task_runs(folder, asked.runs, asked.tables)
            return
        demo(folder) if asked.what == "demo" else many_tables(folder, asked.tables)
        began = time.perf_counter()
        with prefect_api():
            print(f"server after {time.perf_counter() - began:.1f} s", file=sys.stderr)
            found: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
            for _ in range(asked.runs):
                for name in [asked.only] if asked.only else ways:
                    found[name].append(measure(folder, ways[name]))
                    print(name, json.dumps(found[name][-1]), file=sys.stderr)
    if not asked.only:
        print(json.dumps(_overhead(found, asked.tables if asked.what == "tables" else None)))


def _overhead(found: dict[str, list[dict[str, Any]]], tables: int | None) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    for kind in ("wall", "cpu"):
        flow, plain = (
            statistics.median(run[kind] for run in found[name]) for name in ("flow", "functions")
        )
        answer[kind] = {
            "flow": round(flow, 2),
            "functions": round(plain, 2),
            "overhead": round(flow / plain - 1, 4),
        }
        if tables:
            answer[kind]["ms a table"] = round(1000 * (flow - plain) / tables, 1)
    return answer


if __name__ == "__main__":
    main()
