"""What can go wrong at a warehouse, each with its place and its cure.

* WarehouseError
  - InvalidUrl            the URL cannot be read
  - ConnectionFailed      no connection, no permission to connect, or a connection was lost
    - SnapshotLost        the transaction that holds the snapshot is gone
  - TableNotFound         a table or schema that is not there, or may not be read
  - WritableRoleError     the role could change production
  - UnsupportedColumnType a column has no exact Arrow type
  - UnrepresentableValue  a value has no place in its column's Arrow type
  - QueryFailed           the warehouse refused or broke off a query
  - StagedFileError       the staged file could not be written
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from prefect_synth.synth.errors import revived

_ABOUT_DATA = re.compile(
    "conversion error|invalid input|out of range|overflow|malformed|constraint", re.IGNORECASE
)
_VALUES = re.compile(r"""'.*'|".*"|\b\d[\d.,:+-]*""", re.DOTALL)


class WarehouseError(Exception):
    """Reading the warehouse failed; the message names the place and the cure, never a secret."""

    def __reduce__(self) -> tuple[Any, ...]:
        return revived, (type(self), self.args, self.__dict__)


class InvalidUrl(WarehouseError):
    """The warehouse URL cannot be read."""


class ConnectionFailed(WarehouseError):
    """The warehouse did not let us in, or broke the connection off."""


class SnapshotLost(ConnectionFailed):
    """The transaction that holds the snapshot is gone: only a new snapshot can be read."""


class TableNotFound(WarehouseError):
    """A table or schema is not there, or this role may not read it."""


class WritableRoleError(WarehouseError):
    """The warehouse role can write; only a read-only role is accepted."""


class UnsupportedColumnType(WarehouseError):
    """A column's type has no exact Arrow counterpart."""

    def __init__(self, table: str, column: str, source_type: str) -> None:
        super().__init__(
            f"Column '{table}.{column}' has the type {source_type}, which cannot be copied "
            f"exactly. In synth.yaml set tables.{table}.columns.{column}.exclude to true, or list "
            "the table in warehouse.exclude; or cast the column in a view, and list the view in "
            "warehouse.include instead of the table."
        )


class UnrepresentableValue(WarehouseError):
    """A column holds values that its Arrow type cannot express."""


class QueryFailed(WarehouseError):
    """The warehouse refused or broke off a query."""


class StagedFileError(WarehouseError):
    """A staged file could not be written."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint at the nearest known name, or at all of them.

    Example:
        >>> did_you_mean("custmer", ["customer", "orders"])
        "Did you mean 'customer'?"
        >>> did_you_mean("x", ["customer", "orders"])
        'There are: customer, orders.'
    """
    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    if close:
        return f"Did you mean '{close[0]}'?"
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    return f"There are: {shown or 'none'}."


def without_values(reason: str) -> str:
    """An engine's message without the values that it may quote from the rows.

    Example:
        >>> without_values('invalid input syntax for type integer: "Ann Lee"')
        'invalid input syntax for type integer: ...'
        >>> without_values('permission denied for table "orders"')
        'permission denied for table "orders"'
    """
    return _VALUES.sub("...", reason) if _ABOUT_DATA.search(reason) else reason
