"""SMOTE, SMOTENC and ADASYN for people who train where the real rows are.

They lay new rows on the lines between neighbouring real ones, so that what they make is real data
and is marked as such. The algorithms are imbalanced-learn's (Chawla et al. 2002; He et al. 2008).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.errors import RequestError
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.privacy import learned_columns

Method = Literal["smote", "smotenc", "adasyn"]

ADDED = "interpolated"
"""Column that tells which rows are new; with underscores behind where the table has one."""

_FEWEST = 2


@dataclass(frozen=True)
class Oversampled:
    """What came of it.

    Args:
        table: The real rows, then the new ones; a column tells which is which.
        features: The columns that were used.
        left_out: Real rows that were left out, as a number or the class is missing.
        before: Rows of each class, the largest first.
        after: The same with the new rows.
        added: The column that tells which rows are new.
    """

    table: pa.Table
    features: tuple[str, ...]
    left_out: int
    before: tuple[int, ...]
    after: tuple[int, ...]
    added: str = ADDED


def oversample(
    data: pa.Table,
    metadata: Metadata,
    table: str,
    column: str,
    method: Method,
    *,
    features: Collection[str] = (),
    neighbours: int = 5,
    seed: int = 0,
) -> Oversampled:
    """Make every class of a column as frequent as the largest one.

    Args:
        data: Real rows.
        metadata: The schema.
        table: Their table.
        column: The column of the classes.
        method: `smote` and `adasyn` take numbers and moments, `smotenc` categories as well.
        features: Columns to use; all that are neither keys nor personal where empty.
        neighbours: Real rows that a new one may lie towards.
        seed: Of every draw.

    Raises:
        RequestError: imbalanced-learn is missing, or the columns or classes do not do.
    """
    if method not in get_args(Method):
        raise RequestError(
            f"The method '{method}' is not known. Use {', '.join(get_args(Method))}."
        )
    names = _features(data, metadata, table, column, features)
    categories = [name for name in names if _is_category(data.schema.field(name).type)]
    if categories and method != "smotenc":
        raise RequestError(
            f"The method '{method}' takes numbers and moments only, and these columns are "
            f"categories: {', '.join(categories)}. Use smotenc, or name columns with --feature."
        )
    if method == "smotenc" and not 0 < len(categories) < len(names):
        raise RequestError(
            "The method 'smotenc' needs categories and numbers. Use smote for numbers alone."
        )
    whole = _complete(
        data.select([*names, column]), [n for n in names if n not in categories], column
    )
    classes, codes = _coded(whole[column].combine_chunks())
    counts = np.bincount(codes, minlength=len(classes))
    _check_classes(column, counts, neighbours)
    matrix, levels = _matrix(whole, names, categories)
    at = [names.index(name) for name in categories]
    made, labels = _sampler(method, at, neighbours, seed).fit_resample(matrix, codes)
    columns = [
        _restored(made[:, j], whole.schema.field(n), levels.get(n)) for j, n in enumerate(names)
    ]
    columns.append(classes.take(pa.array(labels)).cast(whole.schema.field(column).type))
    new, added = np.arange(len(made)) >= whole.num_rows, _free_name(data.column_names)
    schema = pa.schema([*(whole.schema.field(n) for n in (*names, column)), (added, pa.bool_())])
    return Oversampled(
        pa.Table.from_arrays([*columns, pa.array(new)], schema=schema),
        tuple(names),
        data.num_rows - whole.num_rows,
        tuple(sorted(counts.tolist(), reverse=True)),
        tuple(sorted(np.bincount(labels).tolist(), reverse=True)),
        added,
    )


def _free_name(taken: Collection[str]) -> str:
    """A name that no column of the table has, letter case apart."""
    known, name = {column.casefold() for column in taken}, ADDED
    while name.casefold() in known:
        name += "_"
    return name


def _sampler(method: Method, categories: Sequence[int], neighbours: int, seed: int) -> Any:
    try:
        from imblearn.over_sampling import ADASYN, SMOTE, SMOTENC
    except ImportError:
        raise RequestError(
            "Oversampling needs imbalanced-learn, which is not installed. Install it: "
            'pip install "prefect-synth[imbalance]".'
        ) from None
    if method == "smotenc":
        return SMOTENC(list(categories), random_state=seed, k_neighbors=neighbours)
    if method == "adasyn":
        return ADASYN(random_state=seed, n_neighbors=neighbours)
    return SMOTE(random_state=seed, k_neighbors=neighbours)


def _features(
    data: pa.Table, metadata: Metadata, table: str, column: str, asked: Collection[str]
) -> list[str]:
    if table not in metadata.tables:
        known = ", ".join(metadata.tables)
        raise RequestError(f"There is no table '{table}'. Tables: {known}.")
    for name in (column, *asked):
        if name not in data.column_names:
            raise RequestError(
                f"Table '{table}' has no column '{name}'. Columns: {', '.join(data.column_names)}."
            )
    usable = [
        name
        for name in learned_columns(metadata, table)
        if name != column and _is_usable(data.schema.field(name).type)
    ]
    for name in asked:
        if name not in usable:
            raise RequestError(
                f"'{name}' cannot be used: keys, personal data and nested columns are no features."
            )
    chosen = [name for name in usable if not asked or name in asked]
    if not chosen:
        raise RequestError(f"Table '{table}' has no column to learn the classes from.")
    return chosen


def _check_classes(column: str, counts: np.ndarray, neighbours: int) -> None:
    if len(counts) < _FEWEST:
        raise RequestError(f"'{column}' has {len(counts)} class; two or more can be balanced.")
    if counts.min() <= neighbours:
        raise RequestError(
            f"The smallest class of '{column}' has {counts.min()} rows, and each needs "
            f"{neighbours} neighbours of its class. Ask for fewer with --neighbours."
        )


def _complete(rows: pa.Table, numbers: Sequence[str], column: str) -> pa.Table:
    """The rows without those that lack a number or the class: there is nothing between nothing."""
    good = np.asarray(pc.is_valid(rows[column]).to_numpy())
    for name in numbers:
        good &= np.isfinite(_numbers(rows[name]))
    return rows.filter(pa.array(good))


def _matrix(
    rows: pa.Table, names: Sequence[str], categories: Collection[str]
) -> tuple[np.ndarray, dict[str, pa.Array]]:
    """Features as numbers, [n, d], and the categories that their codes stand for."""
    matrix, levels = np.empty((rows.num_rows, len(names))), {}
    for j, name in enumerate(names):
        if name in categories:
            levels[name], matrix[:, j] = _coded(rows[name].combine_chunks())
        else:
            matrix[:, j] = _numbers(rows[name])
    return matrix, levels


def _coded(values: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """The different values, null among them, and which one each row has."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    coded = values.dictionary_encode(null_encoding="encode")
    return coded.dictionary, np.asarray(coded.indices.to_numpy()).astype(np.int64)


def _numbers(values: pa.ChunkedArray) -> np.ndarray:
    """Numbers, or moments in their own unit; NaN for null."""
    if pa.types.is_temporal(values.type):
        values = values.cast(pa.int32() if values.type.bit_width == 32 else pa.int64())
    numbers = values.cast(pa.float64(), safe=False)
    return np.asarray(numbers.to_numpy(), dtype=float)


def _restored(values: np.ndarray, field: pa.Field, levels: pa.Array | None) -> pa.Array:
    """A column in its own type again."""
    kind = field.type
    if levels is not None:
        return levels.take(pa.array(np.rint(values).astype(np.int64))).cast(kind)
    if pa.types.is_floating(kind):
        return pa.array(values).cast(kind)
    if pa.types.is_decimal(kind):
        return pc.round(pa.array(values), kind.scale).cast(kind, safe=False)
    whole = pa.array(np.rint(values).astype(np.int64))
    if pa.types.is_temporal(kind):
        return whole.cast(pa.int32() if kind.bit_width == 32 else pa.int64()).cast(kind)
    return whole.cast(kind)


def _is_category(kind: pa.DataType) -> bool:
    return (
        pa.types.is_boolean(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_dictionary(kind)
    )


def _is_usable(kind: pa.DataType) -> bool:
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return (
        number
        or _is_category(kind)
        or (pa.types.is_temporal(kind) and not pa.types.is_interval(kind))
    )
