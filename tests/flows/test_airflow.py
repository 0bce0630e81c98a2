"""The DAG for Airflow: what can be told without Airflow, and runs in a real one."""

from __future__ import annotations

import ast
import inspect
import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from prefect_synth.flows import stepwise
from prefect_synth.flows.run_settings import RunSettings

REPO = Path(__file__).parents[2]
DAG = REPO / "deployments" / "airflow" / "refresh.py"
AIRFLOW = Path(os.environ.get("SYNTH_AIRFLOW") or REPO / ".venv-airflow" / "bin" / "airflow")
STEPS = ["pull", "train", "sample", "validate", "publish"]
CONSUMER = """
from airflow.sdk import Asset, dag, task

@dag(schedule=Asset("prefect-synth://shop/orders"))
def tests_of_orders():
    @task
    def run_them():
        pass
    run_them()

tests_of_orders()
"""


def step_functions() -> dict[str, ast.FunctionDef]:
    """The functions of the DAG that run in the environment of prefect-synth."""
    tree = ast.parse(DAG.read_text())
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.decorator_list]
    return {f.name: f for f in functions if "external_python" in ast.unparse(f.decorator_list[0])}


def test_its_steps_call_what_there_is() -> None:
    """Each calls the function of its name with arguments that it takes, and imports it itself."""
    found = step_functions()
    assert list(found) == STEPS
    for name, function in found.items():
        imported, called = function.body[1:]
        if isinstance(called, ast.With):  # what talks to warehouse or sandbox
            assert ast.unparse(called.items[0]) == "stepwise.worth_a_retry()"
            [called] = called.body
        assert ast.unparse(imported) == "from prefect_synth.flows import stepwise"
        assert isinstance(called, ast.Return)
        assert isinstance(called.value, ast.Call)
        assert ast.unparse(called.value.func) == f"stepwise.{name}"
        inspect.signature(getattr(stepwise, name)).bind(*called.value.args)


def test_its_defaults_are_the_project_files() -> None:
    """A project file without a schedule runs at the same time in Airflow and in Prefect."""
    tree = ast.parse(DAG.read_text())
    [values] = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "(SCHEDULE, TIMEZONE)"
    ]
    assert values == (RunSettings().schedule, RunSettings().timezone)


@dataclass(frozen=True)
class Airflow:
    """An Airflow with a database of its own, and one project."""

    home: Path
    projects: tuple[Path, ...]

    def run(self, *arguments: str) -> str:
        """Run a command of Airflow, and give what it said."""
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")},
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.home / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "SYNTH_PROJECTS": os.pathsep.join(map(str, self.projects)),
            "SYNTH_PYTHON": sys.executable,
            "PYTHONPATH": str(REPO / ".typing"),
        }
        command = [str(AIRFLOW), *arguments]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=900
        )
        return done.stdout + done.stderr

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask Airflow's database."""
        with sqlite3.connect(self.home / "airflow.db") as database:
            return database.execute(sql).fetchall()

    def states(self) -> tuple[str, dict[str, str]]:
        """How the last DAG run ended, and each of its tasks."""
        [(run, state)] = self.ask("SELECT run_id, state FROM dag_run ORDER BY id DESC LIMIT 1")
        sql = f"SELECT task_id, state FROM task_instance WHERE run_id = '{run}'"
        return state, dict(self.ask(sql))

    def updates(self) -> dict[str, int]:
        """How often each asset was updated."""
        sql = "SELECT uri, count(*) FROM asset_event JOIN asset ON asset.id = asset_id GROUP BY uri"
        return dict(self.ask(sql))


@pytest.fixture
def airflow(shop: Any) -> Airflow:
    """A real Airflow with our DAG, and one that waits for a table of it."""
    if not AIRFLOW.is_file():
        pytest.skip(f"Airflow is not installed in '{AIRFLOW.parents[1]}': make airflow")
    home = shop.folder / "airflow"
    (home / "dags").mkdir(parents=True)
    (home / "dags" / DAG.name).write_bytes(DAG.read_bytes())
    (home / "dags" / "consumer.py").write_text(CONSUMER)
    shop.configure("run: {schedule: '15 3 * * *', timezone: Europe/Madrid}\n")
    broken = shop.folder / "broken" / "synth.yaml"
    broken.parent.mkdir()
    broken.write_text("project: broken\nwarehouse: {url: [s3cr3t\n")
    made = Airflow(home, (broken, shop.file))
    made.run("db", "migrate")
    made.run("dags", "reserialize")
    return made


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_airflow_publishes_and_keeps_the_snapshot_while_nothing_better_comes(
    airflow: Airflow, shop: Any
) -> None:
    """Published, unchanged, refused: assets move with the first; no real value is stored."""
    assert airflow.ask("SELECT filename FROM import_error") == []
    made = "SELECT dag_id FROM dag WHERE dag_id != 'tests_of_orders' ORDER BY dag_id"
    assert airflow.ask(made) == [("broken-broken",), ("refresh-shop",)]
    assert airflow.ask("SELECT description FROM dag WHERE description LIKE '%s3cr3t%'") == []
    told = airflow.run("dags", "test", "refresh-shop")
    tasks = dict.fromkeys(["changed", *STEPS, "announce"], "success")
    assert airflow.states() == ("success", tasks), told[-3000:]
    [latest] = shop.published()
    published = {f"prefect-synth://shop/{table}": 1 for table in
                 ("", "customers", "order_items", "orders", "products")}  # fmt: skip
    assert airflow.updates() == published
    assert airflow.ask("SELECT target_dag_id FROM asset_dag_run_queue") == [("tests_of_orders",)]
    assert airflow.ask("SELECT timetable_summary, max_active_runs FROM dag "
                       "WHERE dag_id = 'refresh-shop'") == [("15 3 * * *", 1)]  # fmt: skip

    told = airflow.run("dags", "test", "refresh-shop")
    done = {"pull", "changed"}
    skipped = {name: "success" if name in done else "skipped" for name in tasks}
    assert airflow.states() == ("success", skipped), told[-3000:]
    assert airflow.updates() == published

    shop.file.write_text(f"{shop.file.read_text()}gates: {{quality: {{min: 1.0}}}}\n")
    told = airflow.run("dags", "test", "refresh-shop")
    state, ended = airflow.states()
    assert (state, ended["validate"], ended["publish"]) == ("failed", "failed", "upstream_failed")
    assert "was refused: " in told
    assert "nothing was published" in told.lower()
    assert (shop.published(), airflow.updates()) == ([latest], published)

    shop.configure("warehouses: {}\n")  # no retry mends it, and none is waited for
    told = airflow.run("dags", "test", "refresh-shop")
    state, ended = airflow.states()
    assert (state, ended["pull"], ended["publish"]) == ("failed", "failed", "upstream_failed")

    stored = airflow.ask("SELECT value FROM xcom")
    assert all(len(str(value)) < 1000 for (value,) in stored)
    assert real_values(airflow, shop) == []


def real_values(airflow: Airflow, shop: Any) -> list[str]:
    """Real e-mail addresses in Airflow's database and logs; there are 120 to be found."""
    with duckdb.connect(str(shop.warehouse), read_only=True) as warehouse:
        emails = [mail for (mail,) in warehouse.execute("SELECT email FROM customers").fetchall()]
    files = [file for file in airflow.home.rglob("*") if file.is_file()]
    assert {"airflow.db"} <= {file.name for file in files}
    text = b"\n".join(file.read_bytes() for file in files)
    return [mail for mail in emails if mail.encode() in text]
