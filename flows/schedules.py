"""The schedule of a project, as Prefect takes it."""

from __future__ import annotations

from prefect.schedules import Cron, Schedule

from prefect_synth.flows.run_settings import RunSettings
from prefect_synth.flows.yaml_document import ProjectError


def schedule_of(run: RunSettings, cron: str | None = None) -> Schedule:
    """The schedule by which `serve` runs a refresh.

    Args:
        run: The project file's `run`.
        cron: Another cron line than the project file's.

    Raises:
        ProjectError: The cron line makes no sense.
    """
    line = cron or run.schedule
    try:
        return Cron(line, timezone=run.timezone)
    except ValueError:
        raise ProjectError(
            f"The schedule '{line}' is not a cron line. Give run.schedule five fields (minute, "
            "hour, day, month, weekday), such as '30 2 * * *'."
        ) from None
