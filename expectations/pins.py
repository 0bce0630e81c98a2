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

    A row is refused that has the key and all other values of a real row; that has two values or
    more besides keys, and fewer than `k` real rows have just these; or that has a real personal
    value.

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
    keys = metadata.key_columns(one.table.name)
    given = [c for c in one.rows.column_names if c not in keys]
    if not given:
        return
    if one.table.primary_key:
        key = [*dict.fromkeys((*one.table.primary_key, *one.rows.column_names))]
        same = np.flatnonzero(np.isin(table_hashes(one.rows, key), table_hashes(real, key)))
        if len(same):
            raise one.wrong(
                "it is a real row, key and values. Change its values: a pinned row is made up.",
                int(same[0]),
            )
    if len(given) < _FEW:
        return
    distinct, counts = np.unique(table_hashes(real, given), return_counts=True)
    same = np.flatnonzero(np.isin(table_hashes(one.rows, given), distinct[counts < k]))
    if len(same):
        raise one.wrong(
            f"its values ({', '.join(given)}) are those of a real row, and fewer than {k} real "
            "rows have them. Change one: a pinned row is made up.",
            int(same[0]),
        )


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
