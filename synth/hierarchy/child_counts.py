"""How many children each parent row gets: as it was drawn, made to sum to the rows there are."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from prefect_synth.synth.encoding.layout import Floats, Ints
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.hierarchy.appending import (
    NEW_SHARE,
    for_growth,
    is_closed,
    is_crowded,
    is_ordered,
)
from prefect_synth.synth.hierarchy.counts import calibrate
from prefect_synth.synth.hierarchy.fixed_children import FixedChildren
from prefect_synth.synth.hierarchy.overlap import shared_rows
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.sample import Sample
from prefect_synth.synth.hierarchy.unique_keys import room
from prefect_synth.synth.metadata import Metadata


class ChildCounts:
    """Decides how many children the parents of sampled rows have.

    Args:
        metadata: The schema.
        parts: A part for each table.
        drawn: What is sampled so far.
        scales: By table, rows asked for as a share of the rows trained on.
        fixed: Parents whose number of children is asked for.
    """

    def __init__(
        self,
        metadata: Metadata,
        parts: Mapping[str, TablePart],
        drawn: Sample,
        scales: Mapping[str, float],
        fixed: FixedChildren,
    ) -> None:
        self.metadata, self.parts, self.drawn, self.scales = metadata, parts, drawn, scales
        self.fixed = fixed
        self.relations = {r.name: r for r in metadata.relationships}

    def deal(
        self,
        part: TablePart,
        relation: str,
        total: int,
        rng: np.random.Generator,
        wanted: Floats | None = None,
    ) -> Ints:
        """Children of each parent row among the newest rows of a table, [parents].

        Args:
            part: The table's part.
            relation: The relation.
            total: Rows that have a parent.
            rng: Decides which parents gain or lose one.
            wanted: Children that each parent should have; by what it was drawn with where None.

        Raises:
            SynthesisError: There is not room for so many.
        """
        most, named = self._left(part, relation), wanted is not None
        wanted = self.wanted(relation) if wanted is None else wanted
        more = self.scales[part.name] / self.scales[self.relations[relation].parent]
        if more != 1:  # parents that all families share have more children than were trained on
            wanted = np.floor(wanted * more + rng.random(len(wanted)))
        able = self._able(relation)
        if self.drawn.cohorts.stage:
            able[self.fixed.parents(relation)] = False
        if self.drawn.fresh.get(part.name) and not named:
            wanted, able = self._among_parents(part, relation, wanted, able, total, rng)
        counts = np.zeros(len(wanted), np.int64)
        try:
            room = most[able] if isinstance(most, np.ndarray) else most
            counts[able] = calibrate(wanted[able], total, rng, room)
        except ValueError as error:
            raise SynthesisError(
                f"Table '{part.name}' cannot be sampled through '{relation}': {error}. "
                "Ask for a scale at which the parent table has rows."
            ) from error
        if self.drawn.cohorts.stage:  # the base holds what is asked for
            return counts
        return self.fixed.hold(relation, counts, able, self._most(part, relation))

    def linked(self, part: TablePart, relation: str, rows: int, wanted: int | None = None) -> int:
        """Rows that have a parent: as asked, and where there may be nulls no more than fit.

        Args:
            part: The table's part.
            relation: The relation.
            rows: Its newest rows.
            wanted: Those that look for a parent; by the share of nulls where None.
        """
        first, share = self.drawn.fresh.get(part.name, 0), part.nulls[relation]
        nulls = round(share * (first + rows)) - round(share * first)
        linked = rows - min(max(nulls, 0), rows) if wanted is None else wanted
        able, most = self._able(relation), self._left(part, relation)
        if part.nulls[relation] == 0 or (most is None and able.any()):
            return linked
        return min(linked, int(np.where(able, 0 if most is None else most, 0).sum()))

    def by_name(self, relation: str, wanted: Ints) -> Floats | None:
        """Children of each parent row whose style is a row of its own, [parents].

        Args:
            relation: The relation.
            wanted: Style that each child row looks for, [n].
        """
        parent = self.parts[self.relations[relation].parent]
        if not parent.styles[parent.style_of[relation]].codec.named:
            return None
        styles, able = self.styles(relation), self._able(relation)
        asked = np.bincount(wanted, minlength=int(styles.max(initial=0)) + 1)
        alike = np.bincount(styles[able], minlength=len(asked))
        return np.where(able, asked[styles] / np.maximum(alike[styles], 1), 0.0)

    def wanted(self, relation: str) -> Floats:
        """Children that each parent row should have by what it was drawn with, [parents]."""
        parent = self.relations[relation].parent
        if relation not in self.parts[parent].relations:  # its style says it all
            style = self.parts[parent].styles[self.parts[parent].style_of[relation]]
            return np.asarray(style.codec.children[relation][self.styles(relation)])
        codec = self.parts[parent].relations[relation]
        return codec.counts.decode(self.drawn.blocks[parent].relations[relation].columns(0, 1))[
            :, 0
        ]

    def styles(self, relation: str) -> Ints:
        """Style of each parent row that the children through a relation are told, [parents]."""
        blocks = self.drawn.blocks[self.relations[relation].parent]
        return blocks.styles[blocks.style_of[relation]].pieces[:, 0]

    def _able(self, relation: str) -> np.ndarray:
        """Which parent rows can have children: those whose referenced columns have no null."""
        link = self.relations[relation]
        able = np.ones(self.drawn.rows[link.parent], bool)
        able[shared_rows(self.metadata, self.drawn.rows, link) :] = False
        for column in link.parent_columns:
            values = self.drawn.columns[link.parent].get(column)
            if values is not None and values.null_count:
                able &= np.asarray(values.is_valid())
        return able

    def _most(self, part: TablePart, relation: str) -> int | None:
        """Largest number of children that a parent can have, where there is one."""
        partners = [
            math.prod(sizes.values()) // sizes[relation]
            for sizes in room(self.metadata, part, self.drawn.rows)
            if sizes.get(relation)
        ]
        return 1 if relation in part.one_to_one else min(partners, default=None)

    def _left(self, part: TablePart, relation: str) -> int | Ints | None:
        """How many more children a parent can have; for each one where some have children."""
        most, first = self._most(part, relation), self.drawn.fresh.get(part.name, 0)
        if most is None or not first:
            return most
        links = self.drawn.links[relation][:first]
        parents = self.drawn.rows[self.relations[relation].parent]
        return np.maximum(most - np.bincount(links[links >= 0], minlength=parents), 0)

    def _among_parents(
        self,
        part: TablePart,
        relation: str,
        wanted: Floats,
        able: np.ndarray,
        total: int,
        rng: np.random.Generator,
    ) -> tuple[Floats, np.ndarray]:
        """Deal the rows that are appended out among old and new parents; see `for_growth`."""
        parent = self.relations[relation].parent
        new = np.arange(len(wanted)) >= self.drawn.fresh.get(parent, 0)
        closed = is_closed(self.parts[parent], part, relation) and (new & able).any()
        if closed and (is_ordered(part) or not is_crowded(self.drawn, part.name, parent)):
            return wanted, able & new
        share = 1.0 if relation in (part.plan.primary, *part.plan.deferred) else NEW_SHARE
        return for_growth(wanted, new & able, able & ~new, total * share, total, rng), able
