"""What must hold exactly, checked with Arrow on all rows, one key in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.verdict import Check
from prefect_synth.synth.metadata import Metadata, Relationship, Table
from prefect_synth.synth.metrics.keys import read_references
from prefect_synth.synth.metrics.sources import count_rows, read_columns, read_schema
from prefect_synth.synth.metrics.structure import key_duplicates, orphans, schema_differences

_ROW_ERRORS = 3.3 * 2**0.5  # standard errors of a difference: one honest table in a thousand
_MOST_SLACK = 0.5  # of the rows: where chance could explain more, the check would see nothing


@dataclass(frozen=True)
class ExpectedRows:
    """How many rows were asked for, and how far a count may stray by chance.

    Args:
        rows: The number that was asked for.
        error: Its standard error, where counts are drawn.
        fewest: Rows there are whatever chance does: a sampler that is asked for some draws one.
    """

    rows: int
    error: float = 0.0
    fewest: int = 0

    @classmethod
    def scaled(cls, rows: int, error: float, asked: int | None) -> ExpectedRows:
        """Carry the error of the real count over to the number asked for; the real by default."""
        if asked is None:
            return cls(rows, error)
        scale = asked / rows if rows else 1.0
        return cls(asked, error * max(scale, scale**0.5), min(asked, 1))

    def bounds(self, tolerance: float) -> tuple[int, int]:
        """Fewest and most rows that are accepted."""
        most = max(_MOST_SLACK * self.rows, _ROW_ERRORS * self.rows**0.5)
        slack = max(tolerance * self.rows, min(_ROW_ERRORS * self.error, most))
        fewest = max(self.fewest, int(self.rows > slack))  # no row at all is not tolerated
        return max(fewest, int(self.rows - slack)), int(self.rows + slack)


def check_structure(
    table: Table,
    metadata: Metadata,
    real: Path,
    synthetic: Path,
    parents: Mapping[str, Path],
    expected: ExpectedRows,
    gates: Gates,
) -> list[Check]:
    """Check schema, row count, nulls and keys of a synthetic table on all its rows.

    Args:
        table: What the table means.
        metadata: The schema with the foreign keys.
        real: The staged real table, of which only the Arrow schema is read.
        synthetic: The synthetic table.
        parents: Synthetic tables that it refers to.
        expected: The number of rows asked for.
        gates: What must hold.

    Returns:
        The checks; one that broke is `crashed`.
    """
    present = set(read_schema(synthetic).names)
    checks = [_check_schema(table.name, real, synthetic)]
    checks.append(_check_rows(table.name, synthetic, expected, gates.row_tolerance))
    checks += [
        _check_nulls(table.name, c, synthetic)
        for c in table.columns
        if c in present and not table.columns[c].nullable
    ]
    keys = [("primary key", table.primary_key)] if table.primary_key else []
    keys += [("unique key", key) for key in table.unique]
    found = [_check_key(table.name, n, k, synthetic) for n, k in keys if present.issuperset(k)]
    found += [
        _check_reference(relationship, synthetic, parents)
        for relationship in metadata.parents(table.name)
        if present.issuperset((*relationship.child_columns, *(relationship.when or ())[:1]))
    ]
    return checks + (found if gates.keys else [_softened(check) for check in found])


def guarded(check: Check, observe: Callable[[], Check]) -> Check:
    """Run a check; where it breaks, say so in the place of `check` and never blame the data.

    Only the kind of error is told: its text may quote values.
    """
    try:
        return observe()
    except Exception as error:  # whatever broke, the gate must hear of it
        detail = f"the check itself broke ({type(error).__name__}); the data may be good"
        return replace(check, status="crashed", observed=None, detail=detail)


def _check_schema(table: str, real: Path, synthetic: Path) -> Check:
    check = _check("schema", table, None, "0 fields differ from the warehouse's")

    def observe() -> Check:
        differences = schema_differences(read_schema(real), read_schema(synthetic))
        # The observed number counts fields, so that a list of a hundred stays short.
        return replace(_counted(check, len(differences)), detail=" ".join(differences[:5]))

    return guarded(check, observe)


def _check_rows(table: str, synthetic: Path, expected: ExpectedRows, tolerance: float) -> Check:
    low, high = expected.bounds(tolerance)
    required = f"{low:,} to {high:,} rows ({expected.rows:,} asked for)"
    check = _check("row count", table, None, required)

    def observe() -> Check:
        rows = count_rows(synthetic)
        return replace(check, observed=rows, status="passed" if low <= rows <= high else "failed")

    return guarded(check, observe)


def _check_nulls(table: str, column: str, synthetic: Path) -> Check:
    check = _check("not null", table, column, "0 nulls")
    return guarded(
        check, lambda: _counted(check, read_columns(synthetic, [column])[column].null_count)
    )


def _check_key(table: str, name: str, columns: Sequence[str], synthetic: Path) -> Check:
    required = "0 duplicates" if name == "unique key" else "0 duplicates and 0 nulls"
    check = _check(name, table, ", ".join(columns), required)

    def observe() -> Check:
        keys = read_columns(synthetic, columns)
        nulls = 0 if name == "unique key" else keys.num_rows - keys.drop_null().num_rows
        return _counted(check, key_duplicates(keys, columns) + nulls)

    return guarded(check, observe)


def _check_reference(
    relationship: Relationship, synthetic: Path, parents: Mapping[str, Path]
) -> Check:
    target = f"{relationship.parent} ({', '.join(relationship.parent_columns)})"
    columns = ", ".join(relationship.child_columns)
    check = _check(
        "foreign key", relationship.child, columns, f"0 orphans: every key is found in {target}"
    )
    is_self = relationship.parent == relationship.child

    def observe() -> Check:
        parent = synthetic if is_self else parents[relationship.parent]
        count = orphans(
            read_references(synthetic, relationship),
            relationship.child_columns,
            read_columns(parent, relationship.parent_columns),
            relationship.parent_columns,
        )
        return _counted(check, count)

    return guarded(check, observe)


def _check(name: str, table: str, column: str | None, required: str) -> Check:
    return Check(name, table, column, "structure", None, required, "passed")


def _counted(check: Check, count: int) -> Check:
    return replace(check, observed=count, status="failed" if count else "passed")


def _softened(check: Check) -> Check:
    return replace(check, status="warned") if check.status == "failed" else check
