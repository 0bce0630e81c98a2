"""Fingerprints of what a judgement looks at: a table's rows on all sides, or its keys alone."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from prefect_synth import __version__
from prefect_synth.synth.metadata import Metadata
from prefect_synth.tasks.references import TableRef, fingerprint

_BATCH = 65_536
_JUDGES = ("great-expectations", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy")


@cache
def judges() -> str:
    """The versions of this package and of the libraries that count and measure for it."""
    return ", ".join([__version__, *(f"{name} {version(name)}" for name in _JUDGES)])


class Prints(BaseModel):
    """Fingerprints of the tables of a judgement.

    Args:
        rows: By table, of its rows on all sides, and of what they mean.
        keys: By table, of its keys on all sides, and of how it hangs together with other tables:
            all that the judgement of another table looks at.
    """

    model_config = ConfigDict(frozen=True)

    rows: dict[str, str] = {}
    keys: dict[str, str] = {}


def print_tables(
    metadata: Metadata, staged: Sequence[TableRef], synthetic: Mapping[str, TableRef]
) -> Prints:
    """Take fingerprints of all tables.

    Args:
        metadata: The schema.
        staged: The parts of the real tables: what models see, and what they do not.
        synthetic: The synthetic tables.
    """
    rows, keys = {}, {}
    for name in metadata.tables:
        parts = [*(ref for ref in staged if ref.table == name), synthetic[name]]
        meaning = metadata.subset([name]).to_dict()
        rows[name] = fingerprint(judges(), meaning, [ref.fingerprint for ref in parts])
        columns = _linking_columns(metadata, name)
        links = [repr(r) for r in (*metadata.parents(name), *metadata.children(name))]
        keys[name] = fingerprint(
            judges(), links, sorted(columns), [_keys(ref.path, columns) for ref in parts]
        )
    return Prints(rows=rows, keys=keys)


def _linking_columns(metadata: Metadata, table: str) -> set[str]:
    """The columns by which a table hangs together with others."""
    up = {c for r in metadata.parents(table) for c in r.child_columns}
    up |= {r.when[0] for r in metadata.parents(table) if r.when is not None}
    return up | {c for r in metadata.children(table) for c in r.parent_columns}


def _keys(path: Path, columns: Collection[str]) -> str:
    """Of some columns of a Parquet file, or of the parts in a folder, in their order."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*.parquet")) if path.is_dir() else [path]:
        with pq.ParquetFile(file) as source:
            wanted = [c for c in source.schema_arrow.names if c in columns]
            digest.update(str(source.metadata.num_rows).encode())
            for batch in source.iter_batches(_BATCH, columns=wanted) if wanted else ():
                digest.update(batch.serialize())
    return digest.hexdigest()
