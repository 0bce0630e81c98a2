"""Whether the data are fresh: an old snapshot must not pass for tonight's."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from prefect_synth.expectations.verdict import Check, CheckStatus


def check_freshness(
    pulled: datetime, now: datetime, max_age_hours: float | None, last: datetime | None
) -> tuple[Check, ...]:
    """Check that the rows are young enough, and younger than those that readers have already.

    Args:
        pulled: When the real rows were read.
        now: The moment of the judgement.
        max_age_hours: Largest accepted age; any where None.
        last: When the rows of the last published snapshot were read; None where there is none.

    Returns:
        A check of the age, and one against the last snapshot, as far as there is something to ask.
    """
    hours = (now - pulled).total_seconds() / 3600
    blank = Check("fresh data", None, None, "structure", round(hours, 2), "", "passed")
    checks = []
    if max_age_hours is not None:
        required = f"rows read at most {max_age_hours:g} hours ago"
        status: CheckStatus = "passed" if hours <= max_age_hours else "failed"
        checks.append(replace(blank, required=required, status=status))
    if last is not None:
        required = "rows read after those of the last published snapshot"
        older = (last - pulled).total_seconds() / 3600
        late = replace(blank, required=required)
        if pulled <= last:
            detail = f"they were read {older:.2f} hours before"
            late = replace(late, status="failed", detail=detail)
        checks.append(late)
    return tuple(checks)
