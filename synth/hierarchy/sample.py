"""Sampled tables while they grow: what a plan holds of each."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Encoded, Ints
from prefect_synth.synth.hierarchy.cohorts import Cohorts
from prefect_synth.synth.hierarchy.part import Blocks
from prefect_synth.synth.hierarchy.placed import Placed
from prefect_synth.synth.hierarchy.spill import Spill
from prefect_synth.synth.metadata import Relationship


@dataclass
class Sample:
    """Sampled tables while they grow.

    Args:
        rows: Rows by table.
        blocks: Encoded columns by table.
        inherited: What each table's rows pass on.
        links: Parent row of each row, by relation.
        told: Parent row that each row was drawn with, by relation: repairs may exchange parents.
        columns: Columns that are held whole, by table.
        held: Names of columns that no repair may change.
        placed: Rows that are drawn anew on a condition, by table.
        spill: Holds the large arrays.
        cohorts: Which rows were planned together.
        fresh: While a stage is planned, the first row that it plans, by table planned so far;
            those before it stay as they are.
    """

    rows: dict[str, int] = field(default_factory=dict)
    blocks: dict[str, Blocks] = field(default_factory=dict)
    inherited: dict[str, Encoded] = field(default_factory=dict)
    links: dict[str, Ints] = field(default_factory=dict)
    told: dict[str, Ints] = field(default_factory=dict)
    columns: dict[str, dict[str, pa.Array]] = field(default_factory=dict)
    held: Collection[str] = ()
    placed: dict[str, Placed] = field(default_factory=dict)
    spill: Spill = field(default_factory=Spill)
    cohorts: Cohorts = field(default_factory=Cohorts)
    fresh: dict[str, int] = field(default_factory=dict)

    def parents_at(self, table: str, row: int, parent: str) -> int:
        """How many rows a parent's table had when a row was planned."""
        return int(self.cohorts.parents(table, np.array([row]), parent, self.rows[parent])[0])

    def is_linked(self, relation: Relationship) -> bool:
        """Whether the child rows of a relation are planned, those of this stage included."""
        link, stage = self.links.get(relation.name), self.cohorts.stage
        if link is None or (stage and self.fresh and relation.child not in self.fresh):
            return False
        return not stage or len(link) == self.rows.get(relation.child)

    def end_stage(self) -> None:
        """All tables are planned: their rows stay, and later ones come after them."""
        self.cohorts.history = (*self.cohorts.history, dict(self.rows))
        self.fresh.clear()

    def append(self, table: str, relation: str, link: Ints, *, told: bool = False) -> None:
        """Add the parents of a table's newest rows.

        Args:
            table: The table.
            relation: The relation.
            link: Their parent rows.
            told: Whether the rows are drawn with these parents in mind.
        """
        first = self.fresh.get(table, 0)
        link = link.astype(np.int32) if told else link
        for links in (self.links, self.told) if told else (self.links,):
            whole = np.concatenate([links[relation][:first], link]) if first else link
            links[relation] = whole
        if told and (self.links[relation] == self.told[relation]).all():
            self.told[relation] = self.links[relation]
