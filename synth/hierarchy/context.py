"""What a child row is told of its parents and their forebears."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded, Ints, Layout
from prefect_synth.synth.hierarchy.part import Blocks
from prefect_synth.synth.metadata import Metadata

_MOST_INHERITED = 24


def parent_context(
    parent: Blocks,
    inherited: Encoded,
    relation: str,
    link: Ints,
    null_share: float,
    rng: np.random.Generator,
    parents: int | None = None,
) -> Encoded:
    """The context of child rows through one relation, [n, c].

    Args:
        parent: Columns of the parent table.
        inherited: What the parent's rows inherit, [parents, h].
        relation: Name of the relation.
        link: Parent row of each child row, negative where there is none.
        null_share: Share of rows without a parent in the real data; above 0, a column says so.
        rng: Picks a stand-in for parents that are not there.
        parents: Rows of the parent that the child rows may know, from the first; all where None.
    """
    known = [*parent.seen(relation), inherited]
    context = _rows_of(known, link, len(parent.own) if parents is None else parents, rng)
    if null_share <= 0:
        return context
    layout = Layout(np.array([null_share, 1 - null_share]), np.zeros(2, bool), False, True)
    present = Encoded(
        (link >= 0).astype(np.int64)[:, None], np.full((len(link), 1), 0.5), (layout,)
    )
    return Encoded.beside([context, present], len(link))


def inherit(
    metadata: Metadata,
    primary: str | None,
    links: Mapping[str, Ints],
    blocks: Mapping[str, Blocks],
    inherited: Mapping[str, Encoded],
    rows: int,
    rng: np.random.Generator,
) -> Encoded:
    """What a table's rows pass on to their children: their primary parent's columns, and so on."""
    if primary is None:
        return Encoded.empty(rows)
    parent = next(r.parent for r in metadata.relationships if r.name == primary)
    own = blocks[parent].own.columns(0, _MOST_INHERITED)
    rest = inherited[parent].columns(0, max(_MOST_INHERITED - own.width, 0))
    return _rows_of([own, rest], links[primary], len(own), rng)


def stand_in(link: Ints, parents: int, rng: np.random.Generator) -> Ints:
    """The link, with a random parent where there is none."""
    if not parents:
        return np.zeros(0, np.int64)
    return np.where(link >= 0, link, rng.integers(0, parents, len(link)))


def beside(contexts: Sequence[Encoded], rows: int) -> Encoded:
    """All contexts of a table's rows side by side."""
    return Encoded.beside(list(contexts), rows)


def _rows_of(
    known: Sequence[Encoded], link: Ints, parents: int, rng: np.random.Generator
) -> Encoded:
    """The columns of each row's parent; only the rows asked for are copied."""
    if not parents:
        return _blank(Encoded.beside(list(known), 0), len(link))
    rows = stand_in(link, parents, rng)
    return Encoded.beside([part.take(rows) for part in known], len(link))


def _blank(known: Encoded, rows: int) -> Encoded:
    """The first piece everywhere: contexts from a parent table that is empty."""
    shape = (rows, known.width)
    return Encoded(np.zeros(shape, np.int64), np.full(shape, 0.5), known.layouts)
