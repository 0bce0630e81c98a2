"""What moved in the rows since the last published snapshot, told from samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from prefect_synth.expectations.profile import TableProfile
from prefect_synth.flows.refresh_setup import Setup
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.storage import folder_name
from prefect_synth.tasks.drift.changes import Change, DriftBlockedError
from prefect_synth.tasks.drift.lock import EVERYTHING, read_lock
from prefect_synth.tasks.drift.policies import DATA_KINDS
from prefect_synth.tasks.drift.sketch import (
    SAMPLE_ROWS,
    TableSketch,
    compare_sketches,
    sketch_of,
    sketch_table,
    watermark_column,
)
from prefect_synth.tasks.looks import rows_for_a_look
from prefect_synth.tasks.staging import Staging
from prefect_synth.tasks.synthesis import read_metadata
from prefect_synth.tasks.warehouses.warehouse import Warehouse, WarehouseSnapshot


def remembered(setup: Setup) -> tuple[Metadata, dict[str, TableSketch]] | None:
    """What is remembered of the real tables at the last published snapshot; None before it.

    Args:
        setup: The project and its places.
    """
    folder = setup.staging.last_profiles
    try:
        metadata = read_metadata(folder / "metadata.json")
        profiles = {n: TableProfile.load(folder / folder_name(n)) for n in metadata.tables}
    except (OSError, KeyError, TypeError, ValueError):  # none, or of another version
        return None
    return metadata, {name: sketch_of(profile) for name, profile in profiles.items()}


def warehouse_drift(setup: Setup, warehouse: Warehouse) -> tuple[Change, ...]:
    """Look at a sample of each table, and tell what moved in it.

    Columns that nobody has accepted are not looked at. Where neither the number of rows nor the
    watermark moved since the last look, that look counts.

    Args:
        setup: The project and its places.
        warehouse: The open warehouse.
    """
    last = remembered(setup)
    if last is None:
        return ()
    metadata, before = last
    present = setup.reflect(warehouse)  # from here on it goes by what is accepted
    schemas = warehouse.schemas(present)
    setup.staging.sketches.mkdir(exist_ok=True, mode=0o700)
    now = {}
    with warehouse.snapshot() as snapshot:
        for name in (n for n in before if n in present.tables):
            columns = [f for f in schemas[name] if f.name in metadata.tables[name].columns]
            mark = watermark_column(present.tables[name])
            now[name] = _look(snapshot, metadata, name, pa.schema(columns), setup.staging, mark)
    return undecided(setup, compare_sketches(before, now, setup.project.on_drift))


def _look(
    snapshot: WarehouseSnapshot,
    metadata: Metadata,
    name: str,
    schema: pa.Schema,
    staging: Staging,
    column: str | None,
) -> TableSketch:
    table, file = metadata.tables[name], staging.sketches / f"{folder_name(name)}.json"
    known = TableSketch.load(file)
    mark = snapshot.highest(name, column) if column in schema.names and column else None
    seen = (known.rows, known.watermark_column, known.watermark) if known else None
    if known and mark is not None and seen == (snapshot.count(name), column, mark):
        return known
    with rows_for_a_look(staging.root) as folder:
        path = folder / "sample.parquet"
        rows = snapshot.sample(name, schema, path, SAMPLE_ROWS)
        sketch = sketch_table(path, table, metadata, rows=rows, watermark=mark)
    sketch = replace(sketch, watermark_column=column)
    sketch.save(file)
    return sketch


def refuse_data_drift(setup: Setup, metadata: Metadata, tables: Mapping[str, Path]) -> None:
    """End a refresh whose rows moved in a way that blocks; looks only where a policy asks for it.

    Args:
        setup: The project and its places.
        metadata: The schema, refined by what the rows show.
        tables: The staged tables, each whole.

    Raises:
        DriftBlockedError: The message names each change and the remedy.
    """
    policies = setup.project.on_drift
    if all(policies.of(kind) == "evolve" for kind in DATA_KINDS):
        return
    last = remembered(setup)
    if last is None:
        return
    now = {n: sketch_table(tables[n], metadata.tables[n], metadata) for n in metadata.tables}
    changes = undecided(setup, compare_sketches(last[1], now, policies))
    blocked = [change for change in changes if change.effect == "blocks"]
    if blocked:
        raise DriftBlockedError(blocked)


def undecided(setup: Setup, changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """The changes that nobody has accepted since the last published snapshot.

    Args:
        setup: The project and its places.
        changes: What moved in the rows since then.
    """
    lock = read_lock(setup.lock_file)
    published = datetime.fromtimestamp(setup.staging.last_profiles.stat().st_mtime, UTC)
    accepted = {d.place for d in (lock.decisions if lock else ()) if d.data and d.when >= published}
    if EVERYTHING in accepted:
        return ()
    return tuple(c for c in changes if not {c.place, c.table} & accepted)
