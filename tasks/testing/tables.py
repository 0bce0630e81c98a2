"""A snapshot's tables as a mapping, each read when it is first used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from prefect_synth.tasks.snapshots.reading_snapshot import Snapshot
from prefect_synth.tasks.warehouses.errors import did_you_mean

if TYPE_CHECKING:
    import pandas as pd


class SynthTables(Mapping[str, pa.Table]):
    """Arrow tables by name, parents first.

    Arrow tables cannot be changed, so all tests may share them; pandas frames can, so each call
    makes one of its own.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        """Remember where the tables are; nothing is read yet.

        Args:
            snapshot: The snapshot.
        """
        self._snapshot = snapshot
        self._read: dict[str, pa.Table] = {}

    def __getitem__(self, name: str) -> pa.Table:
        """A table, with its exact schema.

        Raises:
            KeyError: There is no such table.
        """
        if name not in self._snapshot.tables:
            hint = did_you_mean(name, self._snapshot.tables)
            raise KeyError(f"Snapshot {self._snapshot.snapshot_id} has no table '{name}'. {hint}")
        if name not in self._read:
            self._read[name] = self._snapshot.table(name)
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._snapshot.tables)

    def __len__(self) -> int:
        return len(self._snapshot.tables)

    def __contains__(self, name: object) -> bool:
        return name in self._snapshot.tables  # without reading it, as Mapping's own would

    def __repr__(self) -> str:
        return f"SynthTables({', '.join(self)})"

    def pandas(self, name: str) -> pd.DataFrame:
        """A table as a pandas frame that may be changed.

        Raises:
            KeyError: There is no such table.
        """
        return self[name].to_pandas()
