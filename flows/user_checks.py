"""What the project file says of suites and checks of a user's own."""

from __future__ import annotations

from prefect_synth.flows.refresh_setup import Setup
from prefect_synth.tasks.suites import UserChecks


def user_checks(setup: Setup) -> UserChecks:
    """Where a project's suites, expectation classes and SQL checks are.

    Args:
        setup: The project and its places.
    """
    suites = setup.project.suites
    return UserChecks(
        base=setup.base,
        folder=setup.base / suites.folder,
        modules=suites.modules,
        checks=setup.project.checks,
        memory=setup.project.run.memory,
    )
