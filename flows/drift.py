"""What moved in a project's warehouse: the flows' way to ask."""

from __future__ import annotations

from prefect_synth.flows.refresh_setup import Setup
from prefect_synth.tasks.drift.changes import Drift
from prefect_synth.tasks.drift.lock import LockError
from prefect_synth.tasks.drift.policies import DATA_KINDS
from prefect_synth.tasks.drift.since import with_since
from prefect_synth.tasks.warehouses.warehouse import Warehouse


class NothingAcceptedError(LockError):
    """A snapshot was published, and what was accepted of the warehouse is gone."""


def require_baseline(setup: Setup, drift: Drift) -> None:
    """End here where all would be taken for accepted, though a snapshot was published before.

    Args:
        setup: The project and its places.
        drift: What moved.

    Raises:
        NothingAcceptedError: Nobody would notice a new column.
        SandboxError: The sandbox cannot be read.
    """
    if drift.baseline != "none":
        return
    latest = setup.sandbox.latest()
    if latest is None or _made_by_another(setup, latest.snapshot_id):
        return
    raise NothingAcceptedError(
        f"The sandbox has the snapshot '{latest.snapshot_id}' of this project, and what was "
        f"accepted of the warehouse's schema is gone: there is no '{setup.lock_file}', and nothing "
        f"in private staging ('{setup.staging.root}'). A new column would pass for an old one. "
        "Look at the warehouse's columns, write down that they are accepted with `prefect-synth "
        "drift accept --all`, and commit synth.lock. The last good snapshot stays."
    )


def _made_by_another(setup: Setup, snapshot: str) -> bool:
    """Whether another project publishes into the same sandbox."""
    return bool(setup.sandbox.show(snapshot).get("project") != setup.project.project)


def project_drift(setup: Setup, warehouse: Warehouse, data: bool = False) -> Drift:
    """Compare a project's warehouse with what was accepted of it.

    Args:
        setup: The project and its places.
        warehouse: Its open warehouse.
        data: Whether to look at a sample of the rows as well as at the catalogue; not while the
            project file needs what is gone.

    Returns:
        What moved, the policy of each change, and what comes of it.

    Raises:
        LockError: `synth.lock` cannot be read.
        WarehouseError: The subclass says what is wrong with the warehouse.
    """
    drift = setup.drift(warehouse)
    if data and not any(change.needed_by for change in drift.changes):
        from prefect_synth.flows.data_drift import warehouse_drift

        moved = (*drift.changes, *warehouse_drift(setup, warehouse))
        drift = drift.model_copy(update={"changes": moved})
    return with_since(drift, setup.staging.drift, DATA_KINDS if not data else ())
