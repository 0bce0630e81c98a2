"""One figure of a snapshot, beside what it could be and what it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prefect_synth.expectations.verdict import CheckKind

TITLES = {
    "quality": "quality",
    "column_shapes": "column shapes",
    "column_pair_trends": "column pair trends",
    "cardinality": "children per parent",
    "intertable": "intertable trends",
    "data_validity": "data validity",
    "relationship_validity": "relationship validity",
    "khop": "trends with grandparents",
    "dependence": "dependence on other columns kept",
    "relations": "dependence on the parent kept",
    "sequences": "sequences",
    "c2st": "classifier two-sample test",
    "c2st_relations": "classifier two-sample test across tables",
    "tstr": "trained on synthetic, tested on real",
    "copied_rows": "copied rows",
    "nearer_to_training": "nearer to training than to holdout",
    "membership": "membership inference",
    "membership_tpr": "membership inference, few accusations",
    "attribute_inference": "attribute inference",
    "singling_out": "singling out",
    "linkability": "linkability",
    "inference": "inference",
    "rare_values": "rare values",
}
"""What people read for each figure: the names of checks; titles begin with a capital letter."""


def score_title(name: str) -> str:
    """A figure's name in plain words, as a title."""
    words = TITLES.get(name, name.replace("_", " "))
    return words[:1].upper() + words[1:]


@dataclass(frozen=True)
class Score:
    """A figure that gates look at and that the report shows.

    Args:
        name: Which figure, by the name that its gate has in `synth.yaml`.
        kind: `fidelity` or `privacy`.
        found: What the synthetic tables reach.
        table: The table, or None where the whole snapshot is meant.
        column: The column, or the name of a foreign key; None where the whole table is meant.
        ceiling: What the holdout reaches in the synthetic tables' place; None where there is none.
        like: What the synthetic tables reach on the part of the schema that the ceiling covers:
            nothing is held out of shared tables. None where that is the whole.
        last: What the last published snapshot reached; None where there was none.
        best: The ideal: 1, or 0 for a risk, or 0.5 where nothing can be told from anything.
        error: Half the width of a 95 % interval around `found`, where it is an estimate.
    """

    name: str
    kind: CheckKind
    found: float
    table: str | None = None
    column: str | None = None
    ceiling: float | None = None
    like: float | None = None
    last: float | None = None
    best: float = 1.0
    error: float | None = None

    @property
    def key(self) -> str:
        """What tells it from the other figures of a snapshot: `c2st orders`."""
        return " ".join(part for part in (self.name, self.table, self.column) if part)

    def to_dict(self) -> dict[str, Any]:
        """The figure as plain JSON values."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Score:
        """Read what `to_dict` wrote."""
        return cls(**document)
