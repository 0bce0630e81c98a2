"""The label of a labelled GAN: the column that its rows are drawn for, kept out of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded, Layout
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.training import History

MOST_CLASSES = 256
"""Values of a label at most."""
_FEW = 20


def find_label(layouts: Sequence[Layout], key: int = 0) -> int:
    """The column of the label; -1 where no column can be one.

    Args:
        layouts: The row's columns.
        key: Of the layout of the column that was asked for; where 0 it is the category of the
            fewest values, or else the number of the fewest, 20 at most; of two the last.

    Raises:
        SynthesisError: The column asked for is not modelled, or has too many values.
    """
    if key:
        return _asked_for(layouts, key)
    sizes = {j: len(layout.probabilities) for j, layout in enumerate(layouts)}
    several = [j for j in reversed(sizes) if sizes[j] > 1]
    nominal = [j for j in several if layouts[j].nominal and sizes[j] <= MOST_CLASSES]
    numbers = [j for j in several if not layouts[j].ranges.any() and sizes[j] <= _FEW]
    return min(nominal or numbers, key=lambda j: sizes[j], default=-1)


def _asked_for(layouts: Sequence[Layout], key: int) -> int:
    found = [j for j, layout in enumerate(layouts) if layout.key == key]
    if not found:
        raise SynthesisError(
            "The label is not modelled: it is a key, free text or personal, or a rule computes "
            "it. Choose another label, or fit with rules='none'."
        )
    pieces = len(layouts[found[0]].probabilities)
    if layouts[found[0]].ranges.any() or pieces > MOST_CLASSES:
        raise SynthesisError(
            f"The label has too many values to be one. Choose a column of {MOST_CLASSES} at most."
        )
    return found[0]


def without(rows: Encoded, label: int) -> Encoded:
    """All columns but the label; all where that is -1."""
    kept = [j for j in range(rows.width) if j != label]
    layouts = tuple(rows.layouts[j] for j in kept)
    return Encoded(rows.pieces[:, kept], rows.places[:, kept], layouts)


def beside(rows: Encoded, label: Encoded, at: int, layouts: tuple[Layout, ...]) -> Encoded:
    """The label, [n, 1], in its place among the other columns; nothing where that is -1.

    Args:
        rows: The other columns, [n, d - 1].
        label: The label.
        at: Its column.
        layouts: The pieces of all columns.
    """
    if at < 0:
        return Encoded(rows.pieces, rows.places, layouts)
    return Encoded(
        np.insert(rows.pieces, at, label.pieces[:, 0], axis=1),
        np.insert(rows.places, at, label.places[:, 0], axis=1),
        layouts,
    )


def renumbered(history: History, label: int) -> History:
    """What happened, with columns numbered among all and not among those but the label."""

    def among_all(columns: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(j + (0 <= label <= j) for j in columns)

    looks = tuple((epoch, among_all(found)) for epoch, found in history.looks)
    return replace(history, collapsed=among_all(history.collapsed), looks=looks)
