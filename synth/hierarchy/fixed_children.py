"""Parents whose number of children is asked for: 3 customers without orders, one with 10,000."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.errors import ContractError
from prefect_synth.synth.hierarchy.counts import calibrate
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.randomness import stream
from prefect_synth.synth.scenarios.scenario import (
    ChildCount,
    Scenario,
    Scenarios,
    children_relation,
)


@dataclass
class Asked:
    """Some parents, and the number of children that they must have.

    Args:
        table: The parent table.
        scenario: What asks for it.
        children: By relation, their number.
        among: The parents to choose from; all where None.
        chosen: The parents, once they are chosen, rising.
    """

    table: str
    scenario: Scenario
    children: Mapping[str, ChildCount]
    among: Ints | None = None
    chosen: Ints | None = None

    @property
    def place(self) -> str:
        """Begins messages."""
        return f"Scenario '{self.scenario.name}' of table '{self.table}'"


@dataclass
class FixedChildren:
    """Fixes the numbers of children of chosen parents; the others make up for it.

    Args:
        asked: What is asked for.
        seed: Decides between parents that are as near.
    """

    asked: Sequence[Asked] = ()
    seed: int = 0
    counts: dict[str, Ints] = field(default_factory=dict)

    @classmethod
    def of(cls, metadata: Metadata, scenarios: Scenarios, seed: int) -> FixedChildren:
        """What scenarios ask for."""
        found = [
            Asked(
                table,
                scenario,
                {
                    children_relation(metadata, table, child).name: count
                    for child, count in scenario.children.items()
                },
            )
            for table, asked in scenarios.items()
            for scenario in asked
            if scenario.children
        ]
        return cls(found, seed)

    def of_relation(self, relation: str) -> list[Asked]:
        """What is asked of one relation."""
        return [asked for asked in self.asked if relation in asked.children]

    def parents(self, relation: str) -> Ints:
        """The parents whose number of children through a relation is fixed, once it is."""
        chosen = [a.chosen for a in self.of_relation(relation) if a.chosen is not None]
        return np.concatenate([np.zeros(0, np.int64), *chosen])

    def hold(self, relation: str, counts: Ints, able: np.ndarray, most: int | None) -> Ints:
        """Numbers of children, with those that are asked for; they sum to the same.

        The parents that come nearest to what is asked are taken, so that little changes.

        Args:
            relation: The relation.
            counts: Children of each parent as drawn, [parents].
            able: Which parents can have children, [parents].
            most: Largest number allowed for a parent, where there is one.

        Raises:
            ContractError: There are not so many parents or children, or a key allows fewer.
        """
        asked = self.of_relation(relation)
        if not asked:
            return counts
        held, total = counts.copy(), int(counts.sum())
        fixed = np.zeros(len(counts), bool)
        for one in asked:
            wanted = one.children[relation]
            _check_room(one, wanted, most, total)
            chosen = self._choose(one, relation, counts, able, fixed)
            fixed[chosen] = True
            number = wanted.number
            held[chosen] = np.maximum(counts[chosen], number) if wanted.or_more else number
        return _made_up(asked[-1], held, fixed, able, total, most, self._rng(relation, "rest"))

    def _choose(
        self, one: Asked, relation: str, counts: Ints, able: np.ndarray, fixed: np.ndarray
    ) -> Ints:
        """Parents that are fixed together, free of other scenarios, nearest to what is asked."""
        if one.chosen is None:
            wanted = one.children[relation]
            free = np.ones(len(counts), bool) if one.among is None else np.zeros(len(counts), bool)
            if one.among is not None:
                free[one.among] = True
            free &= ~self._taken(one, len(counts))
            free &= able | (wanted.number == 0)
            here = np.flatnonzero(free)
            if len(here) < one.scenario.at_least:
                raise ContractError(
                    f"{one.place} cannot be reached: it asks for {one.scenario.at_least:,} rows, "
                    f"and {len(here):,} are left of the {len(counts):,} that the snapshot gets. "
                    "Ask for fewer, or for more rows (defaults.scale)."
                )
            away = np.abs(counts[here] - wanted.number).astype(float)
            if wanted.or_more:
                away = np.maximum(wanted.number - counts[here], 0).astype(float)
            tie = self._rng(relation, one.scenario.name).random(len(here))
            one.chosen = np.sort(here[np.lexsort((tie, away))[: one.scenario.at_least]])
        return one.chosen

    def _taken(self, one: Asked, parents: int) -> np.ndarray:
        """Rows of the same table that are reserved for other scenarios, [parents]."""
        taken = np.zeros(parents, bool)
        for other in self.asked:
            if other is not one and other.table == one.table:
                rows = other.chosen if other.chosen is not None else other.among
                if rows is not None:
                    taken[rows] = True
        return taken

    def _rng(self, relation: str, purpose: str) -> np.random.Generator:
        return stream(self.seed, "fixed children", relation, purpose)


def _check_room(one: Asked, wanted: ChildCount, most: int | None, total: int) -> None:
    if most is not None and wanted.number > most:
        raise ContractError(
            f"{one.place} cannot be reached: a key allows a row at most {most:,} such children, "
            f"and {wanted.number:,} are asked for. Ask for fewer."
        )
    needed = wanted.number * one.scenario.at_least
    if needed > total:
        raise ContractError(
            f"{one.place} cannot be reached: it needs {needed:,} children, and the snapshot gets "
            f"{total:,} that have a parent. Ask for fewer, or for more rows (defaults.scale)."
        )


def _made_up(
    one: Asked,
    held: Ints,
    fixed: np.ndarray,
    able: np.ndarray,
    total: int,
    most: int | None,
    rng: np.random.Generator,
) -> Ints:
    """What the fixed parents leave, for the others: as drawn, as far as the sum allows."""
    left, free = total - int(held[fixed].sum()), able & ~fixed
    if left < 0:
        raise ContractError(
            f"{one.place} and others together need {total - left:,} children, and the snapshot "
            f"gets {total:,} that have a parent. Ask for fewer, or for more rows (defaults.scale)."
        )
    try:
        held[free] = calibrate(held[free].astype(float), left, rng, most)
    except ValueError:
        raise ContractError(
            f"{one.place} cannot be reached: {left:,} children are left for the "
            f"{int(free.sum()):,} other rows, which cannot hold them. Ask for fewer rows, or for "
            "more children."
        ) from None
    return held
