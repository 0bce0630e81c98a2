"""A hash of each row by its key: what chooses rows so that they stay chosen from night to night."""

from __future__ import annotations

import numpy as np

from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.hashing import Hashes, combine, hash_values
from prefect_synth.synth.metrics.sources import Source, read_batches, read_schema


def row_hashes(metadata: Metadata, source: Source, table: str) -> Hashes:
    """A hash of each row's primary key; of the whole row, numbered among its equals, without one.

    Equal rows without a key choose one by one: otherwise none would have its like among the others.
    """
    key = metadata.tables[table].primary_key
    names = key or tuple(read_schema(source).names)
    parts = [np.zeros(0, dtype=np.uint64)]
    for batch in read_batches(source, names):
        hashes = np.zeros(batch.num_rows, dtype=np.uint64)
        for name in names:
            hashes = combine(hashes, hash_values(batch.column(name)))
        parts.append(hashes)
    hashes = np.concatenate(parts)
    return hashes if key else combine(hashes, _numbered(hashes))


def _numbered(hashes: Hashes) -> Hashes:
    """The number of each row among the rows equal to it, in their order."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(hashes) else order
    lengths = np.diff(np.r_[starts, len(hashes)])
    numbers = np.empty(len(hashes), dtype=np.uint64)
    numbers[order] = np.arange(len(hashes)) - np.repeat(starts, lengths)
    return numbers
