"""Styles: what kind of parent a row is, as one category that its children are told.

A row's effects on its children are more than a line: siblings may share a favourite category, or
come in bursts. A style is a class of parents that are alike in this, found by k-means (Lloyd 1982;
Arthur and Vassilvitskii 2007 for the start). Rows of a small reference table (airlines, airports)
each have a style of their own, so that the joint law of several foreign keys is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.cluster.vq import kmeans2, vq

from prefect_synth.synth.encoding.layout import RARE, Encoded, Floats, Ints, Layout
from prefect_synth.synth.metadata import Column, Metadata
from prefect_synth.synth.pii.names import is_about_a_person, is_person_table
from prefect_synth.synth.storage import stored

MOST_NAMED = 200
"""Rows of a reference table that can have a style each."""
ENOUGH_CHILDREN = 20
"""Children that a row needs for a style of its own: it stands for them, not for itself."""
MOST_REFERENCE = 2000
_NUMBERED, _LONG_NAME = 0.3, 16
_MOST_STYLES = 128
_FITTED_ON = 20_000
_ROUNDS = 12
_FANNED_OUT = 50


@stored
@dataclass(frozen=True)
class StyleCodec:
    """The styles of a parent table's rows.

    Args:
        layout: Share of the rows of each style.
        children: Mean number of children of a row of each style, by relation; where a style is a
            row of its own, this is all that is known of its number of children.
        named: Whether a style is one row rather than a class of rows.
    """

    layout: Layout
    children: dict[str, Floats]
    named: bool


def encode_styles(codes: Ints, layout: Layout) -> Encoded:
    """Style codes as one encoded column."""
    return Encoded(codes[:, None].astype(np.int64), np.full((len(codes), 1), 0.5), (layout,))


def is_reference(metadata: Metadata, table: str, data: pa.Table, unit: str | None = None) -> bool:
    """Whether the rows of a table may have styles of their own: they are things, not people.

    With a declared unit of privacy, any small table that is not the unit and hangs on none. Without
    one, only a table without parents, dates of its rows, or anything that tells of people, whose
    key is a name (`JFK`, `EUR`).

    Args:
        metadata: The schema.
        table: The table.
        data: Its rows.
        unit: The table whose rows are people, where it is known.
    """
    columns = metadata.tables[table].columns.values()
    if not 0 < len(data) <= MOST_REFERENCE or any(c.is_generated for c in columns):
        return False
    if unit is not None:
        return table != unit and unit not in _forebears(metadata, table)
    if is_person_table(table) or metadata.parents(table) or any(map(_may_tell, columns)):
        return False
    key = metadata.tables[table].primary_key
    return bool(key) and all(_is_name(data[c]) for c in key)


def _may_tell(column: Column) -> bool:
    """Whether a column may tell of a person: by its name, or as a date of their own."""
    return column.sdtype == "datetime" or is_about_a_person(column.name)


def _is_name(values: pa.ChunkedArray) -> bool:
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return False
    texts = values.cast(pa.large_string())
    numbered = pc.mean(pc.match_substring_regex(texts, "[0-9]").cast(pa.float64())).as_py()
    return bool(numbered < _NUMBERED and pc.mean(pc.utf8_length(texts)).as_py() <= _LONG_NAME)


def _forebears(metadata: Metadata, table: str) -> set[str]:
    found, waiting = set[str](), [table]
    while waiting:
        for relation in metadata.parents(waiting.pop()):
            if relation.parent not in found:
                found.add(relation.parent)
                waiting.append(relation.parent)
    return found


def named_styles(counts: Mapping[str, Ints]) -> tuple[Ints, StyleCodec] | None:
    """A style for each row with enough children; the others share one.

    Args:
        counts: Children of each row, by relation.

    Returns:
        Style of each row and the codec, or None where too many rows have children.
    """
    most = np.max(list(counts.values()), axis=0)
    active = np.flatnonzero(most >= ENOUGH_CHILDREN)
    if not 0 < len(active) <= MOST_NAMED or most[active].mean() < _FANNED_OUT:
        return None
    codes = np.full(len(most), len(active), np.int64)
    codes[active] = np.arange(len(active))
    return codes, _codec(codes, counts, named=True)


def class_styles(
    alike: Floats, counts: Mapping[str, Ints], rng: np.random.Generator
) -> tuple[Ints, StyleCodec] | None:
    """Classes of rows that are alike, each of at least `RARE` rows.

    Rows without children are a class of their own: what they are compared by is a guess, and where
    they are many it would take the classes that the others need.

    Args:
        alike: What rows are compared by, [parents, m].
        counts: Children of each row, by relation.
        rng: Seed of the classes' centres.

    Returns:
        Style of each row and the codec, or None where there are too few rows or nothing to compare.
    """
    active = np.max(list(counts.values()), axis=0) > 0
    if not RARE <= (~active).sum() < len(active):
        active[:] = True
    found = _classes(alike[active], rng)
    if found is None:
        return None
    codes = np.zeros(len(alike), np.int64)
    codes[active] = found + (0 if active.all() else 1)
    return codes, _codec(codes, counts, named=False)


def _classes(alike: Floats, rng: np.random.Generator) -> Ints | None:
    """The class of each row, [n]; None where there are too few rows or nothing to compare."""
    rows = len(alike)
    wanted = min(rows // RARE, _MOST_STYLES)
    if wanted < 2 or not alike.shape[1]:
        return None
    some = alike if rows <= _FITTED_ON else alike[np.sort(rng.permutation(rows)[:_FITTED_ON])]
    if len(np.unique(some, axis=0)) <= wanted:
        centres = np.unique(some, axis=0)
    else:
        centres = kmeans2(some, wanted, iter=_ROUNDS, minit="++", missing="warn", rng=rng)[0]
    codes = _of_enough_rows(alike, centres)
    return _along_main_axis(alike, codes) if codes.max() else None


def _of_enough_rows(alike: Floats, centres: Floats) -> Ints:
    """The nearest centre of each row, of those that are the nearest of enough rows."""
    codes = vq(alike, centres)[0].astype(np.int64)
    while True:
        rows = np.bincount(codes, minlength=len(centres))
        enough = rows >= RARE
        if enough.all() or enough.sum() < 2:
            break
        # the smaller half of what is too small goes first, so that neighbours can join
        small = np.flatnonzero(~enough)
        gone = small[np.argsort(rows[small], kind="stable")[: max(len(small) // 2, 1)]]
        centres = np.delete(centres, gone, axis=0)
        codes = vq(alike, centres)[0].astype(np.int64)
    if not enough.all():
        return np.zeros(len(alike), np.int64)
    return codes


def _along_main_axis(alike: Floats, codes: Ints) -> Ints:
    """The classes renumbered so that neighbours are alike."""
    rows = np.bincount(codes)
    means = np.column_stack([np.bincount(codes, x) / rows for x in alike.T])
    _, _, axes = np.linalg.svd((means - means.mean(axis=0)) * np.sqrt(rows)[:, None])
    axis = axes[0] * np.sign(axes[0][np.argmax(np.abs(axes[0]))])
    rank = np.empty(len(rows), np.int64)
    rank[np.argsort(means @ axis, kind="stable")] = np.arange(len(rows))
    return rank[codes]


def _codec(codes: Ints, counts: Mapping[str, Ints], *, named: bool) -> StyleCodec:
    rows = np.bincount(codes)
    layout = Layout(rows / rows.sum(), np.zeros(len(rows), bool), nominal=True, has_null=False)
    means = {r: _two_digits(np.bincount(codes, c) / rows) for r, c in counts.items()}
    return StyleCodec(layout, means, named)


def _two_digits(numbers: Floats) -> Floats:
    """Numbers to two digits: how many children a row has exactly is nobody's business."""
    scale = 10.0 ** (np.floor(np.log10(np.maximum(numbers, 1.0))) - 1)
    return np.asarray(np.rint(numbers / scale) * scale)


def link_styles(link: Ints, codes: Ints, styles: int) -> tuple[Encoded, Layout]:
    """The style of each child row's parent as one encoded column; null first if any has none.

    Args:
        link: Parent row of each child row, negative for none, [n].
        codes: Style of each parent row, [parents].
        styles: Number of styles.
    """
    null = link < 0
    has_null = bool(null.any())
    style = np.where(null, 0, codes[np.maximum(link, 0)] + int(has_null) if len(codes) else 0)
    rows = np.bincount(style, minlength=styles + int(has_null)).astype(float)
    layout = Layout(rows / max(rows.sum(), 1), np.zeros(len(rows), bool), True, has_null)
    return encode_styles(style, layout), layout
