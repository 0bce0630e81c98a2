"""What an expectation of ours needs besides its JSON arguments: rows, parents and hashes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import pyarrow as pa

from prefect_synth.synth.metadata import Column
from prefect_synth.synth.metrics.hashing import Hashes
from prefect_synth.synth.metrics.sources import Floats
from prefect_synth.synth.metrics.values import numbers, plain, value_hashes


@dataclass(frozen=True)
class References:
    """What an expectation needs besides its JSON arguments.

    Args:
        batch: The rows that are judged.
        columns: What their columns mean.
        parents: Key columns of the tables that the rows refer to.
        copies: Sorted hashes of the unique real rows.
    """

    batch: pa.Table
    columns: Mapping[str, Column]
    parents: Mapping[str, pa.Table]
    copies: Hashes
    # the last column that was looked at: a suite asks for one column several times in a row
    _numbers: dict[str, Floats] = field(default_factory=dict, repr=False)
    _hashes: dict[str, Hashes] = field(default_factory=dict, repr=False)

    def values(self, column: str) -> pa.ChunkedArray:
        """A column's values, NaN as null."""
        return plain(self.batch[column])

    def numbers(self, column: str) -> Floats:
        """A column's values as floats, null and NaN as NaN."""
        if column not in self._numbers:
            self._numbers.clear()
            self._numbers[column] = numbers(self.batch[column], self.columns[column])
        return self._numbers[column]

    def hashes(self, column: str) -> Hashes:
        """Hashes of a column's values that are not null."""
        if column not in self._hashes:
            self._hashes.clear()
            self._hashes[column] = value_hashes(self.values(column).drop_null())
        return self._hashes[column]


_REFERENCES: ContextVar[References] = ContextVar("prefect_synth_references")


@contextmanager
def references(given: References) -> Iterator[None]:
    """Hand `given` to the expectations that run inside."""
    token = _REFERENCES.set(given)
    try:
        yield
    finally:
        _REFERENCES.reset(token)


def referred() -> References:
    """What was handed over.

    Raises:
        LookupError: The expectation runs outside of `references`.
    """
    return _REFERENCES.get()
