"""What a project's deployments are called; each flow's name stands before it, as in Prefect."""

from __future__ import annotations


def nightly_name(project: str) -> str:
    """Name of the deployments that follow the clock: `refresh/shop`, `watch/shop` and so on.

    Args:
        project: The project's name.
    """
    return project


def on_change_name(project: str) -> str:
    """Name of the deployment of `refresh` that events start: `refresh/shop-on-change`.

    Args:
        project: The project's name.
    """
    return f"{project}-on-change"
