"""The encoders of a table's own columns (keys are the frame's matter)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.columns import (
    CategoryEncoder,
    NumberEncoder,
    fit_category,
    fit_number,
    fit_presence,
)
from prefect_synth.synth.encoding.generated import (
    GeneratedEncoder,
    TextDatetimeEncoder,
    parse_datetimes,
)
from prefect_synth.synth.encoding.layout import Encoded
from prefect_synth.synth.errors import SynthesisError, UnsupportedTypeError
from prefect_synth.synth.generation.keys import fit_keys, fit_shared_keys
from prefect_synth.synth.generation.made_up import (
    ConstantGenerator,
    PersonalGenerator,
    declared_length,
    fit_bytes,
    fit_range,
    fit_text,
)
from prefect_synth.synth.metadata import PII_SDTYPES, Column
from prefect_synth.synth.storage import stored

_MOSTLY = 0.5
"""An id column is a category only where frequent values make up more than this."""

AnyEncoder = NumberEncoder | CategoryEncoder | GeneratedEncoder | TextDatetimeEncoder


@dataclass(frozen=True)
class EncodingSettings:
    """How columns are encoded.

    Args:
        locale: Faker's locale for personal data.
        marginal: Marginal of numeric columns.
        marginals: Marginal of single columns, by `table.column`.
    """

    locale: str = "en_US"
    marginal: str = "quantile"
    marginals: Mapping[str, str] = field(default_factory=dict)


@stored
@dataclass(frozen=True)
class TableCodec:
    """Encoders by column name, in the table's order."""

    encoders: dict[str, AnyEncoder]

    @property
    def modelled(self) -> list[str]:
        """Names of the columns that a row model sees."""
        return [name for name, e in self.encoders.items() if e.layout is not None]

    def encode(self, table: pa.Table, rng: np.random.Generator) -> Encoded:
        """The modelled columns of `table`, encoded."""
        parts = []
        for name in self.modelled:
            encoder = self.encoders[name]
            assert encoder.layout is not None  # noqa: S101 - narrowed by `modelled`
            pieces, places = encoder.encode(table[name].combine_chunks(), rng)
            parts.append(Encoded(pieces[:, None], places[:, None], (encoder.layout,)))
        return Encoded.beside(parts, len(table))

    def decode(self, rows: Encoded, rng: np.random.Generator) -> dict[str, pa.Array]:
        """All columns of the table, by name; made-up ones are made here."""
        at = {name: j for j, name in enumerate(self.modelled)}
        nothing = np.zeros(len(rows), np.int64)
        columns: dict[str, pa.Array] = {}
        for name, encoder in sorted(self.encoders.items(), key=lambda item: _is_email(item[1])):
            j = at.get(name)
            pieces = rows.pieces[:, j] if j is not None else nothing
            places = rows.places[:, j] if j is not None else nothing.astype(float)
            if isinstance(encoder, GeneratedEncoder):
                people = self._people(columns) if _is_email(encoder) else None
                columns[name] = encoder.decode(pieces, places, rng, people)
            else:
                columns[name] = encoder.decode(pieces, places, rng)
        return {name: columns[name] for name in self.encoders}

    def _people(self, columns: Mapping[str, pa.Array]) -> pa.Array | None:
        import pyarrow.compute as pc

        of = {
            encoder.generator.sdtype: name
            for name, encoder in self.encoders.items()
            if isinstance(encoder, GeneratedEncoder)
            and isinstance(encoder.generator, PersonalGenerator)
        }
        if not {"first_name", "last_name"} <= of.keys():
            return None
        first, last = (
            pc.fill_null(columns[of[part]].cast(pa.string()), "x")
            for part in ("first_name", "last_name")
        )
        return pc.binary_join_element_wise(first, last, ".")


def fit_codec(
    table: str,
    data: pa.Table,
    columns: Collection[Column],
    unique: Collection[str],
    settings: EncodingSettings,
) -> TableCodec:
    """Fit an encoder to each of `columns`.

    Args:
        table: The table's name, for messages and settings.
        data: Its rows.
        columns: The columns to encode: all that are in no key of the frame.
        unique: Names of those whose values may not repeat.
        settings: Locale and marginals.

    Raises:
        UnsupportedTypeError: A column's type cannot be encoded.
        SynthesisError: A column's values cannot be held exactly.
    """
    encoders = {}
    for column in columns:
        values = data[column.name].combine_chunks()
        try:
            encoders[column.name] = _fit_column(
                table, column, values, column.name in unique, settings
            )
        except (OverflowError, TypeError) as error:
            raise SynthesisError(
                f"Column '{table}.{column.name}' {error}. Exclude the column, or cast it to text "
                "in a view."
            ) from error
    return TableCodec(encoders)


def _fit_column(
    table: str, column: Column, values: pa.Array, unique: bool, settings: EncodingSettings
) -> AnyEncoder:
    kind = values.type
    _check_type(table, column.name, kind)
    if values.null_count == len(values):
        return _generated(ConstantGenerator(""), values)
    if column.is_generated or column.sdtype == "text" or unique:
        return _fit_generated(column, values, unique, settings)
    if column.sdtype == "datetime" and column.datetime_format and _is_text(kind):
        parsed = parse_datetimes(values, column.datetime_format)
        if parsed.null_count == values.null_count:
            return TextDatetimeEncoder(
                fit_number(parsed), column.datetime_format, pa.schema([("v", kind)])
            )
    is_time = pa.types.is_temporal(kind)  # an order, whatever the sdtype says
    if _is_ordered(kind) and (is_time or column.sdtype in ("numerical", "datetime")):
        chosen = settings.marginals.get(f"{table}.{column.name}", settings.marginal)
        return fit_number(values, chosen)
    declared = ("true", "false") if pa.types.is_boolean(kind) else column.categories
    fitted = fit_category(values, declared)
    if fitted is not None and (column.sdtype != "id" or fitted.covered > _MOSTLY):
        return fitted
    return _fit_rare(column, values, settings)


def _fit_rare(column: Column, values: pa.Array, settings: EncodingSettings) -> AnyEncoder:
    """A column of which no value is frequent enough to be published."""
    if column.sdtype == "id" and not pa.types.is_nested(values.type):
        longest = declared_length(column.source_type)
        return _generated(fit_shared_keys(values, longest), values)
    if _is_ordered(values.type):
        return fit_number(values)
    return _fit_generated(column, values, False, settings)


def _fit_generated(
    column: Column, values: pa.Array, unique: bool, settings: EncodingSettings
) -> GeneratedEncoder:
    kind = values.type
    longest = declared_length(column.source_type) or _longest(values)
    if column.sdtype in PII_SDTYPES and not (unique and _is_ordered(kind)):
        generator = PersonalGenerator(column.sdtype, settings.locale, longest, unique)
        return _generated(generator, values)
    if _is_ordered(kind) and not unique and column.sdtype != "id":
        return _generated(fit_range(values), values)
    if isinstance(kind, pa.UuidType) or _is_ordered(kind):
        return _generated(fit_keys(values), values)
    if pa.types.is_boolean(kind):
        return _generated(ConstantGenerator("false"), values)
    if _is_text(kind) and column.sdtype == "id":
        return _generated(fit_keys(values, declared_length(column.source_type)), values)
    if _is_text(kind):
        plain = values.cast(kind.value_type) if pa.types.is_dictionary(kind) else values
        return _generated(fit_text(plain, longest, unique=unique), values)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return _generated(fit_bytes(values), values)
    return _generated(ConstantGenerator("[]" if pa.types.is_nested(kind) else "{}"), values)


def _generated(generator: object, values: pa.Array) -> GeneratedEncoder:
    always_null = len(values) > 0 and values.null_count == len(values)
    return GeneratedEncoder(
        generator,  # type: ignore[arg-type]
        fit_presence(values),
        always_null,
        pa.schema([("v", values.type)]),
    )


def _is_email(encoder: AnyEncoder) -> bool:
    return (
        isinstance(encoder, GeneratedEncoder)
        and isinstance(encoder.generator, PersonalGenerator)
        and encoder.generator.sdtype == "email"
    )


def _longest(values: pa.Array) -> int | None:
    import pyarrow.compute as pc

    if pa.types.is_dictionary(values.type):
        values = values.dictionary
    if not _is_text(values.type):
        return None
    return int(pc.max(pc.utf8_length(values)).as_py() or 1)


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _is_ordered(kind: pa.DataType) -> bool:
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return number or (pa.types.is_temporal(kind) and not pa.types.is_interval(kind))


def _check_type(table: str, column: str, kind: pa.DataType) -> None:
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    if isinstance(plain, pa.BaseExtensionType):
        plain = plain.storage_type
    known = (
        _is_ordered(plain)
        or _is_text(plain)
        or pa.types.is_boolean(plain)
        or pa.types.is_null(plain)
        or pa.types.is_list(plain)
        or pa.types.is_large_list(plain)
        or pa.types.is_binary(plain)
        or pa.types.is_large_binary(plain)
        or pa.types.is_fixed_size_binary(plain)
    )
    if not known:
        raise UnsupportedTypeError(table, column, kind)
