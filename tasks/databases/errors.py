"""What can go wrong while a database is fed; the database is as it was before.

MySQL has one exception, which the message then tells: docs/feeding.md, Limits.

* FeedError
  - TargetUrlError         the address of the database cannot be read, or its driver is missing
  - ProtectedTargetError   the database is the project's own warehouse
  - FeedRequestError       what was asked for cannot be done: a table, a mode
  - TargetSchemaError      an existing table does not fit the snapshot
  - TargetPermissionError  a right is missing, which is named
  - TargetConnectionError  no connection, or it was lost
  - RowsRefusedError       the database refused rows, or their number is wrong
"""

from __future__ import annotations


class FeedError(Exception):
    """Feeding a database failed; the message names the place and the cure, never a secret."""


class TargetUrlError(FeedError):
    """The address of the database cannot be read, or its driver is not installed."""


class ProtectedTargetError(FeedError):
    """The database is the warehouse that the snapshots are made from."""


class FeedRequestError(FeedError):
    """What was asked for cannot be done with this snapshot."""


class TargetSchemaError(FeedError):
    """A table that exists in the database does not fit the snapshot."""


class TargetPermissionError(FeedError):
    """The user may not do in the database what feeding needs."""


class TargetConnectionError(FeedError):
    """The database did not let us in, or broke the connection off."""


class RowsRefusedError(FeedError):
    """The database refused rows of the snapshot."""
