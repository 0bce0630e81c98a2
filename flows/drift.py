"""What moved in a project's warehouse: the flows' way to ask."""

from __future__ import annotations

from prefect_synth.flows.refresh_setup import Setup
from prefect_synth.tasks.drift.changes import Drift
from prefect_synth.tasks.drift.policies import DATA_KINDS
from prefect_synth.tasks.drift.since import with_since
from prefect_synth.tasks.warehouses.warehouse import Warehouse


def project_drift(setup: Setup, warehouse: Warehouse, data: bool = False) -> Drift:
    """Compare a project's warehouse with what was accepted of it.

    Args:
        setup: The project and its places.
        warehouse: Its open warehouse.
        data: Whether to look at a sample of the rows as well as at the catalogue.

    Returns:
        What moved, the policy of each change, and what comes of it.

    Raises:
        LockError: `synth.lock` cannot be read.
        WarehouseError: The subclass says what is wrong with the warehouse.
    """
    drift = setup.drift(warehouse)
    if data:
        from prefect_synth.flows.data_drift import warehouse_drift

        moved = (*drift.changes, *warehouse_drift(setup, warehouse))
        drift = drift.model_copy(update={"changes": moved})
    return with_since(drift, setup.staging.drift, DATA_KINDS if not data else ())
