"""What a refresh costs when little, or nothing, has changed, beside a full one.

python tests/benchmarks/partial.py sakila demo
python tests/benchmarks/partial.py demo --processes    # the command line's whole process instead

All nights run in one process against one Prefect server of their own: a first one, which imports
libraries and warms up, is not counted; then all of private staging is deleted and a full one runs.
Seconds are those of the flow: on the clock, and of this process on all cores (not of the server).
Beside them stands what `prefect-synth plan` expected a moment before. With `--processes` each night
is `prefect-synth refresh` in a process of its own, which starts a Prefect server of its own too.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import duckdb
from places import SHARED

from prefect_synth.flows.quiet import surround_prefect

surround_prefect(verbose=False)  # before Prefect is imported

from prefect.client.orchestration import get_client  # noqa: E402
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId  # noqa: E402
from prefect.client.schemas.objects import State, TaskRun  # noqa: E402
from prefect.settings import PREFECT_HOME, temporary_settings  # noqa: E402

from prefect_synth.flows.commands.plan import plan_project  # noqa: E402
from prefect_synth.flows.demo import build_demo_warehouse  # noqa: E402
from prefect_synth.flows.refresh import refresh  # noqa: E402
from prefect_synth.flows.server import prefect_api  # noqa: E402

CHANGES = {
    "sakila": (
        "UPDATE payment SET amount = amount + 1 WHERE payment_id % 4000 = 7",
        "ALTER TABLE film ADD COLUMN note VARCHAR",
    ),
    "demo": (
        "UPDATE coupon_redemptions SET redemption_date = redemption_date + 1 "
        "WHERE redemption_id % 100 = 7",
        "ALTER TABLE products ADD COLUMN note VARCHAR",
    ),
}
"""By data set, what changes a leaf whose parents know no more of it than before, and a column."""


MAIN = "from prefect_synth.flows.cli import main; main()"


@dataclass(frozen=True)
class Night:
    """What one refresh took."""

    name: str
    wall: float
    cpu: float
    state: str
    trained: tuple[str, ...]
    ran: Counter[str]
    cached: Counter[str]
    expected: float = 0.0


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="+", choices=list(CHANGES))
    parser.add_argument("--more", default="", help="more lines of the project file")
    parser.add_argument("--processes", action="store_true", help="measure the command line")
    chosen = parser.parse_args()
    if chosen.processes:
        for name in chosen.data:
            with tempfile.TemporaryDirectory() as folder:
                show(name, processes(name, Path(folder), chosen.more))
        return
    with (
        tempfile.TemporaryDirectory() as home,
        temporary_settings({PREFECT_HOME: Path(home)}),
        prefect_api(),
    ):
        for name in chosen.data:
            with tempfile.TemporaryDirectory() as folder:
                show(name, nights(name, Path(folder), chosen.more))


def nights(name: str, folder: Path, more: str) -> list[Night]:
    """A full refresh, an unchanged one, one with a changed leaf, and one with a new column."""
    warehouse, file = project(name, folder, more)
    leaf, column = CHANGES[name]

    def change(sql: str) -> None:
        with closing(duckdb.connect(str(warehouse))) as database:
            database.execute(sql)

    def forget() -> None:
        for made in (".synth", "sandbox"):
            shutil.rmtree(folder / made, ignore_errors=True)

    night(file, "first", forget)
    return [
        night(file, "full", forget),
        night(file, "unchanged", lambda: None),
        night(file, "one leaf changed", lambda: change(leaf), retrain=True),
        night(file, "one leaf, reused", lambda: change(leaf)),
        night(file, "one column added", lambda: change(column), retrain=True),
    ]


def project(name: str, folder: Path, more: str) -> tuple[Path, Path]:
    """A warehouse and a project file for it."""
    warehouse, file = folder / "warehouse.duckdb", folder / "synth.yaml"
    build(name, warehouse)
    file.write_text(
        f"project: {name}\nwarehouse: {{url: 'duckdb:///{warehouse.name}'}}\n"
        f"sandbox: {{url: sandbox}}\n{more}\n"
    )
    return warehouse, file


def processes(name: str, folder: Path, more: str) -> list[Night]:
    """A full refresh and an unchanged one, by the command line: the whole processes."""
    _, file = project(name, folder, more)
    environment = {**os.environ, "PREFECT_HOME": str(folder / "prefect")}
    command = [sys.executable, "-c", MAIN, "refresh", "--json"]
    found = []
    for night_name in ("first", "full", "unchanged"):
        if night_name == "full":
            for made in (".synth", "sandbox"):
                shutil.rmtree(folder / made)
        before, wall = os.times(), time.perf_counter()
        answer = subprocess.run(
            [*command, "--project", str(file)], env=environment, check=True, capture_output=True
        )
        wall, after = time.perf_counter() - wall, os.times()
        cpu = sum(after[2:4]) - sum(before[2:4])
        state = "Unchanged" if json.loads(answer.stdout)["unchanged"] else "Published"
        found.append(Night(night_name, wall, cpu, state, (), Counter(), Counter()))
    return found[1:]


def build(name: str, warehouse: Path) -> None:
    """Write a data set into a DuckDB file, with its keys."""
    if name == "demo":
        build_demo_warehouse(warehouse)
        return
    source = SHARED / "data" / name
    created = (source / "schema.sql").read_text()
    tables = [s.split('"')[1] for s in created.splitlines() if s.startswith("CREATE TABLE")]
    with closing(duckdb.connect(str(warehouse))) as database:
        database.execute(created)
        for table in tables:
            rows = f"read_parquet('{source / table}.parquet')"
            database.execute(f'INSERT INTO "{table}" SELECT * FROM {rows}')


def night(file: Path, name: str, before: Callable[[], None], retrain: bool = False) -> Night:
    """Refresh once, after it was asked what that would take."""
    before()
    expected = plan_project(file).document["expected"]["seconds"]
    cpu, wall = sum(os.times()[:2]), time.perf_counter()
    state = refresh(str(file), retrain=retrain, return_state=True)
    wall, cpu = time.perf_counter() - wall, sum(os.times()[:2]) - cpu
    runs = task_runs(state)
    ended = {
        kind: [r for r in runs if r.state and r.state.name == kind]
        for kind in ("Completed", "Cached")
    }
    trained = tuple(sorted(r.name for r in ended["Completed"] if r.name.startswith("train[")))
    ran, cached = (Counter(r.name.partition("[")[0] for r in ended[k]) for k in ended)
    return Night(name, wall, cpu, state.name or "", trained, ran, cached, expected)


def task_runs(state: State) -> list[TaskRun]:
    """The task runs of a flow run, once the server knows of all their ends."""
    time.sleep(2)
    found = UUID(str(state.state_details.flow_run_id))
    runs: list[TaskRun] = []
    with get_client(sync_client=True) as client:
        chosen = FlowRunFilter(id=FlowRunFilterId(any_=[found]))
        while page := client.read_task_runs(flow_run_filter=chosen, offset=len(runs)):
            runs += page
    return runs


def show(name: str, found: list[Night]) -> None:
    """Print a line for each night, and what it did."""
    full = found[0]
    for each in found:
        print(
            f"{name:8} {each.name:18} {each.state:10} wall {each.wall:6.2f} s "
            f"({each.wall / full.wall:4.0%})  cpu {each.cpu:6.2f} s ({each.cpu / full.cpu:4.0%})"
        )
        if not each.ran:
            continue
        print(f"{'':9}plan expected {each.expected:.1f} s")
        print(f"{'':9}ran    {tasks(each.ran)}")
        print(f"{'':9}cached {tasks(each.cached) or 'nothing'}")
        print(f"{'':9}trained {len(each.trained)}: {', '.join(each.trained[:6])}")


def tasks(counted: Counter[str]) -> str:
    """How many runs of each task."""
    return ", ".join(f"{count} {task}" for task, count in sorted(counted.items()))


if __name__ == "__main__":
    main()
