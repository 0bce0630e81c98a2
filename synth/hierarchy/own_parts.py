"""Own columns as parts of a key: one by one, or together with what rules compute them from.

What a rule ties together is exchanged together, so that the rule holds on every row afterwards.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.hierarchy.key_codes import KeyPart, codes_of, combine
from prefect_synth.synth.hierarchy.nudging import Columns
from prefect_synth.synth.rules.outside import MARK
from prefect_synth.synth.rules.repaired import reads_elsewhere, tied_to
from prefect_synth.synth.rules.ruleset import TableRules
from prefect_synth.synth.rules.units import is_moment, is_number, plain


def tied_columns(rules: TableRules, wanted: Collection[str]) -> list[tuple[str, ...]]:
    """Columns that must change together: each wanted one with all that it is computed from.

    Args:
        rules: The table's rules.
        wanted: Own columns that are held.

    Returns:
        Groups that share no column, in the order of `wanted`.
    """
    groups: list[dict[str, None]] = []
    for column in wanted:
        tied = {column, *(c for c in tied_to([column], rules.rules) if not c.startswith(MARK))}
        met = [g for g in groups if g.keys() & tied]
        groups = [g for g in groups if g not in met]
        groups.append(dict.fromkeys([*(c for g in met for c in g), *sorted(tied)]))
    return [tuple(group) for group in groups]


def is_bound(rules: TableRules, group: Collection[str]) -> bool:
    """Whether a rule computes a column of the group from other rows, so that it cannot move."""
    return any(reads_elsewhere(r) for r in rules.rules if r.target in group)


class Domain:
    """The values of one column or of several tied ones, each once, and which one each row has.

    Values that have an order are in it.

    Args:
        columns: The columns, whole.
        key: Which of them the key has.
        rows: The rows whose key has no null.
    """

    def __init__(self, columns: Columns, key: Sequence[str], rows: Ints) -> None:
        self.columns, self.key = columns, key
        codes = combine([codes_of(c)[rows] for c in columns.values()])
        _, first, dense = np.unique(codes, return_index=True, return_inverse=True)
        seen = {name: c.take(pa.array(rows[first])) for name, c in columns.items()}
        self.ordered = any(_has_order(columns[c].type) for c in key)
        order = _in_order([seen[c] for c in key]) if self.ordered else np.arange(len(first))
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        self.values = {name: c.take(pa.array(order)) for name, c in seen.items()}
        self.choice: Ints = place[dense]

    @property
    def codes(self) -> Ints:
        """What each value is in the key."""
        return combine([codes_of(self.values[c]) for c in self.key])

    def part(self) -> KeyPart:
        """The part of the key."""
        return KeyPart(self.choice, self.codes, ordered=self.ordered and len(self.columns) == 1)

    def of(self, choice: Ints) -> Columns:
        """The chosen values."""
        return {name: values.take(pa.array(choice)) for name, values in self.values.items()}

    def put(self, columns: Columns) -> None:
        """Let each row have a value of its own."""
        self.values, self.choice = columns, np.arange(len(next(iter(columns.values()))))

    def extend(self, values: pa.Array) -> None:
        """Allow more values, where there is one column."""
        (name, seen), *_ = self.values.items()
        self.values = {name: pa.concat_arrays([seen, values])}

    def write(self, choice: Ints, rows: Ints) -> Columns:
        """The columns, with the chosen values in the given rows."""
        written = {}
        for name, column in self.columns.items():
            at = np.arange(len(column))
            at[rows] = len(column) + choice
            whole = pa.concat_arrays([column, self.values[name]])
            written[name] = whole.take(pa.array(at))
        return written


def _has_order(kind: pa.DataType) -> bool:
    return is_moment(kind) or is_number(kind)


def _in_order(values: Sequence[pa.Array]) -> Ints:
    """Where the values stand when they are sorted by those that have an order."""
    columns = [plain(v) for v in values if _has_order(v.type)]
    table = pa.table({str(i): c for i, c in enumerate(columns)})
    keys = [(name, "ascending") for name in table.column_names]
    return np.asarray(pc.sort_indices(table, sort_keys=keys)).astype(np.int64)
