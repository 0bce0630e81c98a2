"""Quotas: scenarios reached by drawing some rows of a table anew, on a condition.

The plain draw is counted first. Where it is short, rows are chosen (those whose context makes the
condition likely, in a few blocks), and drawn given their context and the condition; whether the
condition holds is seen on the finished columns, after rules. All of it is decided with the plan,
by numbers of rows, so that every shard and every worker draws the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from prefect_synth.synth.errors import ContractError
from prefect_synth.synth.hierarchy.blocks import BlockDrawer
from prefect_synth.synth.hierarchy.fixed_children import FixedChildren
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.reaching import Reaching
from prefect_synth.synth.scenarios.scenario import Scenario, Scenarios


class Quotas:
    """Reaches the scenarios of the tables of one sample.

    Args:
        scenarios: What is asked for, by table.
        parts: A part for each table.
        drawer: Draws blocks of rows.
        fixed: Which parents' children are fixed; it is told which rows to choose from.
    """

    def __init__(
        self,
        scenarios: Scenarios,
        parts: Mapping[str, TablePart],
        drawer: BlockDrawer,
        fixed: FixedChildren,
    ) -> None:
        self.scenarios, self.parts, self.drawer, self.fixed = scenarios, parts, drawer, fixed
        self.drawn = drawer.drawn

    def reach(self, part: TablePart) -> None:
        """Draw rows of a table anew until its scenarios hold, children apart.

        Raises:
            ContractError: One is out of reach.
        """
        asked = self.scenarios.get(part.name, ())
        if not asked:  # in a later stage the base holds what is asked for
            return
        for scenario in asked:
            self._check_rows(part, scenario)
        reaching = Reaching(self.drawer, self.parts, part, [s for s in asked if s.where])
        reaching.run()
        for one in self.fixed.asked:
            if one.table == part.name and one.scenario.where:
                one.among = reaching.reserved[one.scenario.name]

    def confirm(self) -> None:
        """See once more that everything holds, when keys are repaired and all tables are linked.

        Raises:
            ContractError: A repair of unique keys broke a scenario.
        """
        for name, asked in self.scenarios.items():
            part = self.parts[name]
            if any(s.where for s in asked) and (part.unique or part.plan.deferred):
                Reaching(self.drawer, self.parts, part, [s for s in asked if s.where]).confirm()
        for one in self.fixed.asked:
            self._confirm_children(one.table, one.scenario, one.place)

    def _confirm_children(self, table: str, scenario: Scenario, place: str) -> None:
        one = next(a for a in self.fixed.asked if a.scenario is scenario and a.table == table)
        good = np.ones(self.drawn.rows[table], bool)
        if one.among is not None:
            good[:] = False
            good[one.among] = True
        for relation, wanted in one.children.items():
            link = self.drawn.links[relation]
            counts = np.bincount(link[link >= 0], minlength=len(good))
            good &= counts >= wanted.number if wanted.or_more else counts == wanted.number
        if good.sum() < scenario.at_least:
            raise ContractError(
                f"{place} cannot be reached: {int(good.sum()):,} rows have as many children as "
                f"asked, {scenario.at_least:,} are wanted. These parents are chosen together with "
                "others, or to keep a key unique, so that their number cannot be set."
            )

    def _check_rows(self, part: TablePart, scenario: Scenario) -> None:
        rows = self.drawn.rows[part.name]
        if scenario.at_least > rows:
            raise ContractError(
                f"Scenario '{scenario.name}' of table '{part.name}' asks for {scenario.at_least:,} "
                f"rows, and the snapshot gets {rows:,} of them. Ask for fewer, or for more rows "
                "(defaults.scale)."
            )
