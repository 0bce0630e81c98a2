"""Tables that a database has already: they stay as they are, and must fit the snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from prefect_synth.tasks.databases.errors import TargetSchemaError
from prefect_synth.tasks.databases.plan import Place, PlannedTable
from prefect_synth.tasks.warehouses.errors import did_you_mean


@dataclass(frozen=True)
class TargetColumn:
    """A column that a database has.

    Args:
        name: As it is spelled there.
        nullable: Whether it may be null.
        has_default: Whether it may be left out when a row is inserted.
        generated: Whether the database computes it, so that it cannot be written.
        numbered: Whether the database numbers new rows itself.
    """

    name: str
    nullable: bool = True
    has_default: bool = False
    generated: bool = False
    numbered: bool = False


@dataclass(frozen=True)
class TargetKey:
    """A foreign key that a database has.

    Args:
        child: The table that refers.
        columns: Its columns.
        parent: The table that is referred to.
        parent_columns: Its columns.
        deferrable: Whether it can be checked at the end of a transaction.
    """

    child: Place
    columns: tuple[str, ...]
    parent: Place
    parent_columns: tuple[str, ...]
    deferrable: bool = False


@dataclass(frozen=True)
class TargetTable:
    """A table that a database has."""

    place: Place
    columns: Mapping[str, TargetColumn]
    primary_key: tuple[str, ...] = ()


@dataclass(frozen=True)
class Existing:
    """What a database has.

    Args:
        tables: Table by place.
        foreign_keys: All foreign keys.
        folds_case: Whether names that differ by case only are one.
    """

    tables: Mapping[Place, TargetTable] = field(default_factory=dict)
    foreign_keys: tuple[TargetKey, ...] = ()
    folds_case: bool = False

    def find(self, place: Place) -> TargetTable | None:
        """The table at a place, if there is one."""
        found = self.tables.get(place)
        if found is None and self.folds_case:
            wanted = str(place).lower()
            found = next((t for p, t in self.tables.items() if str(p).lower() == wanted), None)
        return found

    def referring(self, place: Place) -> tuple[TargetKey, ...]:
        """The foreign keys that refer to a table from another one."""
        return tuple(k for k in self.foreign_keys if k.parent == place and k.child != place)


def fitted(
    table: PlannedTable, target: TargetTable, *, folds_case: bool, leave_out: bool
) -> dict[str, str]:
    """Which columns are written: the snapshot's name of each, and the database's.

    The order may differ; columns that the database has besides are fine as long as they may be
    left out.

    Args:
        table: What is fed.
        target: What the database has.
        folds_case: Whether names that differ by case only are one.
        leave_out: Whether columns that the database lacks are left out rather than refused.

    Raises:
        TargetSchemaError: A column is missing on either side.
    """
    pairs = _paired(table, target, folds_case)
    missing = lacking(table, target, folds_case=folds_case)
    if missing and not leave_out:
        raise TargetSchemaError(
            f"Table '{target.place}' exists in the database and has no column '{missing[0]}', "
            f"which the snapshot has. {did_you_mean(missing[0], target.columns)} Add the column, "
            "drop the table so that it is made anew, or leave such columns out (--leave-out)."
        )
    found = {name: column for name, column in pairs.items() if column is not None}
    written = {c.name for c in found.values()}
    _check_left_out(target, written)
    return {name: column.name for name, column in found.items() if not column.generated}


def lacking(table: PlannedTable, target: TargetTable, *, folds_case: bool) -> list[str]:
    """The columns of the snapshot that an existing table lacks."""
    return [name for name, column in _paired(table, target, folds_case).items() if column is None]


def _paired(
    table: PlannedTable, target: TargetTable, folds_case: bool
) -> dict[str, TargetColumn | None]:
    known = {name.lower() if folds_case else name: c for name, c in target.columns.items()}
    return {n: known.get(n.lower() if folds_case else n) for n in table.schema.names}


def _check_left_out(target: TargetTable, written: set[str]) -> None:
    needed = [
        column.name
        for column in target.columns.values()
        if column.name not in written
        and not (column.nullable or column.has_default or column.generated or column.numbered)
    ]
    if needed:
        raise TargetSchemaError(
            f"Table '{target.place}' exists in the database, and its column '{needed[0]}' is NOT "
            "NULL without a default; the snapshot has no such column. Give it a default, let it be "
            "null, or drop the table so that it is made anew."
        )
