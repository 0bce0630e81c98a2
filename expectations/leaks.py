"""Personal values: no value of a real PII column may turn up in the synthetic column.

The check blocks for kinds of values that chance hardly repeats (an e-mail address, a card number)
where the real column is nearly unique. Names from common lists coincide with real ones without
disclosing anyone, so for them the check only warns.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from prefect_synth.expectations.columns import RARE
from prefect_synth.expectations.settings import PrivacyGates
from prefect_synth.expectations.structure import guarded
from prefect_synth.expectations.verdict import Check
from prefect_synth.synth.metadata import Column, Table
from prefect_synth.synth.metrics.hashing import Hashes
from prefect_synth.synth.metrics.personal import text_hashes
from prefect_synth.synth.metrics.sources import read_columns, read_schema

TELLING_SDTYPES = frozenset(
    {
        "email",
        "phone_number",
        "address",
        "street_address",
        "ssn",
        "iban",
        "credit_card_number",
        "ipv6_address",
        "mac_address",
        "password",
        "license_plate",
    }
)
"""Personal values that two people hardly ever share by chance."""

NEARLY_UNIQUE = 0.9


def identifying_hashes(values: pa.ChunkedArray, column: Column) -> Hashes | None:
    """Sorted hashes of the values of a PII column that identify someone.

    Args:
        values: The real column.
        column: What it means.

    Returns:
        None where the column is not personal or not nearly unique; empty texts and values that
        many rows share are left out.
    """
    if not column.is_generated or pt.is_nested(values.type):
        return None
    hashes = text_hashes(values)
    distinct, counts = np.unique(hashes, return_counts=True)
    if len(distinct) < NEARLY_UNIQUE * len(hashes):
        return None
    # What so many rows share names nobody: `unknown`, a switchboard's number.
    return distinct[counts < RARE]


def check_leaks(
    table: Table, path: Path, pii: Mapping[str, Hashes], gates: PrivacyGates
) -> list[Check]:
    """Look for real values of each PII column in the synthetic one, on all rows.

    Args:
        table: What the table means.
        path: The synthetic table.
        pii: By column, hashes of the real values that identify someone.
        gates: What is accepted.
    """
    present = read_schema(path).names
    return [
        _check_column(table, name, path, hashes, gates)
        for name, hashes in pii.items()
        if name in present
    ]


def _check_column(
    table: Table, column: str, path: Path, hashes: Hashes, gates: PrivacyGates
) -> Check:
    blank = Check("real personal values", table.name, column, "privacy", None, "none", "passed")
    meaning = table.columns[column]
    return guarded(blank, lambda: check_leak(table.name, meaning, path, hashes, gates))


def check_leak(table: str, column: Column, path: Path, real: Hashes, gates: PrivacyGates) -> Check:
    """Look for real values of a PII column in the synthetic column, on all rows."""
    hashes = text_hashes(read_columns(path, [column.name])[column.name])
    share = float(np.isin(hashes, real).mean()) if len(hashes) else 0.0
    blocks = column.sdtype in TELLING_SDTYPES
    over = "failed" if blocks else "warned"
    return Check(
        "real personal values",
        table,
        column.name,
        "privacy",
        share,
        f"at most {gates.pii_values:.4g} of the values equal a real one",
        "passed" if share <= gates.pii_values else over,  # type: ignore[arg-type]
        "" if blocks else f"values of kind {column.sdtype} coincide by chance, so this only warns",
    )
