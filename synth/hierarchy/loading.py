"""The tables that are fitted: in memory, or in Parquet files that are read when they are needed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.inference import as_table
from prefect_synth.synth.metadata import Metadata

HELD_BYTES = 2**28
"""Tables of files that are held together in memory; a larger one is held alone."""


class LoadedTables(Mapping[str, pa.Table]):
    """Arrow tables by name. Of those in files only the last ones asked for are held.

    Args:
        metadata: The schema.
        sources: Arrow tables, frames, or paths of Parquet files, by name.
    """

    def __init__(self, metadata: Metadata, sources: Mapping[str, pa.Table | Path]) -> None:
        self._metadata, self._sources = metadata, sources
        self._held: OrderedDict[str, pa.Table] = OrderedDict()

    def check(self) -> None:
        """Look whether tables and metadata fit.

        Raises:
            SynthesisError: A table or column is missing, or not in the metadata.
        """
        for name in self._metadata.tables:
            self._check(name)

    def __getitem__(self, name: str) -> pa.Table:
        if name in self._held:
            self._held.move_to_end(name)
            return self._held[name]
        table = as_table(self._sources[name])
        self._held[name] = table
        self._forget()
        return table

    def __iter__(self) -> Iterator[str]:
        return iter(self._metadata.tables)

    def __len__(self) -> int:
        return len(self._metadata.tables)

    def _forget(self) -> None:
        """Let go of the tables of files that were asked for longest ago."""
        files = [n for n in self._held if isinstance(self._sources[n], Path | str)]
        held = sum(self._held[n].nbytes for n in files)
        for name in files[:-1]:
            if held <= HELD_BYTES:
                return
            held -= self._held.pop(name).nbytes

    def _check(self, name: str) -> None:
        if name not in self._sources:
            raise SynthesisError(
                f"Table '{name}' is in the metadata, but not among the tables "
                f"({', '.join(self._sources)}). Add it, or take it out of the metadata."
            )
        names, columns = self[name].column_names, self._metadata.tables[name].columns
        for missing in [c for c in columns if c not in names]:
            raise SynthesisError(
                f"Column '{name}.{missing}' is in the metadata, but not in the table. "
                f"The table has: {', '.join(names)}."
            )
        for unknown in [c for c in names if c not in columns]:
            raise SynthesisError(
                f"Column '{name}.{unknown}' is in the table, but not in the metadata. "
                "Describe it there, or leave it out of the table."
            )


class Overlaid(Mapping[str, pa.Table]):
    """The same tables, some of them in another state.

    Args:
        tables: The tables.
        changed: Those that differ.
    """

    def __init__(self, tables: Mapping[str, pa.Table], changed: Mapping[str, pa.Table]) -> None:
        self._tables, self._changed = tables, changed

    def __getitem__(self, name: str) -> pa.Table:
        return self._changed[name] if name in self._changed else self._tables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)


class Without(Mapping[str, pa.Table]):
    """The same tables without the rows that were dropped.

    Args:
        tables: The tables.
        left: Numbers of the rows that stay, of the tables that lost some.
    """

    def __init__(self, tables: Mapping[str, pa.Table], left: Mapping[str, Ints]) -> None:
        self._tables, self._left = tables, left
        self._held: dict[str, pa.Table] = {}

    def __getitem__(self, name: str) -> pa.Table:
        if name not in self._left:
            return self._tables[name]
        if name not in self._held:
            self._held[name] = self._tables[name].take(pa.array(self._left[name]))
        return self._held[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)
