"""The nightly refresh as an Airflow DAG: pull, train, sample, validate, publish.

For Airflow 3. Copy this file into your DAGs folder; docs/airflow.md says how to set it up. One DAG
is made for each project file named in SYNTH_PROJECTS (paths with `:` between them). Its schedule
is the project file's.

Airflow and prefect-synth want different versions of the same libraries, so the steps run in the
environment of prefect-synth, whose interpreter SYNTH_PYTHON names. No Prefect server is needed.
From task to task goes a small dictionary: the name of the run and counts. Rows, models and secrets
do not pass through Airflow: rows and models stay in the project's private staging, and `${NAME}`
in the project file is looked up in the environment of Airflow's worker.
"""

from __future__ import annotations

import logging
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pendulum
import yaml
from airflow.sdk import DAG, Asset, AssetAlias, dag, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

try:
    from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
except ImportError:  # before Airflow 3.3 every failure of a patient task is tried again
    ExceptionRetryPolicy = None

PYTHON = os.environ.get("SYNTH_PYTHON", "/opt/prefect-synth/bin/python")
PROJECTS = os.environ.get("SYNTH_PROJECTS", "/etc/prefect-synth/synth.yaml")

# the project file's defaults, which it need not state
SCHEDULE, TIMEZONE = "30 2 * * *", "UTC"

# what talks to warehouse and sandbox may have met a lost connection, and then ends its process with
# an exit code of its own; what works on files alone, was refused by a gate, or is wrong in the
# project file, would end the same way again, and is told as Airflow's exception with a sentence
PATIENT: dict[str, Any] = {
    "retries": 3,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=15),
}
if ExceptionRetryPolicy is not None:
    hopeless = RetryRule(exception=AirflowException, action=RetryAction.FAIL)
    PATIENT["retry_policy"] = ExceptionRetryPolicy(rules=[hopeless])
ELSEWHERE: dict[str, Any] = {
    "python": PYTHON,
    "expect_airflow": False,
    "multiple_outputs": False,  # one XCom a task, not one for each key
}


@task.external_python(**ELSEWHERE, **PATIENT)
def pull(project: str) -> dict:
    """Stage every table of the warehouse's one state."""
    from prefect_synth.flows import stepwise

    with stepwise.worth_a_retry():
        return stepwise.pull(project)


@task.short_circuit
def changed(pulled: dict[str, Any]) -> dict[str, Any]:
    """End here, with all other steps skipped, where the snapshot would be the last one again."""
    return {} if pulled["unchanged"] else pulled


@task.external_python(**ELSEWHERE)
def train(project: str, run: dict) -> dict:
    """Train the parts of the model that changed."""
    from prefect_synth.flows import stepwise

    return stepwise.train(project, run["run_id"])


@task.external_python(**ELSEWHERE)
def sample(project: str, run: dict) -> dict:
    """Draw the synthetic tables."""
    from prefect_synth.flows import stepwise

    return stepwise.sample(project, run["run_id"])


@task.external_python(**ELSEWHERE)
def validate(project: str, run: dict) -> dict:
    """Judge them; a refused snapshot ends the DAG run here, and the last good one stays."""
    from prefect_synth.flows import stepwise

    return stepwise.validate(project, run["run_id"])


@task.external_python(**ELSEWHERE, **PATIENT)
def publish(project: str, run: dict) -> dict:
    """Make the snapshot visible, whole or not at all."""
    from prefect_synth.flows import stepwise

    with stepwise.worth_a_retry():
        return stepwise.publish(project, run["run_id"])


def refresh(file: Path) -> DAG:
    """Make the DAG of one project.

    Args:
        file: Its project file.
    """
    said = yaml.safe_load(file.read_text(encoding="utf-8"))
    run, name = said.get("run") or {}, said["project"]
    snapshot = Asset(f"prefect-synth://{name}")
    tables = AssetAlias(f"prefect-synth://{name}/*")

    # which tables there are is known once they are published: the warehouse decides
    @task(outlets=[snapshot, tables])
    def announce(published: dict[str, Any], *, outlet_events: Any) -> None:
        """Update the assets: the snapshot as a whole, and each of its tables."""
        facts = {key: published[key] for key in ("snapshot_id", "url", "generation")}
        outlet_events[snapshot].extra = facts
        for table, rows in published["rows_by_table"].items():
            asset = Asset(f"prefect-synth://{name}/{quote(table, safe='')}")
            outlet_events[tables].add(asset, extra={**facts, "rows": rows})

    @dag(
        dag_id=f"refresh-{name}",
        description=f"Publishes a synthetic copy of {name}'s production tables.",
        schedule=run.get("schedule", SCHEDULE),
        start_date=pendulum.datetime(2025, 1, 1, tz=run.get("timezone", TIMEZONE)),
        catchup=False,
        max_active_runs=1,
        tags=["prefect-synth", name],
        doc_md=__doc__,
    )
    def steps() -> None:
        project = str(file)
        pulled = pull(project)
        trained = train(project, changed(pulled))
        sampled = sample(project, trained)
        validated = validate(project, sampled)
        announce(publish(project, validated))

    return steps()


def broken(file: Path, error: Exception) -> DAG:
    """Make a DAG that fails each night, for a project file of which none can be made.

    The other projects keep their DAGs, and nobody takes a night without a run for a good one.

    Args:
        file: The project file.
        error: What is wrong with it; its text may quote the file, and is not repeated.
    """
    line = getattr(getattr(error, "problem_mark", None), "line", None)
    place = "" if line is None else f", line {line + 1}"
    said = (
        f"No DAG can be made of the project file '{file}': {type(error).__name__}{place}. "
        "`prefect-synth check` says more; once it is mended, this DAG goes."
    )
    logging.getLogger(__name__).error(said)

    @dag(
        dag_id=f"broken-{re.sub(r'[^A-Za-z0-9._-]', '_', file.parent.name or 'project')}",
        description=said,
        schedule=SCHEDULE,
        start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
        catchup=False,
        tags=["prefect-synth", "broken"],
    )
    def steps() -> None:
        @task
        def mend_the_project_file() -> None:
            raise AirflowFailException(said)

        mend_the_project_file()

    return steps()


for project in PROJECTS.split(os.pathsep):
    try:
        made = refresh(Path(project))
    except Exception as error:  # whatever it is, it is this project's alone
        made = broken(Path(project), error)
    globals()[made.dag_id] = made
