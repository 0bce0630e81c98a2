"""Pinned rows are nobody's: none equals a real row, and none has a real personal value."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.expectations.leaks import TELLING_SDTYPES, identifying_hashes
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.hashing import Hashes
from prefect_synth.synth.metrics.personal import text_hashes
from prefect_synth.synth.metrics.privacy import table_hashes
from prefect_synth.synth.metrics.sources import read_columns
from prefect_synth.synth.metrics.values import plain
from prefect_synth.synth.pins.reading import Pins

_FEW = 2


def check_not_real(
    metadata: Metadata, pins: Mapping[str, Pins], real: Mapping[str, Path], k: int = 5
) -> None:
    """Compare pinned rows with all real ones.

    A row is refused that has all that the file gives, keys among it, of a real row; that has two
    values or more besides keys, and fewer than `k` real rows have just these; or that has a real
    personal value. A primary key alone of one column tells nothing, so it may be a real one.

    Args:
        metadata: The schema.
        pins: The pinned rows, by table.
        real: The real tables, whole.
        k: Rows that must share values before they tell of nobody.

    Raises:
        ContractError: A pinned row is real; the message tells its place, and no value.
    """
    for name, one in pins.items():
        _check_rows(metadata, one, real[name], k)
        _check_personal(one, real[name])


def _check_rows(metadata: Metadata, one: Pins, real: Path, k: int) -> None:
    keys, names = metadata.key_columns(one.table.name), one.rows.column_names
    whole = [*dict.fromkeys((*one.table.primary_key, *names))]
    values = [c for c in names if c not in keys]
    if len(whole) >= _FEW and (at := _first_real(one, real, whole, k)) is not None:
        what = "key and values" if values else f"for its keys ({', '.join(whole)}) are of one row"
        raise one.wrong(
            f"it is a real row, {what}. Change {'its values' if values else 'one'}: a pinned row "
            "is made up.",
            at,
        )
    if len(values) >= _FEW and (at := _first_real(one, real, values, k)) is not None:
        raise one.wrong(
            f"its values ({', '.join(values)}) are those of a real row, and fewer than {k} real "
            "rows have them. Change one: a pinned row is made up.",
            at,
        )


def _first_real(one: Pins, real: Path, columns: list[str], k: int) -> int | None:
    """The first pinned row whose values fewer than `k` real rows have, and one at least."""
    distinct, counts = np.unique(table_hashes(real, columns), return_counts=True)
    few = distinct[counts < max(k, _FEW)]
    same = np.flatnonzero(np.isin(table_hashes(one.rows, columns), few))
    return int(same[0]) if len(same) else None


def _check_personal(one: Pins, real: Path) -> None:
    for column in one.rows.column_names:
        meaning = one.table.columns[column]
        if not meaning.is_generated:
            continue
        values = plain(read_columns(real, [column])[column])
        hashes = identifying_hashes(values, meaning)
        if hashes is None and meaning.sdtype in TELLING_SDTYPES:
            hashes = text_hashes(values)
        if hashes is None:
            continue
        pinned = plain(one.rows[column])
        known = np.flatnonzero(np.isin(_hashes(pinned), hashes))
        if len(known):
            raise one.wrong(
                f"the value of '{column}' is a real personal one. Take a made-up one, as of the "
                "domain example.com.",
                int(known[0]),
            )


def _hashes(values: pa.ChunkedArray) -> Hashes:
    """As `text_hashes`, one for each row: 0 where there is no value, [n]."""
    there = pc.is_valid(values)
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        there = pc.and_kleene(there, pc.not_equal(pc.utf8_trim_whitespace(values), ""))
    mask = np.asarray(pc.fill_null(there, False).to_numpy())
    found = np.zeros(len(values), np.uint64)
    found[mask] = text_hashes(values.filter(pa.array(mask)))
    return found
