"""What few people have must not be published: rare categories, rare combinations, canaries.

A model that protects values shows none of them; an honest fresh sample of the population shows
some by nature, as many as its long tail holds. The check asks for no more than that, unless the
gate is strict: then there may be none at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.sides import Sides
from prefect_synth.expectations.structure import guarded
from prefect_synth.expectations.verdict import Check, CheckStatus
from prefect_synth.synth.metrics.anonymity import k_anonymity
from prefect_synth.synth.metrics.canaries import find_values
from prefect_synth.synth.metrics.hashing import combine, hash_values
from prefect_synth.synth.metrics.rare import RareProfile
from prefect_synth.synth.metrics.sources import Ints, Source, count_rows, read_batches, read_columns

_CATEGORIES = frozenset({"categorical", "boolean", "id"})


def check_rarity(
    table: str, sides: Sides, gates: Gates, quasi_identifiers: Sequence[str] = ()
) -> list[Check]:
    """Look for values that fewer than `k` people have, and for canaries, on all rows.

    Args:
        table: The table's name.
        sides: The tables of the judgement.
        gates: What is accepted.
        quasi_identifiers: Columns that together may single somebody out.

    Returns:
        A check for each column that has rare values in the real data, one for the combination of
        quasi-identifiers, and one for each column in which a canary turned up.
    """
    checks = list(_canaries(table, sides, gates))
    if quasi_identifiers:
        checks.append(_anonymity(table, sides, gates, quasi_identifiers))
    if gates.privacy.rare_values is None:
        return checks
    places = [[column] for column in _learned(table, sides)]
    if len(quasi_identifiers) > 1:
        places.append(list(quasi_identifiers))
    if not places:
        return checks
    families = cache(lambda: sides.families(sides.training, table))  # found by the first check
    alpha = gates.false_alarm / len(places)
    return [*checks, *(_check(table, p, sides, gates, families, alpha) for p in places)]


def _anonymity(table: str, sides: Sides, gates: Gates, columns: Sequence[str]) -> Check:
    """How many published rows share each combination of quasi-identifiers."""
    least = gates.privacy.k_anonymity
    required = "reported only" if least is None else f"at least {least} rows share each combination"
    blank = Check("k-anonymity", table, ", ".join(columns), "privacy", None, required, "passed")

    def observe() -> Check:
        found = k_anonymity(sides.synthetic[table], columns)
        short = least is not None and 0 < found.smallest < least
        detail = f"19 of 20 rows share theirs with {found.p5 - 1:,} others or more"
        status: CheckStatus = "failed" if short else "passed"
        return replace(blank, observed=found.smallest, status=status, detail=detail)

    return guarded(blank, observe)


def _learned(table: str, sides: Sides) -> list[str]:
    """Columns of categories that a model learns; those that the catalogue declares are public."""
    meaning, metadata = sides.metadata.tables[table], sides.metadata
    keys = metadata.key_columns(table)
    return [
        c.name
        for c in meaning.columns.values()
        if c.sdtype in _CATEGORIES
        and c.categories is None
        and not c.is_generated
        and c.name not in keys
    ]


def _check(
    table: str,
    columns: list[str],
    sides: Sides,
    gates: Gates,
    families: Callable[[], Ints | None],
    alpha: float,
) -> Check:
    blank = Check("rare values", table, ", ".join(columns), "privacy", None, "", "passed")

    def observe() -> Check:
        profile = RareProfile.fit(
            _values(sides.training[table], columns), families(), gates.privacy.k
        )
        hits = profile.hits(_values(sides.synthetic[table], columns))
        allowed = _allowed(profile, count_rows(sides.synthetic[table]), gates, alpha)
        required = (
            f"at most {allowed:,} rows with what fewer than {gates.privacy.k} people have, as "
            "chance explains"
        )
        status = _over(gates) if hits > allowed else blank.status
        return replace(blank, observed=hits, required=required, status=status)

    return guarded(blank, observe)


def _allowed(profile: RareProfile, rows: int, gates: Gates, alpha: float) -> int:
    if gates.privacy.strict:
        return 0
    gate = gates.privacy.rare_values
    above = 0.0 if gate is None or gate.max is None else gate.max
    return profile.allowed(rows, alpha) + int(above * rows)


def _over(gates: Gates) -> CheckStatus:
    gate = gates.privacy.rare_values
    return "warned" if gate is not None and gate.on_fail == "warn" else "failed"


def _values(source: Source, columns: list[str]) -> pa.ChunkedArray:
    """A column, or a hash of several together."""
    if len(columns) == 1:
        values = read_columns(source, columns)[columns[0]]
        return values if not pt.is_nested(values.type) else _hashed(source, columns)
    return _hashed(source, columns)


def _hashed(source: Source, columns: list[str]) -> pa.ChunkedArray:
    chunks = []
    for batch in read_batches(source, columns):
        hashes = np.zeros(batch.num_rows, dtype=np.uint64)
        for column in columns:
            hashes = combine(hashes, hash_values(batch.column(column)))
        chunks.append(pa.array(hashes))
    return pa.chunked_array(chunks, pa.uint64())


def _canaries(table: str, sides: Sides, gates: Gates) -> Iterator[Check]:
    if not gates.privacy.canaries:
        return
    blank = Check("canaries", table, None, "privacy", 0, "no planted value turns up", "passed")
    found: dict[str, int] = {}

    def observe() -> Check:
        found.update(find_values(sides.synthetic[table], gates.privacy.canaries))
        return blank

    outcome = guarded(blank, observe)
    if not found:
        yield outcome
    for column, count in found.items():
        yield replace(blank, column=column, observed=count, status="failed")
