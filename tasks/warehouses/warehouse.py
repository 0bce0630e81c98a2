"""A warehouse: where production tables are, read only and as of one instant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.tasks.warehouses.catalogue import Catalogue
from prefect_synth.tasks.warehouses.errors import InvalidUrl
from prefect_synth.tasks.warehouses.selection import Selection
from prefect_synth.tasks.warehouses.url import redact, scheme_of

SCHEMES = ("duckdb", "postgresql")


class WarehouseSnapshot(Protocol):
    """One consistent state of a warehouse. Every method may be called from any thread."""

    def pull(
        self,
        table: str,
        schema: pa.Schema,
        path: Path,
        *,
        selection: Selection | None = None,
        on_batch: Callable[[int], None] | None = None,
    ) -> int:
        """Stream a table to a Parquet file, in the order of its primary key.

        Args:
            table: Name as the metadata has it.
            schema: What `Warehouse.schemas` gave; only its columns are read.
            path: The file, which appears only when it is complete.
            selection: Which rows to read; all by default.
            on_batch: Called with the number of rows of each batch written.

        Returns:
            The number of rows.
        """
        ...

    def count(self, table: str) -> int:
        """The number of rows of a table."""
        ...

    def sample(self, table: str, schema: pa.Schema, path: Path, rows: int) -> int:
        """Stream a random sample of a table to a Parquet file: at most about `rows` of its rows.

        Args:
            table: Name as the metadata has it.
            schema: What `Warehouse.schemas` gave.
            path: The file, which appears only when it is complete.
            rows: How many; the same ones every time, as long as the table is the same.

        Returns:
            The number of rows of the whole table.
        """
        ...

    def highest(self, table: str, column: str) -> str | None:
        """The largest value of a column as a text: real data, for private staging only.

        None where the table is empty, or the column is held.
        """
        ...

    def orphans(self, relationship: Relationship) -> int:
        """How many child rows refer to no parent; rows with a null in the key are not counted."""
        ...


class Warehouse(Protocol):
    """A connection to a warehouse. It never writes."""

    def reflect(
        self,
        schemas: Sequence[str] | None = None,
        include: Sequence[str] = ("*",),
        exclude: Sequence[str] = (),
    ) -> Metadata:
        """What the catalogue says of tables, keys and relationships.

        Args:
            schemas: Schemas to read; the connection's default schema by default. With more than
                one, tables are named `schema.table`.
            include: Table names, or patterns as `fact_*`. A view is read only when named in full.
            exclude: Table names or patterns to leave out.
        """
        ...

    def catalogue(self) -> Catalogue:
        """All that the warehouse's own catalogue says, system schemas apart; read once."""
        ...

    def go_by(self, catalogue: Catalogue) -> None:
        """Reflect and read by another catalogue from now on: with columns held, or left out."""
        ...

    def schemas(self, metadata: Metadata) -> dict[str, pa.Schema]:
        """The exact Arrow schema of each table, for the columns that `metadata` has."""
        ...

    def check_read_only(self) -> None:
        """Raise `WritableRoleError` if this role could change the warehouse."""
        ...

    def snapshot(self) -> AbstractContextManager[WarehouseSnapshot]:
        """One consistent state that all readers share, until the context ends."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


def open_warehouse(url: str, *, allow_writable: bool = False) -> Warehouse:
    """Connect to a warehouse.

    Args:
        url: `duckdb:///path.duckdb` or `postgresql://user:password@host/database`.
        allow_writable: Accept a role that can write. The connection itself never does.

    Raises:
        InvalidUrl: The URL is of no known kind.
        ConnectionFailed: There is no such warehouse, or it does not let us in.

    Example:
        >>> open_warehouse("mysql://ann:s3cret@db/sales")
        Traceback (most recent call last):
            ...
        prefect_synth.tasks.warehouses.errors.InvalidUrl: The warehouse URL 'mysql://ann:***@db/sales' is of no known kind. Use one of: duckdb:///, postgresql://.
    """  # noqa: E501 (the refusal is one line)
    openers: Mapping[str, Callable[[str, bool], Warehouse]] = {
        "duckdb": _open_duckdb,
        "postgresql": _open_postgres,
        "postgres": _open_postgres,
    }
    opener = openers.get(scheme_of(url))
    if opener is None:
        known = ", ".join(f"{s}:///" if s == "duckdb" else f"{s}://" for s in SCHEMES)
        raise InvalidUrl(
            f"The warehouse URL '{redact(url)}' is of no known kind. Use one of: {known}."
        )
    return opener(url, allow_writable)


# the drivers are imported only when they are needed


def _open_duckdb(url: str, allow_writable: bool) -> Warehouse:
    from prefect_synth.tasks.warehouses.duckdb import DuckDBWarehouse

    return DuckDBWarehouse(url)


def _open_postgres(url: str, allow_writable: bool) -> Warehouse:
    try:
        from prefect_synth.tasks.warehouses.postgres import PostgresWarehouse
    except ModuleNotFoundError as error:
        raise InvalidUrl(
            f"A PostgreSQL warehouse needs the module '{error.name}', which is not installed. "
            "Install prefect-synth[postgres]."
        ) from error
    return PostgresWarehouse(url, allow_writable=allow_writable)
