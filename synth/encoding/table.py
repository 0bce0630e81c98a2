"""Fitting the encoders of a table's own columns (keys are the frame's matter)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.choice import AnyEncoder, EncodingSettings, fit_column
from prefect_synth.synth.encoding.codec import TableCodec
from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.encoding.patterns import fit_patterns, implications
from prefect_synth.synth.encoding.persons import with_roles
from prefect_synth.synth.encoding.shapes import Shape, describe_leaf, leaf_name
from prefect_synth.synth.encoding.shaping import fit_shape
from prefect_synth.synth.encoding.sources import ColumnSource, whole
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.metadata import Column

__all__ = ["AnyEncoder", "EncodingSettings", "TableCodec", "fit_codec"]


def fit_codec(
    table: str,
    data: ColumnSource,
    columns: Collection[Column],
    unique: Collection[str],
    settings: EncodingSettings,
    units: Ints | None = None,
) -> TableCodec:
    """Fit an encoder to each of `columns`, one at a time.

    Args:
        table: The table's name, for messages and settings.
        data: Its rows.
        columns: The columns to encode: all that are in no key of the frame.
        unique: Names of those whose values may not repeat.
        settings: Locale and marginals.
        units: The unit (person, family) that each row belongs to, [n]: what is protected are
            units then, not rows.

    Raises:
        UnsupportedTypeError: A column's type cannot be encoded.
        SynthesisError: A column's values cannot be held exactly.
    """
    fitting = _Fitting(table, data.num_rows, unique, settings, units)
    for column in columns:
        try:
            fitting.add(column, whole(data.column(column.name)))
        except (OverflowError, TypeError) as error:
            raise SynthesisError(
                f"Column '{table}.{column.name}' {error}. Exclude the column, or cast it to text "
                "in a view."
            ) from error
    return fitting.codec(tuple(c.name for c in columns))


class _Fitting:
    """Encoders, shapes and nulls as they are found, column by column."""

    def __init__(
        self,
        table: str,
        rows: int,
        unique: Collection[str],
        settings: EncodingSettings,
        units: Ints | None,
    ) -> None:
        self.table, self.rows, self.unique = table, rows, unique
        self.settings, self.units = settings, units
        self.encoders: dict[str, AnyEncoder] = {}
        self.shapes: dict[str, Shape] = {}
        self.absent: dict[str, np.ndarray] = {}

    def add(self, column: Column, values: pa.Array) -> None:
        """Fit one column, or the leaves that it is taken apart into."""
        single = column.name in self.unique
        shape = None if single else fit_shape(column, values, self.settings, self.units)
        if shape is not None:
            self.shapes[column.name] = shape
            for name, leaf in shape.flatten(column.name, values).items():
                self.add(_leaf_column(column, name, leaf), leaf)
            return
        encoder = fit_column(self.table, column, values, single, self.settings, self.units)
        self.encoders[column.name] = encoder
        if encoder.layout is not None and encoder.layout.has_null:
            self.absent[column.name] = np.packbits(_absent(values))

    def codec(self, columns: tuple[str, ...]) -> TableCodec:
        """The codec of what was added."""
        self.encoders |= with_roles(self.encoders)
        names = list(self.absent)
        if not names:
            return TableCodec(self.encoders, shapes=self.shapes, columns=columns)
        flags = [np.unpackbits(self.absent[n], count=self.rows).astype(bool) for n in names]
        absent = np.column_stack(flags)
        groups = fit_patterns(names, absent, self.units)
        return TableCodec(self.encoders, groups, implications(names, absent), self.shapes, columns)


def _absent(values: pa.Array) -> np.ndarray:
    """Which values are null, or no finite number."""
    absent = ~np.asarray(values.is_valid())
    if pa.types.is_floating(values.type):
        finite = pc.fill_null(pc.is_finite(values), False)
        absent = ~np.asarray(finite)
    elif pa.types.is_dictionary(values.type):
        absent = ~np.asarray(values.dictionary.take(values.indices).is_valid())
    return absent


def _leaf_column(column: Column, leaf: str, values: pa.Array) -> Column:
    """What a leaf means: the same as its column where it is only of another type."""
    if leaf == leaf_name(column.name, "~"):
        return replace(column, name=leaf)
    return describe_leaf(leaf, values)
