"""Opening what the project file names: the warehouse to read and the sandbox to publish to."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from prefect_synth.tasks.databases.address import based_at
from prefect_synth.tasks.databases.settings import FeedSettings
from prefect_synth.tasks.saved_blocks import SandboxKeys, database_address, sandbox_keys
from prefect_synth.tasks.settings import SandboxSettings, WarehouseSettings
from prefect_synth.tasks.snapshots.store import SnapshotStore, open_store
from prefect_synth.tasks.warehouses.url import duckdb_path, redact, scheme_of
from prefect_synth.tasks.warehouses.warehouse import Warehouse, open_warehouse


def open_project_warehouse(settings: WarehouseSettings, base: Path) -> Warehouse:
    """Open a project's warehouse.

    Args:
        settings: The project file's `warehouse`.
        base: Folder of the project file; relative paths start there.

    Returns:
        The warehouse; the caller closes it.
    """
    return open_warehouse(warehouse_url(settings, base), allow_writable=settings.allow_writable)


def warehouse_url(settings: WarehouseSettings, base: Path) -> str:
    """The warehouse's whole address, password included: never to be shown."""
    secret = settings.url or database_address("Warehouse", str(settings.block))
    url = secret.get_secret_value()
    if scheme_of(url) != "duckdb":
        return url
    return f"duckdb:///{quote(str(base / duckdb_path(url)))}"


def database_url(settings: FeedSettings, base: Path) -> str:
    """The whole address of a database that is fed, password included: never to be shown."""
    secret = settings.url or database_address("Database", str(settings.block))
    return based_at(secret.get_secret_value(), base)


def shown_database_url(settings: FeedSettings) -> str:
    """A fed database's address as people may see it."""
    if settings.url is None:
        return f"block {settings.block}"
    return redact(settings.url.get_secret_value())


def shown_warehouse_url(settings: WarehouseSettings) -> str:
    """The warehouse's address as people may see it."""
    if settings.url is None:
        return f"block {settings.block}"
    return redact(settings.url.get_secret_value())


def open_project_sandbox(settings: SandboxSettings, base: Path) -> SnapshotStore:
    """Open a project's sandbox.

    Args:
        settings: The project file's `sandbox`.
        base: Folder of the project file; relative paths start there.

    Returns:
        The store of snapshots.
    """
    keys = sandbox_keys(settings) if settings.block is not None else _given(settings)
    return open_store(
        keys.url if "://" in keys.url else str(base / Path(keys.url).expanduser()),
        endpoint_url=settings.endpoint_url or keys.endpoint_url,
        key=keys.key,
        secret=keys.secret,
        token=keys.token,
        region=settings.region or keys.region,
    )


def _given(settings: SandboxSettings) -> SandboxKeys:
    return SandboxKeys(str(settings.url), None, settings.key, settings.secret)
