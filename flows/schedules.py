"""The schedule of a project, as Prefect takes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim
from prefect.schedules import Cron, Schedule

from prefect_synth.flows.run_settings import RunSettings
from prefect_synth.flows.yaml_document import ProjectError

_GRACE = timedelta(hours=2)  # for the refresh itself
_RUNS_LOOKED_AT = 20_000
_LOOKED_AT = datetime(2026, 1, 1), datetime(2031, 1, 1)


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


def promise_of(run: RunSettings, cron: str | None = None) -> timedelta:
    """How old the last good snapshot may become before somebody is told.

    Args:
        run: The project file's `run`.
        cron: Another cron line than the project file's.

    Returns:
        What the project file says, or the longest pause of the schedule and two hours.
    """
    if run.promise_hours is not None:
        return timedelta(hours=run.promise_hours)
    zone = ZoneInfo(run.timezone)
    first, last = (moment.replace(tzinfo=zone) for moment in _LOOKED_AT)
    all_runs = CronSim(cron or run.schedule, first)
    runs = takewhile(lambda moment: moment < last, islice(all_runs, _RUNS_LOOKED_AT))
    # in UTC, since a night in which clocks change is longer than it looks
    pauses = pairwise(moment.astimezone(UTC) for moment in runs)
    return max((after - before for before, after in pauses), default=timedelta(days=366)) + _GRACE
