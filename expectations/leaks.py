"""Personal values: no value of a real PII column may turn up in the synthetic column.

The check blocks for kinds of values that chance hardly repeats (an e-mail address, a card number)
where the real column is nearly unique. Names from common lists coincide with real ones without
disclosing anyone, so for them the check only warns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from prefect_synth.expectations.columns import RARE
from prefect_synth.expectations.settings import PrivacyGates
from prefect_synth.expectations.structure import guarded
from prefect_synth.expectations.verdict import Check
from prefect_synth.synth.metadata import Column, Metadata, Table
from prefect_synth.synth.metrics.hashing import Hashes
from prefect_synth.synth.metrics.personal import (
    count_known,
    find_hashes,
    personal_hashes,
    text_hashes,
)
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
_FEWEST_DISTINCT = 2
_OFTEN = 20


def identifying_hashes(values: pa.ChunkedArray, column: Column) -> Hashes | None:
    """Sorted hashes of the values of a PII column that identify someone.

    Args:
        values: The real column.
        column: What it means.

    Returns:
        None where the column is not personal or not nearly unique; empty texts and values that
        many rows share are left out.
    """
    if not column.is_personal or pt.is_nested(values.type):
        return None
    hashes = text_hashes(values)
    distinct, counts = np.unique(hashes, return_counts=True)
    telling = column.sdtype in TELLING_SDTYPES
    if len(distinct) < (_FEWEST_DISTINCT if telling else NEARLY_UNIQUE * len(hashes)):
        return None
    # What so many rows share names nobody: `unknown`, a switchboard's number. An address that
    # stands in every order of its customer is told apart by how often others stand there.
    most = max(RARE, _OFTEN * float(np.median(counts))) if telling else RARE
    shared = distinct[counts >= most]
    return np.setdiff1d(personal_hashes(values), shared)


def check_leaks_elsewhere(
    table: str,
    metadata: Metadata,
    path: Path,
    pii: Mapping[str, Mapping[str, Hashes]],
) -> list[Check]:
    """Look for telling personal values of any table in the other columns of one, on all rows.

    Args:
        table: The synthetic table's name.
        metadata: What the columns mean.
        path: The synthetic table.
        pii: By real table and column, hashes of the values that identify someone.

    Returns:
        A check for each column in which some turned up; one that passed where none did.
    """
    blank = Check("real personal values elsewhere", table, None, "privacy", 0, "none", "passed")
    wanted = {
        f"{owner}.{column}": hashes
        for owner, columns in pii.items()
        for column, hashes in columns.items()
        if metadata.tables[owner].columns[column].sdtype in TELLING_SDTYPES
    }
    found: dict[str, int] = {}

    def observe() -> Check:
        for column, owners in find_hashes(path, wanted).items():
            elsewhere = [n for owner, n in owners.items() if owner != f"{table}.{column}"]
            if elsewhere:
                found[column] = max(elsewhere)
        return blank

    outcome = guarded(blank, observe) if wanted else blank
    failed = [replace(blank, column=c, observed=n, status="failed") for c, n in found.items()]
    return failed or [outcome]


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
    share = count_known(hashes, real) / len(hashes) if len(hashes) else 0.0
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
