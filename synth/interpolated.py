"""The mark of rows that are laid between real ones: they are real data, and never published."""

from __future__ import annotations

import pyarrow as pa

INTERPOLATED = "prefect_synth.interpolated"
"""Key of a Parquet file's metadata."""


def is_marked(schema: pa.Schema) -> bool:
    """Whether a Parquet file says that its rows are interpolated from real ones."""
    return INTERPOLATED.encode() in (schema.metadata or {})
