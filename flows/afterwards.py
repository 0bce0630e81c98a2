"""What comes when a refresh has reached its end: nothing that fails there takes that back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prefect_synth.flows.refresh_log import log_deleted
from prefect_synth.flows.refresh_setup import Setup
from prefect_synth.flows.runners import Runners, quoted
from prefect_synth.tasks.publish import retain_snapshots
from prefect_synth.tasks.steps import guard
from prefect_synth.tasks.telling import run_log

NEXT_TIME = "The next refresh tries again."


@contextmanager
def tried(end: str, what: str, cure: str, troubles: list[str]) -> Iterator[None]:
    """Note and log a failure.

    Args:
        end: What stays true all the same.
        what: What was not done.
        cure: What to do, a sentence.
        troubles: Where to note it.
    """
    try:
        with guard():
            yield
    except Exception as error:
        troubles.append(f"{end}, but {what}: {error} {cure}")
        run_log().warning(troubles[-1])


def retain(setup: Setup, runners: Runners, end: str, troubles: list[str]) -> None:
    """Let the oldest snapshots go, as `sandbox.retain` says; a failure is noted.

    Args:
        setup: The project and its places.
        runners: Run the task.
        end: What stays true all the same.
        troubles: Where to note a failure.
    """
    policy = setup.project.sandbox.retain
    arguments = {"sandbox": setup.sandbox, "last": policy.last, "weekly": policy.weekly}
    with tried(end, "old snapshots were not deleted", NEXT_TIME, troubles):
        log_deleted(runners.here.submit(retain_snapshots, quoted(arguments)).result())
