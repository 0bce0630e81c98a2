"""What a run says of the drift that it found: in its log, and as an artifact."""

from __future__ import annotations

import logging

from prefect_synth.tasks.artifacts import keep_drift
from prefect_synth.tasks.drift.changes import Drift, Effect
from prefect_synth.tasks.telling import run_log

_MOST_TOLD = 20
_LEVELS: dict[Effect, int] = {"followed": logging.INFO, "blocks": logging.ERROR}
"""How loud a change is; those between ask for a decision, and what blocks says so itself."""


def tell_drift(project: str, drift: Drift) -> None:
    """Say what moved in the run's log, and leave it as the artifact `<project>-drift`.

    Args:
        project: The project's name.
        drift: What moved.
    """
    keep_drift(project, drift)
    log = run_log()
    for change in drift.changes[:_MOST_TOLD]:
        log.log(_LEVELS.get(change.effect, logging.WARNING), str(change))
    if len(drift.changes) > _MOST_TOLD:
        more = len(drift.changes) - _MOST_TOLD
        log.warning(f"And {more} more changes: the artifact {project}-drift has them.")
    if undecided := dict.fromkeys(c.place for c in drift.changes if c.effect not in _LEVELS):
        places = " ".join(list(undecided)[:_MOST_TOLD])
        log.warning(f"Accept with `prefect-synth drift accept {places}`, and commit synth.lock.")
