"""Which encoder a column gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

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
from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.errors import UnsupportedTypeError
from prefect_synth.synth.generation.keys import fit_keys, fit_shared_keys
from prefect_synth.synth.generation.made_up import (
    ConstantGenerator,
    PersonalGenerator,
    declared_length,
    fit_bytes,
    fit_personal,
    fit_range,
    fit_text,
)
from prefect_synth.synth.metadata import PII_SDTYPES, Column

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
        text: Maker of free text, a name of `generation.free_text.TEXT_MAKERS`.
    """

    locale: str = "en_US"
    marginal: str = "quantile"
    marginals: Mapping[str, str] = field(default_factory=dict)
    text: str = "words"


def fit_column(
    table: str,
    column: Column,
    values: pa.Array,
    unique: bool,
    settings: EncodingSettings,
    units: Ints | None = None,
) -> AnyEncoder:
    """Fit the encoder that suits a column that is not nested.

    Args:
        table: The table's name, for messages and settings.
        column: What the column means.
        values: Its values.
        unique: Whether no value may come twice.
        settings: Locale and marginals.
        units: The unit that each row belongs to, if known.

    Raises:
        UnsupportedTypeError: Its type cannot be encoded.
    """
    kind = values.type
    _check_type(table, column.name, kind)
    if values.null_count == len(values):
        return _generated(ConstantGenerator(""), values)
    if column.lost_key and not column.is_personal and not unique and _is_key(kind):
        return _generated(fit_shared_keys(values, declared_length(column.source_type)), values)
    if column.is_generated or column.sdtype == "text" or unique:
        return _fit_generated(column, values, unique, settings, units)
    if column.sdtype == "datetime" and column.datetime_format and _is_text(kind):
        parsed = parse_datetimes(values, column.datetime_format)
        if parsed.null_count == values.null_count:
            return TextDatetimeEncoder(
                fit_number(parsed, units=units), column.datetime_format, pa.schema([("v", kind)])
            )
    is_time = pa.types.is_temporal(kind)  # an order, whatever the sdtype says
    if _is_ordered(kind) and (is_time or column.sdtype in ("numerical", "datetime")):
        chosen = settings.marginals.get(f"{table}.{column.name}", settings.marginal)
        return fit_number(values, chosen, units)
    declared = ("true", "false") if pa.types.is_boolean(kind) else column.categories
    fitted = fit_category(values, declared, units=units)
    if fitted is not None and (column.sdtype != "id" or fitted.covered > _MOSTLY):
        return fitted
    return _fit_rare(column, values, settings, units)


def _fit_rare(
    column: Column, values: pa.Array, settings: EncodingSettings, units: Ints | None
) -> AnyEncoder:
    """A column of which no value is frequent enough to be published."""
    if column.sdtype == "id" and not pa.types.is_nested(values.type):
        longest = declared_length(column.source_type)
        return _generated(fit_shared_keys(values, longest), values)
    if _is_ordered(values.type):
        return fit_number(values, units=units)
    return _fit_generated(column, values, False, settings, units)


def _fit_generated(
    column: Column,
    values: pa.Array,
    unique: bool,
    settings: EncodingSettings,
    units: Ints | None = None,
) -> GeneratedEncoder:
    kind = values.type
    if column.sdtype in PII_SDTYPES and not (unique and _is_ordered(kind)):
        source, locale = column.source_type, settings.locale
        personal = fit_personal(column.sdtype, values, locale, source, unique=unique)
        return _generated(personal, values)
    if _is_ordered(kind) and not unique and column.sdtype != "id":
        return _generated(fit_range(values, units), values)
    if isinstance(kind, pa.UuidType) or _is_ordered(kind):
        return _generated(fit_keys(values), values)
    if pa.types.is_boolean(kind):
        return _generated(ConstantGenerator("false"), values)
    if _is_text(kind) and column.sdtype == "id":
        return _generated(fit_keys(values, declared_length(column.source_type)), values)
    if _is_text(kind):
        plain = values.cast(kind.value_type) if pa.types.is_dictionary(kind) else values
        longest = declared_length(column.source_type) or _longest(values)
        maker = "shapes" if column.is_generated else settings.text
        text = fit_text(plain, longest, unique=unique, units=units, maker=maker)
        return _generated(text, values)
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


def personal_of(encoder: AnyEncoder) -> PersonalGenerator | None:
    """What makes the values of a column of personal data; None of another column."""
    made = encoder.generator if isinstance(encoder, GeneratedEncoder) else None
    return made if isinstance(made, PersonalGenerator) else None


def _longest(values: pa.Array) -> int | None:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary
    if not _is_text(values.type):
        return None
    return int(pc.max(pc.utf8_length(values)).as_py() or 1)


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _is_key(kind: pa.DataType) -> bool:
    """Whether keys of this type can be made."""
    return _is_ordered(kind) or _is_text(kind) or isinstance(kind, pa.UuidType)


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
        or pa.types.is_fixed_size_list(plain)
        or pa.types.is_struct(plain)
        or pa.types.is_map(plain)
        or pa.types.is_interval(plain)
        or pa.types.is_binary(plain)
        or pa.types.is_large_binary(plain)
        or pa.types.is_fixed_size_binary(plain)
    )
    if not known:
        raise UnsupportedTypeError(table, column, kind)
