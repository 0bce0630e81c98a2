"""What went wrong while a table's networks were trained, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prefect_synth.synth.encoding.shapes import SEPARATOR
from prefect_synth.synth.training import History

if TYPE_CHECKING:
    from prefect_synth.synth.hierarchy.part import TablePart

_OTHERS = "what the row says of its children"
_LINKS = "which parents its rows have"


def alarms(part: TablePart) -> tuple[str, ...]:
    """Sentences on columns whose values collapsed, and on training that the clock cut off.

    Args:
        part: A table's part; of a model that is no network there is nothing to tell.
    """
    rows = [part.row_model, getattr(part.sequence, "row_model", None)]
    links: list[object] = [style.row_model for style in part.styles.values()]
    links += [structure.row_model for structure in part.structure.values()]
    collapsed = [c for h in _histories(rows) for c in h.collapsed]
    names = _names(part, collapsed)
    names += [_LINKS for h in _histories(links) if h.collapsed]
    told = [
        f"'{part.name}.{column}' has collapsed: what is drawn of it is far less varied than the "
        "real values. Train longer, or choose another synthesizer."
        for column in dict.fromkeys(names)
    ]
    epochs = [len(h.losses) for h in _histories(rows + links) if h.stopped == "time"]
    if epochs:
        told.append(
            f"Training of '{part.name}' was cut off by the clock after {min(epochs)} "
            "epochs: another run may give other rows."
        )
    return tuple(told)


def _histories(models: Sequence[object]) -> list[History]:
    """What happened in the training of those that are networks."""
    found = [getattr(model, "history", None) for model in models]
    return [history for history in found if isinstance(history, History)]


def _names(part: TablePart, encoded: Sequence[int]) -> list[str]:
    """The columns that encoded ones belong to, each once."""
    before = sum(codec.width for codec in part.relations.values()) + len(part.levels)
    modelled = part.codec.modelled
    names = [
        modelled[c - before].split(SEPARATOR)[0] if 0 <= c - before < len(modelled) else _OTHERS
        for c in encoded
    ]
    return list(dict.fromkeys(name or "nulls of several columns" for name in names))
