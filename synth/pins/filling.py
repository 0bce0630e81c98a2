"""Columns that a file of pinned rows does not have: drawn given those that it has.

A row's parents do not count: the context is one of the table's own, taken by how likely it makes
the row. Draws are keyed by what the row says, so that they stay when the file grows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.columns import NumberEncoder
from prefect_synth.synth.encoding.generated import GeneratedEncoder, TextDatetimeEncoder
from prefect_synth.synth.encoding.layout import Encoded
from prefect_synth.synth.hierarchy.contexts import span_of
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.sampling import Sampler
from prefect_synth.synth.pins.reading import Pins
from prefect_synth.synth.randomness import stream
from prefect_synth.synth.row_models.base import Condition
from prefect_synth.synth.rules.repaired import reads_elsewhere

_CONTEXTS = 256


def complete(pins: Pins, sampler: Sampler) -> pa.Table:
    """The pinned rows with all columns of their table.

    Of a unique key that the file does not have whole, one column stays null where it may be.

    Args:
        pins: The pinned rows.
        sampler: The plan of the sample that they join.

    Raises:
        ContractError: A column is missing that cannot be drawn.
    """
    part = sampler.parts[pins.table.name]
    missing = [c for c in part.schema.names if c not in pins.rows.column_names]
    if not missing:
        return pins.rows.select(part.schema.names).cast(part.schema)
    if not sampler.drawn.rows[part.name]:
        raise pins.wrong(f"the table has no rows to draw '{missing[0]}' like: give all columns.")
    _check_drawn(pins, part, missing)
    empty = _left_empty(pins, part, missing)
    # one by one, since each has conditions of its own; people write few of them
    rows = [_completed(pins, sampler, part, row, empty) for row in range(pins.rows.num_rows)]
    whole = pa.concat_tables(rows).unify_dictionaries().combine_chunks()
    for column in whole.column_names:
        needed = not pins.table.columns[column].nullable or not part.schema.field(column).nullable
        if needed and whole[column].null_count:
            raise pins.wrong(f"it needs the column '{column}', which is declared NOT NULL.")
    return whole


def _check_drawn(pins: Pins, part: TablePart, missing: list[str]) -> None:
    for column in missing:
        rule = next((r for r in part.rules.rules if r.target == column), None)
        if rule is not None and reads_elsewhere(rule):
            raise pins.wrong(
                f"it needs the column '{column}', which a rule computes from rows of other tables."
            )


def _left_empty(pins: Pins, part: TablePart, missing: list[str]) -> set[str]:
    """Columns that stay null, one of each key: a value that is drawn may be another row's too."""
    rows, targets = pins.table.columns, {r.target for r in part.rules.rules}
    empty = {c for c in missing if not (_is_made_up(part, c) or c in part.codec.encoders)} - targets
    for key in pins.table.unique:
        drawn = sorted((c for c in key if c in missing), key=targets.__contains__)
        if not drawn or empty.intersection(drawn) or any(_is_made_up(part, c) for c in drawn):
            continue
        free = [c for c in drawn if rows[c].nullable and part.schema.field(c).nullable]
        if not free:
            which = drawn[0] if len(key) == 1 else f"{drawn[0]}' of the key '{', '.join(key)}"
            raise pins.wrong(f"it needs the column '{which}', which must be unique.")
        empty.add(free[0])
    return empty


def _is_made_up(part: TablePart, column: str) -> bool:
    """Whether each row has a value of its own, by its number."""
    return isinstance(part.codec.encoders.get(column), GeneratedEncoder) or column in part.keys


def _completed(
    pins: Pins, sampler: Sampler, part: TablePart, row: int, empty: set[str]
) -> pa.Table:
    """One pinned row, whole but for the columns that stay empty."""
    given = {c: pins.rows[c].slice(row, 1).combine_chunks() for c in pins.rows.column_names}
    said = repr(sorted((c, str(v[0].as_py())) for c, v in given.items()))
    rng = stream(sampler.keys.seed, "pin", part.name, said)
    encoded = _drawn(sampler, part, given, rng)
    number = sampler.drawn.rows[part.name] + row
    place = sampler.keys.pseudonyms.place(part.name, number)
    columns = part.codec.decode(encoded.columns(*_own(part)), rng, place=place)
    rules = [r for r in part.rules.rules if r.target not in given]
    computed = [r.target for r in rules]
    known = {c: v for c, v in given.items() if c in part.schema.names}
    if computed:
        columns = part.rules.backward(columns, {}, rng, 1, known)
    columns |= known
    for name in part.keys:
        if name not in given:
            columns[name] = sampler.keys.values(part.name, name, np.array([number]))
    values = {name: value for name, value in columns.items() if name not in empty}
    return pa.Table.from_arrays(
        [_value(values.get(f.name), f.type) for f in part.schema], schema=part.schema
    )


def _value(value: pa.Array | None, kind: pa.DataType) -> pa.Array:
    """The value, or null: a foreign key that the file does not have refers to nothing."""
    return pa.nulls(1, kind) if value is None else value


def _own(part: TablePart) -> tuple[int, int]:
    """Where the table's own columns stand in an encoded row."""
    first = sum(codec.width for codec in part.relations.values()) + len(part.levels)
    return first, first + len(part.codec.modelled)


def _drawn(
    sampler: Sampler, part: TablePart, given: dict[str, pa.Array], rng: np.random.Generator
) -> Encoded:
    """An encoded row that has the given values, as far as the model knows such."""
    context, conditions = _contexts(sampler, part, rng), _conditions(part, given)
    if conditions:
        rows, odds = part.row_model.sample_held(context, rng, conditions)
    else:
        rows, odds = part.row_model.sample(context, rng), np.ones(len(context))
    odds = np.maximum(odds, 1e-300)
    good = _agreeing(part, rows, given, rng)
    odds = odds * good if good.any() else odds
    return rows.take(rng.choice(len(rows), 1, p=odds / odds.sum()))


def _agreeing(
    part: TablePart, rows: Encoded, given: dict[str, pa.Array], rng: np.random.Generator
) -> np.ndarray:
    """From which rows rules compute the given values, as `city -> country` does, [n]."""
    good = np.ones(len(rows), bool)
    computed = [c for c in given if part.rules.computing(c) is not None]
    if not computed:
        return good
    outer = {r.target for r in part.rules.rules if reads_elsewhere(r)}
    count = pa.array(np.zeros(len(rows), np.int64))
    known = {c: given[c].take(count) for c in given if c in part.schema.names and c in outer}
    columns = part.codec.decode(rows.columns(*_own(part)), rng)
    fixed = {c: given[c].take(count) for c in given if c not in computed}
    columns = part.rules.backward(columns, {}, rng, len(rows), {**fixed, **known})
    for column in computed:
        same = pc.equal(_plain(columns[column]), _plain(given[column])[0])
        good &= np.asarray(pc.fill_null(same, given[column].null_count > 0))
    return good


def _contexts(sampler: Sampler, part: TablePart, rng: np.random.Generator) -> Encoded:
    """Some contexts of the table's rows."""
    start, stop = span_of(part, sampler.drawn, 0)
    told = sampler.drawer.told(part, 0, start, stop)
    return told.context.take(rng.integers(0, stop - start, _CONTEXTS))


def _conditions(part: TablePart, given: dict[str, pa.Array]) -> dict[int, Condition]:
    """Where the row model is held: at the given values, as far as it knows such."""
    held: dict[str, tuple[int, float]] = {}
    for column, value in given.items():
        encoder = part.codec.encoders.get(column)
        if encoder is None or encoder.layout is None or part.rules.computing(column) is not None:
            continue
        condition = _condition(encoder, value)
        if condition is not None:
            held[column] = condition
    first = _own(part)[0]
    return {first + j: condition for j, condition in part.codec.conditions(held).items()}


def _condition(encoder: Any, value: pa.Array) -> tuple[int, float] | None:
    """Piece and place of a value; None where no row of the data is like it."""
    if value.null_count:
        return (0, 0.5) if encoder.layout.has_null else None
    pieces, places = encoder.encode(value, stream(0, "pin"))
    exact = isinstance(encoder, NumberEncoder | TextDatetimeEncoder | GeneratedEncoder)
    if not exact:
        back = encoder.decode(pieces, places, stream(0, "pin"))
        if not pc.equal(_plain(back), _plain(value))[0].as_py():
            return None
    return int(pieces[0]), float(places[0])


def _plain(values: pa.Array) -> pa.Array:
    kind = values.type
    return values.cast(kind.value_type) if pa.types.is_dictionary(kind) else values
