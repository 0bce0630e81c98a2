"""How each table was modelled, in a few lines of Markdown for Prefect's artifacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prefect_synth.expectations.scorecard import markdown_row
from prefect_synth.synth.hierarchy.summary import PartSummary


def models_markdown(
    made: Sequence[PartSummary], seconds: Mapping[str, float], *, title: str = "Models"
) -> str:
    """Write which model each table got, and the rules in force. It holds no value of a row.

    Args:
        made: How each table is modelled.
        seconds: Time on the clock of each table's training.
        title: The heading.

    Returns:
        Markdown that Prefect's UI renders.
    """
    lines = ["| table | model | why | rows named | seconds |", "|---|---|---|---|---|"]
    lines += [
        markdown_row(
            m.table, m.row_model, m.reason, f"{m.named_rows or '-'}", f"{seconds[m.table]:.1f}"
        )
        for m in made
    ]
    rules = ["| table | rule |", "|---|---|"]
    rules += [markdown_row(m.table, f"`` {rule} ``") for m in made for rule in m.rules]
    parts = [f"# {title}", "\n".join(lines), NAMED]
    if any(m.rules for m in made):
        parts += ["## Rules in force", "\n".join(rules)]
    return "\n\n".join(parts) + "\n"


NAMED = (
    "*Rows named*: rows that have a style of their own, from which their children are learned one "
    "by one; of reference tables only. Seconds are those of the training itself; a model that was "
    "known already is not trained again."
)
