"""What went wrong while a table's networks were trained, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect_synth.synth.encoding.shapes import SEPARATOR
from prefect_synth.synth.training import History

if TYPE_CHECKING:
    from prefect_synth.synth.hierarchy.part import TablePart

_OTHERS = "what the row says of its children"


def alarms(part: TablePart) -> tuple[str, ...]:
    """Sentences on columns whose values collapsed, and on training that the clock cut off.

    Args:
        part: A table's part; of a model that is no network there is nothing to tell.
    """
    history = getattr(part.row_model, "history", None)
    if not isinstance(history, History):
        return ()
    told = [
        f"'{part.name}.{column}' has collapsed: what is drawn of it is far less varied than the "
        "real values. Train longer, or choose another synthesizer."
        for column in _names(part, history.collapsed)
    ]
    if history.stopped == "time":
        told.append(
            f"Training of '{part.name}' was cut off by the clock after {len(history.losses)} "
            "epochs: another run may give other rows."
        )
    return tuple(told)


def _names(part: TablePart, encoded: tuple[int, ...]) -> list[str]:
    """The columns that encoded ones belong to, each once."""
    before = sum(codec.width for codec in part.relations.values()) + len(part.levels)
    modelled = part.codec.modelled
    names = [
        modelled[c - before].split(SEPARATOR)[0] if 0 <= c - before < len(modelled) else _OTHERS
        for c in encoded
    ]
    return list(dict.fromkeys(name or "nulls of several columns" for name in names))
