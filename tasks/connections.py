"""Opening what the project file names: the warehouse to read and the sandbox to publish to."""

from __future__ import annotations

from pathlib import Path
from typing import cast
from urllib.parse import quote

from pydantic import SecretStr

from prefect_synth.tasks.databases.address import based_at
from prefect_synth.tasks.databases.settings import FeedSettings
from prefect_synth.tasks.settings import SandboxSettings, WarehouseSettings
from prefect_synth.tasks.snapshots.store import SnapshotStore, open_store
from prefect_synth.tasks.warehouses.url import duckdb_path, redact, scheme_of
from prefect_synth.tasks.warehouses.warehouse import Warehouse, open_warehouse


class BlockNotFoundError(RuntimeError):
    """The project file names a Prefect block that does not exist."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(
            f"There is no {kind} block named '{name}' on the Prefect API in use. Save one with "
            f"`from prefect_synth.tasks.blocks import {kind}; {kind}(url=...).save('{name}')`, or "
            f"give {kind.lower()}.url instead."
        )


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
    secret = settings.url or _warehouse_block(str(settings.block))
    url = secret.get_secret_value()
    if scheme_of(url) != "duckdb":
        return url
    return f"duckdb:///{quote(str(base / duckdb_path(url)))}"


def database_url(settings: FeedSettings, base: Path) -> str:
    """The whole address of a database that is fed, password included: never to be shown."""
    secret = settings.url or _database_block(str(settings.block))
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
    if settings.block is not None:
        settings = _sandbox_block(settings)
    url = str(settings.url)
    return open_store(
        url if "://" in url else str(base / Path(url).expanduser()),
        endpoint_url=settings.endpoint_url,
        key=settings.key,
        secret=settings.secret,
        region=settings.region,
    )


def _warehouse_block(name: str) -> SecretStr:
    from prefect_synth.tasks.blocks import Warehouse as WarehouseBlock

    try:
        return cast(WarehouseBlock, WarehouseBlock.load(name)).url
    except ValueError:
        raise BlockNotFoundError("Warehouse", name) from None


def _database_block(name: str) -> SecretStr:
    from prefect_synth.tasks.blocks import Database

    try:
        return cast(Database, Database.load(name)).url
    except ValueError:
        raise BlockNotFoundError("Database", name) from None


def _sandbox_block(settings: SandboxSettings) -> SandboxSettings:
    from prefect_synth.tasks.blocks import Sandbox

    try:
        block = cast(Sandbox, Sandbox.load(str(settings.block)))
    except ValueError:
        raise BlockNotFoundError("Sandbox", str(settings.block)) from None
    return SandboxSettings(
        url=block.url,
        endpoint_url=block.endpoint_url,
        key=block.key,
        secret=block.secret,
        region=block.region,
        retain=settings.retain,
    )
