"""What `plan` reads of a warehouse: counts, and small tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from prefect_synth.flows.refresh_pull import Source, selection_of
from prefect_synth.flows.refresh_setup import Setup
from prefect_synth.tasks.looks import rows_for_a_look
from prefect_synth.tasks.warehouses.selection import Selection
from prefect_synth.tasks.warehouses.warehouse import WarehouseSnapshot

EXACT_ROWS = 20_000
"""Tables of so many rows are read whole, so that it is known whether a row of them changed."""


@dataclass(frozen=True)
class Look:
    """What was read: the number of rows of each table, and small tables whole.

    Args:
        counts: Rows of each table in the warehouse.
        pulled: Rows that were read of each small table.
        files: Where they are, until all is told.
    """

    counts: dict[str, int]
    pulled: dict[str, int]
    files: dict[str, Path]


@contextmanager
def looked(setup: Setup, source: Source) -> Iterator[Look]:
    """Count every table, and read small ones into a private folder that is gone at the end.

    None is read where there is no private staging yet, and so nothing to compare it with.

    Args:
        setup: The project and its places.
        source: The open warehouse.
    """
    with ExitStack() as end:
        remembered = setup.staging.root.exists()
        folder = end.enter_context(rows_for_a_look(setup.staging.root)) if remembered else Path()
        with source.warehouse.snapshot() as snapshot:
            counts = {name: snapshot.count(name) for name in source.metadata.tables}
            selection = selection_of(setup, source.metadata, counts)
            small = [n for n, rows in counts.items() if remembered and rows <= EXACT_ROWS]
            files = {name: folder / f"{at}.parquet" for at, name in enumerate(small)}
            for name, file in files.items():
                _pull(snapshot, name, source.schemas[name], file, selection)
        pulled = {name: pq.read_metadata(file).num_rows for name, file in files.items()}
        yield Look(counts, pulled, files)


def _pull(
    snapshot: WarehouseSnapshot, table: str, schema: pa.Schema, file: Path, chosen: Selection | None
) -> None:
    snapshot.pull(table, schema, file, selection=chosen)
