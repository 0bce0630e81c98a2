"""Missing values, drawn given what is there by a model that takes columns in any order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.generated import GeneratedEncoder
from prefect_synth.synth.encoding.layout import Encoded
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.randomness import stream
from prefect_synth.synth.row_models.argn_any_order import AnyOrderRowModel
from prefect_synth.synth.rules.rule import GAP
from prefect_synth.synth.rules.units import plain

_ROUNDS = 30


def impute(
    part: TablePart, table: pa.Table, seed: int, columns: Sequence[str] | None = None
) -> pa.Table:
    """The table with values in the place of nulls; what is there stays as it is.

    Rows in which a rule then contradicts what is there are drawn again, some dozen times.

    Args:
        part: The fitted table.
        table: Rows of its schema, seen in training or not.
        seed: Of the draws.
        columns: The columns to fill; all that can be where None.

    Raises:
        SynthesisError: The model takes no columns in any order, the schema is another one, or a
            column cannot be filled.
    """
    if not isinstance(part.row_model, AnyOrderRowModel) or part.sequence is not None:
        raise SynthesisError(
            f"The model of '{part.name}' fills no missing values. "
            "Use ARGNSynthesizer(flexible=True), for a table without a sequence index."
        )
    if not table.schema.equals(part.schema):
        raise SynthesisError(
            f"The table to fill has not the columns and types that '{part.name}' was fitted with: "
            f"{', '.join(f'{f.name} {f.type}' for f in part.schema)}."
        )
    wanted = fillable(part) if columns is None else _checked(part, columns)
    rng = stream(seed, "impute", part.name)
    rounds, rows, source = [table], np.arange(len(table)), np.arange(len(table))
    for _ in range(_ROUNDS):
        made, broken = _filled(part, part.row_model, table.take(pa.array(rows)), wanted, rng)
        source[rows] = sum(map(len, rounds)) + np.arange(len(rows))
        rounds.append(made)
        rows = rows[broken]
        if not len(rows):
            break
    whole = pa.concat_tables(rounds).unify_dictionaries().combine_chunks()
    return whole.take(pa.array(source)).combine_chunks()


def fillable(part: TablePart) -> list[str]:
    """The columns of the table in which missing values can be filled."""
    return [name for name in part.schema.names if part.rules.computing(name) or _own(part, name)]


def absent(values: pa.ChunkedArray) -> np.ndarray:
    """Where a column is null, or a float that is no number, [n] bool."""
    null = np.asarray(values.is_null())
    if pa.types.is_floating(values.type):
        null |= ~np.asarray(pc.fill_null(pc.is_finite(values), False))
    return null


def _own(part: TablePart, name: str) -> bool:
    encoder = part.codec.encoders.get(name)
    if name not in part.codec.modelled or encoder is None or isinstance(encoder, GeneratedEncoder):
        return False
    layout = encoder.layout
    return layout is not None and bool(layout.probabilities[int(layout.has_null) :].sum() > 0)


def _checked(part: TablePart, columns: Sequence[str]) -> list[str]:
    can = fillable(part)
    for name in columns:
        if name not in can:
            raise SynthesisError(
                f"'{name}' cannot be filled: it is no modelled column of '{part.name}'. "
                f"These can: {', '.join(can)}."
            )
    return list(columns)


def _filled(
    part: TablePart,
    model: AnyOrderRowModel,
    table: pa.Table,
    wanted: Sequence[str],
    rng: np.random.Generator,
) -> tuple[pa.Table, np.ndarray]:
    """Rows filled once; and in which of them a rule contradicts what was there, [n] bool."""
    left = part.rules.forward(table, {})
    rows = part.codec.encode(left, rng)
    at = {name: j for j, name in enumerate(part.codec.modelled)}
    missing = np.zeros(rows.pieces.shape, bool)
    for name in wanted:
        if name in at:
            missing[:, at[name]] = absent(left[name])
    patterns = range(len(part.codec.patterns))  # which columns are null says what is filled
    filled = model.complete(rows, missing, Encoded.empty(len(rows)), rng, patterns)
    values = _decoded(part, left, filled, missing, rng)
    return _with_rules(part, table, values, wanted, np.asarray(missing.any(axis=1)), rng)


def _decoded(
    part: TablePart, left: pa.Table, filled: Encoded, missing: np.ndarray, rng: np.random.Generator
) -> dict[str, pa.Array]:
    """The columns that rules leave, with what was filled."""
    values = {name: left[name].combine_chunks() for name in left.column_names}
    for j, name in enumerate(part.codec.modelled):
        rows = np.flatnonzero(missing[:, j])
        if len(rows):
            encoder = part.codec.encoders[name]
            made = encoder.decode(filled.pieces[rows, j], filled.places[rows, j], rng)
            values[name] = _put(values[name], rows, made)
    return values


def _with_rules(
    part: TablePart,
    table: pa.Table,
    values: Mapping[str, pa.Array],
    wanted: Sequence[str],
    drawn: np.ndarray,
    rng: np.random.Generator,
) -> tuple[pa.Table, np.ndarray]:
    """The table with its nulls filled, those that rules determine by the rules.

    And the rows with drawn values in which a rule computes something else than what is there.
    """
    left = dict(values)
    for name in wanted:
        if name + GAP in left:  # it is null without need
            null = pa.array(absent(table[name]))
            left[name + GAP] = pc.if_else(null, False, left[name + GAP])
    whole = part.rules.backward(left, {}, rng, len(table))
    broken = np.zeros(len(table), bool)
    for name in filter(part.rules.computing, table.column_names):
        same = pc.fill_null(pc.equal(plain(table[name]), plain(whole[name])), False)
        broken |= drawn & ~absent(table[name]) & ~np.asarray(same)
    for name in wanted:
        rows = np.flatnonzero(absent(table[name]))
        if len(rows):
            made = _put(table[name].combine_chunks(), rows, whole[name].take(pa.array(rows)))
            at = table.column_names.index(name)
            table = table.set_column(at, table.schema.field(at), made)
    return table, broken


def _put(values: pa.Array, rows: np.ndarray, made: pa.Array) -> pa.Array:
    """Values with others in some rows."""
    both = pa.chunked_array([values, made.cast(values.type)]).unify_dictionaries()
    source = np.arange(len(values))
    source[rows] = len(values) + np.arange(len(rows))
    found = both.combine_chunks().take(pa.array(source))
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
