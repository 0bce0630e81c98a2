"""The plan of a sample: rows, parents, and what children are told, top-down over the schema.

What is held for a table is a few integers for each row, and its encoded columns where it has
children; its blocks are finished later, each alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.hierarchy.appending import CROWDED, is_ordered
from prefect_synth.synth.hierarchy.blocks import BlockDrawer
from prefect_synth.synth.hierarchy.fixed_children import FixedChildren
from prefect_synth.synth.hierarchy.holding import Holding
from prefect_synth.synth.hierarchy.keys import KeyColumns
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.quotas import Quotas
from prefect_synth.synth.hierarchy.repairs import repair_keys
from prefect_synth.synth.hierarchy.structure import Structure
from prefect_synth.synth.hierarchy.unique_keys import room
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.randomness import stream
from prefect_synth.synth.scenarios.scenario import Scenarios, bound_tables


class Planner:
    """Plans one stage of a sample of a fitted hierarchy: its base, or rows to append to it.

    Args:
        metadata: The schema.
        parts: A part for each table.
        order: Tables, parents first.
        scales: By table, rows asked for as a share of the rows trained on, those of earlier stages
            included.
        keys: Makes the key columns; it holds the sample that is planned.
        scenarios: What must occur, by table: in the base, and rows that are appended later leave it
            as it is.
        fixed: Parents whose number of children the base has fixed; None where this is the base.
    """

    def __init__(
        self,
        metadata: Metadata,
        parts: Mapping[str, TablePart],
        order: tuple[str, ...],
        scales: Mapping[str, float],
        keys: KeyColumns,
        scenarios: Scenarios | None = None,
        fixed: FixedChildren | None = None,
    ) -> None:
        self.metadata, self.parts, self.order, self.scales = metadata, parts, order, scales
        self.keys, self.drawn, self.seed = keys, keys.drawn, keys.seed
        self.relations = {r.name: r for r in metadata.relationships}
        scenarios = scenarios or {}
        self.bound = bound_tables(metadata, scenarios)
        fixed = fixed or FixedChildren.of(metadata, scenarios, keys.seed)
        self.structure = Structure(metadata, parts, self.drawn, keys.seed, scales, fixed)
        self.drawer = BlockDrawer(metadata, parts, self.drawn, keys)
        scenarios = {} if self.drawn.cohorts.stage else scenarios
        self.holding = Holding(self.drawer, self.structure)
        self.quotas = Quotas(scenarios, parts, self.drawer, fixed)
        self.anew: set[str] = set()

    def plan(self) -> None:
        """Plan every table.

        Raises:
            SynthesisError: A parent table has too few rows for its children, or a key no room.
            ContractError: A scenario is out of reach.
        """
        for name in self.order:
            if self.parts[name].kept is None:
                self._plan_table(self.parts[name])
            elif not self.drawn.cohorts.stage:
                self.holding.keep(self.parts[name])
            else:
                self.drawn.fresh[name] = self.drawn.rows[name]
        self._check_parents()
        for name in self._growing():
            for relation in self.parts[name].plan.deferred:  # every table has its rows now
                words = self.drawn.cohorts.words(name)
                rng = stream(self.seed, "late", relation, *words)
                link = self.structure.late(self.parts[name], relation, rng)
                self.drawn.append(name, relation, link)
        repair_keys(self.keys, self._growing())
        self.quotas.confirm()
        self.drawn.end_stage()

    def _check_parents(self) -> None:
        """Refuse to leave rows as they are whose parents, planned after them, are others now."""
        if not self.drawn.cohorts.stage:
            return
        for relation in self.metadata.relationships:
            if relation.parent in self.anew and relation.child not in self.anew:
                raise SynthesisError(
                    f"Table '{relation.child}' cannot be appended to, for '{relation.parent}' is "
                    "drawn anew and refers to it."
                )

    def _growing(self) -> list[str]:
        """The tables that have rows of this stage."""
        fresh, rows = self.drawn.fresh, self.drawn.rows
        return [n for n in self.order if fresh.get(n, 0) < rows[n] or not self.drawn.cohorts.stage]

    def _plan_table(self, part: TablePart) -> None:
        name = part.name
        before = self.drawn.rows.pop(name, 0)
        rows = self._target(part)
        anew = not self.drawn.cohorts.stage or self._is_drawn_anew(part, before, rows)
        if rows == before and not anew:
            self.drawn.rows[name] = self.drawn.fresh[name] = rows
            return
        first = self.drawn.fresh[name] = 0 if anew else before
        if anew and self.drawn.cohorts.stage and name in self.bound:
            raise SynthesisError(
                f"Table '{name}' cannot be drawn anew beside rows that stay: scenarios hold by it."
            )
        self.anew |= {name} if anew else set()
        self.drawn.cohorts.begin(name, rows, anew=anew)
        held = {} if anew else self.drawn.columns[name]
        self.structure.choose(part, rows - first)
        self.drawn.rows[name], self.drawn.columns[name] = rows, {}
        self.quotas.reach(part)
        children = bool(self.metadata.children(name))
        columns = self.holding.columns(part)
        if children or columns or part.levels or (part.references and part.unique):
            self.holding.draw(part, {c: held.get(c) for c in columns}, children)
        if children:
            self.holding.inherit(part)

    def _is_drawn_anew(self, part: TablePart, before: int, rows: int) -> bool:
        """Whether a later stage cannot leave a table's rows as they are.

        It has fewer rows than before, or rows of it would lose their parents, or its families
        stand in an order and there are too few new parents for new ones.
        """
        parents = {r.parent for r in self.metadata.parents(part.name)} - {part.name}
        if rows < before or parents & self.anew:
            return True
        if rows == before or not is_ordered(part) or part.plan.primary is None:
            return False
        above = self.relations[part.plan.primary].parent
        first, now = self.drawn.fresh[above], self.drawn.rows[above]
        return (rows - before) * first > CROWDED * (now - first) * before

    def _target(self, part: TablePart) -> int:
        """Rows to make: as asked, at least one of what was there, at most one a parent if so."""
        rows = max(round(part.rows * self.scales[part.name]), min(part.rows, 1))
        for relation in part.one_to_one:
            parent = self.relations[relation].parent
            if parent in self.drawn.rows and part.nulls[relation] == 0 and parent != part.name:
                rows = min(rows, self.drawn.rows[parent])
        for sizes in room(self.metadata, part, self.drawn.rows):
            rows = min(rows, math.prod(sizes.values()))
        return rows
