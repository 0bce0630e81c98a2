"""What a table's part of a model is made of, in names and counts: for people who watch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from prefect_synth.synth.hierarchy.alarms import alarms

if TYPE_CHECKING:  # whoever only reads what a part is made of does without what it is made with
    from prefect_synth.synth.hierarchy.part import TablePart

COPY = "copy"
_COPIED = "The real rows are published as they are, by request."


@dataclass(frozen=True)
class PartSummary:
    """How one table is modelled; without a value of its rows.

    Args:
        table: The table.
        row_model: A name of `row_models.factory.MAKERS`; `copy` where the real rows are published.
        reason: Why, in a sentence.
        rules: The rules in force, as the project file has them.
        named_rows: Rows that have a style of their own, so that the children's rows are learned
            for each: of a reference table, never of people where the unit of privacy is known.
        alarms: What went wrong in training, in sentences.
    """

    table: str
    row_model: str
    reason: str
    rules: tuple[str, ...] = ()
    named_rows: int = 0
    alarms: tuple[str, ...] = ()


def summarize(part: TablePart) -> PartSummary:
    """Say how a table is modelled."""
    if part.kept is not None:
        return PartSummary(part.name, COPY, _COPIED)
    choice = part.choice
    return PartSummary(
        part.name,
        choice.row_model if choice else "unknown",
        choice.reason if choice else "The model is older than the choice.",
        tuple(dict.fromkeys(part.rules.texts())),
        _named_rows(part),
        alarms(part),
    )


def _named_rows(part: TablePart) -> int:
    from prefect_synth.synth.hierarchy.styles import ENOUGH_CHILDREN

    codecs = [style.codec for style in part.styles.values() if style.codec.named]
    counted = [np.max(list(codec.children.values()), axis=0) for codec in codecs]
    return max((int((most >= ENOUGH_CHILDREN).sum()) for most in counted), default=0)
