"""One published snapshot, as a reader has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from prefect_synth.synth.metadata import Metadata
from prefect_synth.tasks.snapshots.errors import SandboxError, SnapshotContentError
from prefect_synth.tasks.snapshots.naming import snapshot_folder
from prefect_synth.tasks.snapshots.reading_files import SnapshotFiles
from prefect_synth.tasks.snapshots.store import SnapshotStore
from prefect_synth.tasks.snapshots.table_order import parents_first
from prefect_synth.tasks.snapshots.verification import differences
from prefect_synth.tasks.warehouses.errors import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

_BATCH_ROWS = 65_536


@dataclass(frozen=True, repr=False)
class Snapshot:
    """A snapshot: its tables, and what its manifest says.

    Args:
        manifest: The manifest.
        local: Where its files lie on this machine.
        store: The sandbox.
    """

    manifest: Mapping[str, Any]
    local: SnapshotFiles = field(compare=False)
    store: SnapshotStore = field(compare=False)

    def __repr__(self) -> str:
        return f"Snapshot({self.url!r})"

    @property
    def snapshot_id(self) -> str:
        """Its name: give it to `Snapshots.get` to read the same rows again."""
        return str(self.manifest["snapshot_id"])

    @property
    def url(self) -> str:
        """Its folder in the sandbox, without credentials."""
        return f"{self.store.url}/{snapshot_folder(self.snapshot_id)}".rstrip("/")

    @property
    def created(self) -> datetime:
        """When its data were taken."""
        return datetime.fromisoformat(self.manifest["created"])

    @cached_property
    def metadata(self) -> Metadata:
        """Names, keys and relationships, as the manifest has them.

        Raises:
            SandboxError: If it was published without metadata.
        """
        if "metadata" not in self.manifest:
            raise SandboxError(
                f"Snapshot {self.snapshot_id!r} was published without metadata, so its keys are not"
                " known. Publish it by `prefect-synth refresh`."
            )
        return Metadata.from_dict(self.manifest["metadata"])

    @cached_property
    def tables(self) -> tuple[str, ...]:
        """Names of its tables, parents first as far as cycles allow."""
        held = self.manifest["tables"]
        known = parents_first(self.metadata) if "metadata" in self.manifest else ()
        return tuple(dict.fromkeys((*(name for name in known if name in held), *held)))

    def table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Return a table with its exact schema.

        Args:
            name: Name of the table.
            columns: Only these columns, in this order.

        Raises:
            SnapshotContentError: If there is no such table or column.
            SnapshotDamagedError: If a file is not as the manifest says.
        """
        schema = self._chosen(name, columns)
        tables = []
        for path in self.files(name):
            with pq.ParquetFile(path) as file:
                tables.append(file.read(schema.names).select(schema.names))
        return pa.concat_tables(tables)

    def pandas(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return a table as a pandas frame; as `table`, but types are pandas' nearest."""
        return self.table(name, columns).to_pandas()

    def batches(self, name: str, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield a table in pieces, in bounded memory.

        Args:
            name: Name of the table.
            columns: Only these columns, in this order.
        """
        schema = self._chosen(name, columns)
        return self._batches(name, schema)

    def schema(self, name: str) -> pa.Schema:
        """Return the exact Arrow schema of a table, with what its file says of it."""
        return pq.read_schema(self._path(self._listed(name)[0]))

    def files(self, name: str) -> list[Path]:
        """Return the local Parquet files of a table, each as the manifest says.

        Where the sandbox is a bucket they lie in the cache, and are fetched if they do not.

        Raises:
            SnapshotContentError: If there is no such table.
            SnapshotDamagedError: If a file is not as the manifest says.
        """
        return [self._path(file) for file in self._listed(name)]

    def verify(self) -> list[str]:
        """Return one sentence for each file in the sandbox that is not as the manifest says."""
        return differences(self.store.backend, self.manifest)

    def _batches(self, name: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        for listed in self._listed(name):
            with pq.ParquetFile(self._path(listed)) as file:
                for batch in file.iter_batches(_BATCH_ROWS, columns=schema.names):
                    yield batch.select(schema.names)

    def _path(self, file: Mapping[str, Any]) -> Path:
        return self.local.path(self.snapshot_id, file)

    def _listed(self, name: str) -> Sequence[Mapping[str, Any]]:
        listed = self.manifest["tables"].get(name)
        if listed is None:
            raise SnapshotContentError(
                f"Snapshot {self.snapshot_id!r} has no table {name!r}. "
                f"{did_you_mean(name, self.tables)}"
            )
        files: Sequence[Mapping[str, Any]] = listed["files"]
        return files

    def _chosen(self, name: str, columns: Sequence[str] | None) -> pa.Schema:
        schema = self.schema(name)
        names = schema.names if columns is None else list(columns)
        for column in names:
            if column not in schema.names:
                raise SnapshotContentError(
                    f"Table {name!r} of snapshot {self.snapshot_id!r} has no column {column!r}. "
                    f"{did_you_mean(column, schema.names)}"
                )
        return pa.schema([schema.field(column) for column in names], schema.metadata)
