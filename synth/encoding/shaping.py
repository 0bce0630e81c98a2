"""Which columns are nested, and of what shape."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.casts import CastShape, IntervalShape, plain_type
from prefect_synth.synth.encoding.choice import EncodingSettings
from prefect_synth.synth.encoding.columns import fit_category
from prefect_synth.synth.encoding.json_text import are_documents, fit_json
from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.encoding.nested import fit_list, fit_struct
from prefect_synth.synth.encoding.shapes import Shape
from prefect_synth.synth.metadata import Column

_REPEATS = 0.9
"""A nested column of which frequent values make up this much is a category as it is."""
_LOOKED_AT = 10_000


def fit_shape(
    column: Column, values: pa.Array, settings: EncodingSettings, units: Ints | None
) -> Shape | None:
    """The shape of a nested column, or None where it is flat, or made up as a whole.

    Args:
        column: What the column means.
        values: Its values.
        settings: Locale and marginals.
        units: The unit that each row belongs to, if known.
    """
    kind = values.type
    if plain_type(kind) is not None or pa.types.is_run_end_encoded(kind):
        return CastShape(pa.schema([("v", kind)]))
    if values.null_count == len(values) or column.is_generated:
        return None
    if pa.types.is_interval(kind):
        return IntervalShape(values.null_count > 0)
    if pa.types.is_struct(kind) and kind.num_fields:
        return fit_struct(values)
    if pa.types.is_union(kind) or not (pa.types.is_nested(kind) or _is_json(values)):
        return None
    if _repeats(values, units):
        return None
    if pa.types.is_nested(kind):
        return fit_list(column.name, values, settings, units)
    return fit_json(column.name, values, settings, units)


def _is_json(values: pa.Array) -> bool:
    kind = values.type
    if isinstance(kind, pa.JsonType):
        return True
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return text and are_documents(values)


def _repeats(values: pa.Array, units: Ints | None) -> bool:
    """Whether frequent values make up most of a column, by a look at some rows."""
    if len(values) > _LOOKED_AT:
        some = np.linspace(0, len(values) - 1, _LOOKED_AT).astype(np.int64)
        values, units = values.take(pa.array(some)), None if units is None else units[some]
    fitted = fit_category(values, units=units)
    return fitted is not None and fitted.covered >= _REPEATS
