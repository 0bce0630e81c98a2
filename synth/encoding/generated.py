"""Columns whose values are made up; at most their nulls are learned."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.columns import NumberEncoder
from prefect_synth.synth.encoding.layout import Floats, Ints, Layout
from prefect_synth.synth.encoding.pieces import scatter
from prefect_synth.synth.generation.keys import KeyGenerator, SharedKeys
from prefect_synth.synth.generation.made_up import Generator, PersonalGenerator
from prefect_synth.synth.generation.pseudonyms import derive
from prefect_synth.synth.storage import stored


@dataclass(frozen=True)
class Place:
    """Which rows of a table are made: what must be unique is made from row numbers.

    Args:
        first: Number of the first row.
        salt: Of the table's keys, the same for all blocks of rows.
        secret: What personal data are made with; the salt where it is empty.
        table: The table's name.
    """

    first: int
    salt: int
    secret: bytes = b""
    table: str = ""

    def key(self, *purpose: str) -> int:
        """The key of a personal column, or of the table's people."""
        secret = self.secret or self.salt.to_bytes(8, "little")
        return derive(secret, self.table, *purpose)


@stored
@dataclass(frozen=True)
class GeneratedEncoder:
    """A column of made-up values.

    Args:
        generator: Makes the values.
        layout: Null against not null, or None where the column is never or always null.
        always_null: Whether the column has no value at all.
        kind: Schema with one field of the column's type.
    """

    generator: Generator | KeyGenerator | SharedKeys
    layout: Layout | None
    always_null: bool
    kind: pa.Schema

    def encode(self, values: pa.Array, rng: np.random.Generator) -> tuple[Ints, Floats]:
        """0 for null and 1 for a value."""
        present = np.asarray(values.is_valid()).astype(np.int64)
        return present, np.full(len(values), 0.5)

    def decode(
        self,
        pieces: Ints,
        places: Floats,
        rng: np.random.Generator,
        place: Place | None = None,
        column: str = "",
    ) -> pa.Array:
        """Made-up values where the piece is not null.

        Args:
            pieces: 0 for null, 1 for a value, [n].
            places: Not used.
            rng: Source of the values.
            place: Which rows these are; where None they are the whole table.
            column: The column's name.
        """
        kind = self.kind.field(0).type
        if self.always_null:
            return pa.nulls(len(pieces), kind)
        present = pieces > 0 if self.layout is not None else np.ones(len(pieces), bool)
        place = place or Place(0, int(rng.integers(2**31)))
        if isinstance(self.generator, PersonalGenerator):
            values = self.personal(place.first + np.flatnonzero(present), place, column)
        else:
            values = _as_kind(self._values(int(present.sum()), rng, place, column), kind)
        return scatter(values, present, kind)

    def personal(self, rows: Ints, place: Place, column: str) -> pa.Array:
        """The personal data of rows by their numbers, null or not, [n].

        Args:
            rows: Row numbers of the table.
            place: With the table's keys.
            column: The column's name.
        """
        generator, kind = self.generator, self.kind.field(0).type
        assert isinstance(generator, PersonalGenerator)  # noqa: S101 - asked by the caller
        texts = generator.at(rows, place.key("column", column), place.key("person", generator.role))
        is_form = bool(generator.forms.forms) and pa.types.is_integer(kind)
        return _digits_as(texts, kind) if is_form else _as_kind(texts, kind)

    def _values(self, count: int, rng: np.random.Generator, place: Place, column: str) -> pa.Array:
        generator = self.generator
        salt = place.salt ^ crc32(column.encode())  # equal templates make different keys
        if isinstance(generator, KeyGenerator):
            return generator.generate(place.first + np.arange(count), salt)
        if isinstance(generator, SharedKeys):
            return generator.generate(count, rng, place.first, salt)
        return generator.generate(count, rng, place.first)


@stored
@dataclass(frozen=True)
class TextDatetimeEncoder:
    """Datetimes that are stored as text in a strftime format."""

    inner: NumberEncoder
    format: str
    kind: pa.Schema

    @property
    def layout(self) -> Layout:
        """The pieces of the datetimes."""
        return self.inner.layout

    def encode(self, values: pa.Array, rng: np.random.Generator) -> tuple[Ints, Floats]:
        """Pieces and places of the datetimes."""
        return self.inner.encode(parse_datetimes(values, self.format), rng)

    def decode(self, pieces: Ints, places: Floats, rng: np.random.Generator) -> pa.Array:
        """Datetimes, written in the column's format."""
        return pc.strftime(self.inner.decode(pieces, places, rng), format=self.format).cast(
            self.kind.field(0).type
        )


def parse_datetimes(values: pa.Array, format: str) -> pa.Array:
    """Text as timestamps of seconds; what does not parse becomes null."""
    return pc.strptime(values.cast(pa.string()), format=format, unit="s", error_is_null=True)


def _as_kind(values: pa.Array, kind: pa.DataType) -> pa.Array:
    if values.type == kind:
        return values
    if not len(values):  # not every type is cast to, even from nothing
        return pa.nulls(0, kind)
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, _as_kind(values, kind.storage_type))
    if pa.types.is_dictionary(kind):
        return values.cast(kind.value_type).dictionary_encode().cast(kind)
    if pa.types.is_nested(kind):  # made-up lists are empty
        return pa.array([[]], kind).take(pa.array(np.zeros(len(values), np.int64)))
    if pa.types.is_fixed_size_binary(kind):
        zeros = pa.array([bytes(kind.byte_width)], kind)
        return zeros.take(pa.array(np.zeros(len(values), np.int64)))
    if _room(kind) and pa.types.is_string(values.type):
        digits = pc.replace_substring_regex(values, r"\D", "")
        digits = pc.binary_join_element_wise("1", digits, "")
        number = pc.utf8_slice_codeunits(digits, 0, _room(kind)).cast(pa.int64())
        return (
            number.cast(kind) if pa.types.is_integer(kind) else number.cast(pa.float64()).cast(kind)
        )
    return values.cast(kind)


def _digits_as(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """Digits as whole numbers of their length; of the longest that a type has, the low ones."""
    most = 2 ** (kind.bit_width - int(pa.types.is_signed_integer(kind))) - 1
    digits = pc.utf8_slice_codeunits(texts, 0, len(str(most)))
    below = pc.replace_substring_regex(digits, "^[2-9]", "1")  # 19... is below 2**31 and 2**63
    longest = pc.equal(pc.utf8_length(digits), len(str(most)))
    return pc.if_else(longest, below, digits).cast(kind)


def _room(kind: pa.DataType) -> int:
    """Digits that any number of this type can have; 0 for what is no number."""
    if pa.types.is_integer(kind):
        return {8: 2, 16: 4, 32: 9, 64: 15}[kind.bit_width]
    if pa.types.is_floating(kind):
        return {16: 3, 32: 7, 64: 15}[kind.bit_width]
    if pa.types.is_decimal(kind):
        return int(min(max(kind.precision - max(kind.scale, 0), 1), 18))
    return 0
