"""Names of flow runs: the project, what the run does, and the day."""

from __future__ import annotations

from pathlib import Path

from prefect.runtime import flow_run

from prefect_synth.flows.project import ProjectError, load_project


def run_name(*middle: str, when: str = "%Y-%m-%d") -> str:
    """Name the flow run that is about to begin, such as `shop · nightly · 2026-11-21`.

    Args:
        middle: What stands between the project and the day; empty parts are left out.
        when: How its scheduled start is written.
    """
    file = flow_run.parameters["project"]
    try:
        name = load_project(file).project
    except ProjectError:
        name = Path(file).stem  # the run itself will say what is wrong
    started = flow_run.scheduled_start_time.strftime(when)
    return " · ".join(part for part in (name, *middle, started) if part)
