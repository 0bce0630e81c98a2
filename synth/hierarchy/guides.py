"""From a condition on a row to the stretches in which a row model holds its columns.

What is found guides the draws; whether the condition holds is seen on the finished rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.categories import CategoryEncoder
from prefect_synth.synth.encoding.choice import AnyEncoder
from prefect_synth.synth.encoding.columns import NumberEncoder
from prefect_synth.synth.encoding.generated import GeneratedEncoder, TextDatetimeEncoder
from prefect_synth.synth.encoding.layout import Floats, Ints, Layout
from prefect_synth.synth.errors import ContractError
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.randomness import stream
from prefect_synth.synth.row_models.base import Among
from prefect_synth.synth.scenarios.matching import Match

_GRID = 65
_POINT = 1e-6
_BESIDE = (0.0, 1e-6, -1e-6, 1e-5, -1e-5, 1e-4, -1e-4, 1e-3, -1e-3, 1e-2, -1e-2)


def guide(
    metadata: Metadata,
    parts: Mapping[str, TablePart],
    part: TablePart,
    matches: Sequence[Match],
    place: str,
) -> dict[int, Among]:
    """The stretches of the row model's columns in which a condition can hold.

    A column that a rule computes has none: rows are drawn until the rule gives what is asked.

    Args:
        metadata: The schema.
        parts: A part for each table.
        part: The table's own.
        matches: The condition.
        place: Begins the message.

    Raises:
        ContractError: A column never has such a value, or not one that may be published.
    """
    found: dict[int, Among] = {}
    null: dict[str, bool] = {}
    for column in dict.fromkeys(m.comparison.column for m in matches):
        asked = [m for m in matches if m.comparison.column == column]
        rule = part.rules.computing(column)
        below = {outside.name for outside in part.rules.outside if outside.of_children}
        if rule is not None and below.intersection(rule.inputs):
            raise ContractError(
                f"{place} asks for '{column}', which a rule computes from rows below it that do "
                "not exist yet. Ask for other columns, or for a number of children."
            )
        if rule is not None or column in part.codec.shapes:
            continue
        number, layout, among = _column(metadata, parts, part, column, asked, place)
        if not len(among):
            raise ContractError(f"{place} cannot be reached: {_reason(part, column, asked)}")
        if number is not None:
            found[number] = among
        absent = layout.has_null and (among.pieces == 0)
        if np.all(absent) or not np.any(absent):
            null[column] = bool(np.all(absent))
    return found | _patterns(part, null)


def _column(
    metadata: Metadata,
    parts: Mapping[str, TablePart],
    part: TablePart,
    column: str,
    asked: Sequence[Match],
    place: str,
) -> tuple[int | None, Layout, Among]:
    """The row model's number of a column, its pieces, and where the comparisons hold."""
    first = sum(codec.width for codec in part.relations.values()) + len(part.levels)
    modelled = part.codec.modelled
    for at, (relation, layout) in enumerate(part.references.items()):
        link = next(r for r in metadata.relationships if r.name == relation)
        if link.child_columns == (column,):
            kept = parts[link.parent].kept
            assert kept is not None  # noqa: S101 - a reference is to a kept table
            values = kept.columns[link.parent_columns[0]]
            return first + len(modelled) + at, layout, _whole(layout, values, asked)
    encoder = part.codec.encoders.get(column)
    if encoder is None:
        raise ContractError(
            f"{place} asks for '{column}', which no model draws: it is a key, or always null."
        )
    made_up = isinstance(encoder, GeneratedEncoder)
    if made_up and any(match.comparison.operator != "null" for match in asked):
        raise ContractError(
            f"{place} asks for a value of '{column}', whose values are made up: free text, or each "
            "another one. Only IS NULL and IS NOT NULL can be asked of it; pin rows that must have "
            "certain values."
        )
    if encoder.layout is None:
        return None, _ALL, _constant(encoder, asked)
    return first + modelled.index(column), encoder.layout, _stretches(encoder, asked)


_ALL = Layout(np.ones(1), np.zeros(1, bool), nominal=False, has_null=False)


def _stretches(encoder: AnyEncoder, asked: Sequence[Match]) -> Among:
    """Where all comparisons hold on what an encoder decodes."""
    layout = encoder.layout
    assert layout is not None  # noqa: S101 - asked by the caller
    if isinstance(encoder, GeneratedEncoder):
        values = pa.array([None, True] if layout.has_null else [True], pa.bool_())
        return _points(_holds(asked, values))
    if isinstance(encoder, CategoryEncoder):
        return _categories(encoder, asked)
    pieces, places = _grid(encoder, layout, asked)
    values = encoder.decode(pieces, places, stream(0, "guide"))
    return _runs(pieces, places, _holds(asked, values), layout)


def _categories(encoder: CategoryEncoder, asked: Sequence[Match]) -> Among:
    """Pieces of which a category will do, by its share of the piece."""
    shift, holds = int(encoder.layout.has_null), _holds(asked, encoder.every_value())
    if encoder.starts is None or encoder.mass is None:
        shares = holds.astype(float)
    else:
        mass = np.diff(encoder.mass)
        piece = np.searchsorted(encoder.starts, np.arange(len(holds)), side="right") - 1
        total = np.bincount(piece, mass)
        shares = np.bincount(piece, mass * holds) / np.maximum(total, 1e-300)
    null = _holds(asked, pa.nulls(1, encoder.every_value().type)) if shift else np.zeros(0, bool)
    return _points(np.concatenate([null.astype(float), shares]))


def _points(shares: np.ndarray) -> Among:
    """Whole pieces, by the share of each that will do."""
    pieces = np.flatnonzero(shares > 0)
    half = np.full(len(pieces), 0.5)
    return Among(pieces, half, half, np.asarray(shares, float)[pieces])


def _constant(encoder: AnyEncoder, asked: Sequence[Match]) -> Among:
    """A column that is never or always null, and never modelled."""
    always = isinstance(encoder, GeneratedEncoder) and encoder.always_null
    return _points(_holds(asked, pa.array([None if always else True], pa.bool_())))


def _grid(encoder: AnyEncoder, layout: Layout, asked: Sequence[Match]) -> tuple[Ints, Floats]:
    """Places at which to look: evenly in each range, around the constants, one elsewhere."""
    ranges = np.flatnonzero(layout.ranges)
    alone = np.flatnonzero(~layout.ranges)
    pieces = [alone, np.repeat(ranges, _GRID)]
    places = [np.full(len(alone), 0.5), np.tile(np.linspace(0, 1, _GRID), len(ranges))]
    if isinstance(encoder, NumberEncoder | TextDatetimeEncoder):
        for piece, place in _located(encoder, asked):
            if layout.ranges[piece]:
                near = np.clip(place + np.array(_BESIDE), 0, 1)
                pieces.append(np.full(len(near), piece))
                places.append(near)
    whole, where = np.concatenate(pieces), np.concatenate(places)
    order = np.lexsort((where, whole))
    return whole[order], where[order]


def _located(
    encoder: NumberEncoder | TextDatetimeEncoder, asked: Sequence[Match]
) -> list[tuple[int, float]]:
    """Pieces and places of the constants, as far as the column's type has them."""
    kind, found = encoder.kind.field(0).type, []
    for constant in (c for m in asked for c in m.constants):
        try:
            value = pa.array([constant.as_py()]).cast(kind, safe=False)
            pieces, places = encoder.encode(value, stream(0, "guide"))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, OverflowError):
            continue
        found.append((int(pieces[0]), float(places[0])))
    return found


def _runs(pieces: Ints, places: Floats, holds: np.ndarray, layout: Layout) -> Among:
    """Stretches of neighbouring places at which a condition holds."""
    begins = holds & ~np.concatenate([[False], holds[:-1] & (pieces[1:] == pieces[:-1])])
    ends = holds & ~np.concatenate([holds[1:] & (pieces[1:] == pieces[:-1]), [False]])
    piece, low, high = pieces[begins], places[begins], places[ends]
    shares = np.where(layout.ranges[piece], np.maximum(high - low, _POINT), 1.0)
    return Among(piece, low, high, shares)


def _whole(layout: Layout, values: pa.Array, asked: Sequence[Match]) -> Among:
    null = pa.nulls(int(layout.has_null), values.type)
    return _points(_holds(asked, pa.concat_arrays([null, values])))


def _holds(asked: Sequence[Match], values: pa.Array) -> np.ndarray:
    found = np.ones(len(values), bool)
    for match in asked:
        found &= match.holds(values)
    return found


def _patterns(part: TablePart, null: dict[str, bool]) -> dict[int, Among]:
    """Patterns of nulls that agree with what is asked."""
    first = sum(codec.width for codec in part.relations.values()) + len(part.levels)
    return {
        first + i: _points(patterns.fitting(null).astype(float))
        for i, patterns in enumerate(part.codec.patterns)
        if set(patterns.columns) & set(null)
    }


def _reason(part: TablePart, column: str, asked: Sequence[Match]) -> str:
    """Why a column never has what is asked of it."""
    encoder = part.codec.encoders.get(column)
    alone = encoder is not None and encoder.layout is not None and len(asked) > 1
    if alone and all(len(_stretches(encoder, [match])) for match in asked):  # type: ignore[arg-type]
        return f"what it asks of '{column}' contradicts itself."
    if any(m.comparison.operator == "null" and not m.comparison.negated for m in asked):
        return f"'{column}' is never null in the data."
    if any(m.comparison.operator == "null" for m in asked):
        return f"'{column}' is always null in the data."
    if isinstance(encoder, NumberEncoder | TextDatetimeEncoder):
        return (
            f"the model draws no such value of '{column}'; beyond what 5 rows reach in the data, "
            "it draws none. Pin rows that must lie outside."
        )
    return (
        f"'{column}' has no such value that may be published: it was never there, or fewer than 5 "
        "rows (or people, with privacy.unit) have it. Pin rows that must have it."
    )
