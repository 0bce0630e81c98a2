"""Find synthetic rows that copy real ones, without keeping the real ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.hashing import Hashes, combine, hash_values
from prefect_synth.synth.metrics.sources import Source, read_batches


def learned_columns(metadata: Metadata, table: str) -> list[str]:
    """The columns of a table that a synthesizer learns: neither keys, nor ids, nor personal data.

    Only they can copy a real row; generated columns differ in any case and would hide a copy.
    """
    keys = metadata.key_columns(table)
    return [
        column.name
        for column in metadata.tables[table].columns.values()
        if column.name not in keys and column.sdtype != "id" and not column.is_generated
    ]


def row_hashes(table: Source, columns: Sequence[str]) -> Hashes:
    """Hash each row, so that copies can be found later without the rows.

    Equal values hash alike whatever their storage type, in every process and on every machine.

    Args:
        table: The rows: a table, a Parquet file, or a folder of Parquet parts.
        columns: The columns that make a row; their order matters, the order of rows does not.

    Returns:
        One hash for each row, sorted; equal rows have equal hashes, so a hash may repeat.
    """
    return np.sort(table_hashes(table, columns))


def table_hashes(source: Source, columns: Sequence[str]) -> Hashes:
    """One hash for each row, in the rows' order."""
    parts = [_batch_hashes(batch, columns) for batch in read_batches(source, columns)]
    return np.concatenate([np.zeros(0, dtype=np.uint64), *parts])


def copied_share(synthetic: Source, columns: Sequence[str], real_hashes: Hashes) -> float:
    """The share of synthetic rows that equal a real row in all `columns`.

    Data repeat by nature: compare with the share of a holdout that equals a real row.

    Args:
        synthetic: The synthetic rows.
        columns: The same columns, in the same order, as those of `real_hashes`.
        real_hashes: What `row_hashes` made of the real rows.

    Returns:
        A share from 0 to 1; 0 where there are no rows or no columns.
    """
    hashes = table_hashes(synthetic, columns)
    if not (len(hashes) and len(real_hashes) and columns):
        return 0.0
    places = np.minimum(np.searchsorted(real_hashes, hashes), len(real_hashes) - 1)
    return float(np.mean(real_hashes[places] == hashes))


def _batch_hashes(batch: pa.RecordBatch, columns: Sequence[str]) -> Hashes:
    hashes = np.zeros(batch.num_rows, dtype=np.uint64)
    for column in columns:
        hashes = combine(hashes, hash_values(batch.column(column)))
    return hashes
