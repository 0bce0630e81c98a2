"""One table's scenarios on the way to being reached: count, draw anew, count again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn

import numpy as np

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.errors import ContractError
from prefect_synth.synth.hierarchy.blocks import BlockDrawer, Told
from prefect_synth.synth.hierarchy.candidates import Candidates, drawn_on, with_children
from prefect_synth.synth.hierarchy.contexts import blocks_of, span_of
from prefect_synth.synth.hierarchy.guides import guide
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.placed import Placed
from prefect_synth.synth.randomness import stream
from prefect_synth.synth.row_models.base import Among
from prefect_synth.synth.scenarios.matching import Match, bind, matching
from prefect_synth.synth.scenarios.scenario import Scenario

ROUNDS = 12
"""How often rows are drawn anew before a scenario counts as out of reach."""
_SPARE = 4
_FEWEST_TRIED = 256
_RAREST = 1 / 5000
_UNLIKE = 1e-9
"""Odds of a row whose number of children would be another one, beside one that keeps it."""


@dataclass
class _Quota:
    """One scenario of a table while it is being reached.

    Args:
        scenario: What is asked for.
        matches: Its condition.
        held: Where the row model is held.
        rate: Share of the rows drawn anew that were good.
        tried: Rows drawn anew.
        good: Those of them that came out well.
        found: Rows on which the condition holds, by block.
    """

    scenario: Scenario
    matches: tuple[Match, ...]
    held: dict[int, Among]
    rate: float = 1.0
    tried: int = 0
    good: int = 0
    found: dict[int, Ints] = field(default_factory=dict)

    def rows(self) -> Ints:
        """All rows on which it holds, as far as they were looked for, rising."""
        parts = [self.found[block] for block in sorted(self.found)]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def to_try(self, short: int) -> int:
        """Rows to draw anew where so many are short; before any was good, to find the rate."""
        rate, wanted = max(self.rate, _RAREST), short if self.good or not self.tried else 1
        return max(round(_SPARE * wanted / rate), _FEWEST_TRIED)

    def is_hopeless(self, rows: int) -> bool:
        """Whether nothing good came of two draws of a whole table, or of very many rows."""
        return not self.good and self.tried >= min(2 * rows, _SPARE * 5 / _RAREST)


class Reaching:
    """Reaches the scenarios of one table.

    Args:
        drawer: Draws blocks of rows.
        parts: A part for each table.
        part: The table's own.
        asked: Scenarios with a condition.

    Raises:
        ContractError: A column never has what is asked of it.
    """

    def __init__(
        self,
        drawer: BlockDrawer,
        parts: Mapping[str, TablePart],
        part: TablePart,
        asked: Sequence[Scenario],
    ) -> None:
        self.part, self.parts, self.drawer, self.drawn = part, parts, drawer, drawer.drawn
        self.seed, self.rows = drawer.seed, drawer.drawn.rows[part.name]
        self.blocks = len(blocks_of(part, self.drawn))
        self.reserved: dict[str, Ints] = {}
        self.quotas = [self._quota(scenario) for scenario in asked]

    def run(self) -> None:
        """Count, and draw anew until nothing is short."""
        if not self.quotas:
            return
        for block in range(self.blocks):
            self._count(block)
            if not any(self._short().values()):  # what is common is found at once
                return
        for attempt in range(ROUNDS):
            changed: set[int] = set()
            for quota in self.quotas:
                if short := self._short()[quota.scenario.name]:
                    changed |= self._draw_anew(quota, short, str(attempt))
                    if quota.is_hopeless(self.rows):
                        self._refuse(quota)
            for block in sorted(changed):
                self._count(block)
            if not any(self._short().values()):
                return
        self._refuse(self._first_short())

    def confirm(self) -> None:
        """Count all rows as they are now."""
        for block in range(self.blocks):
            self._count(block)
        if any(self._short().values()):
            self._refuse(self._first_short())

    def _quota(self, scenario: Scenario) -> _Quota:
        place = f"Scenario '{scenario.name}' of table '{self.part.name}'"
        matches = bind(scenario.comparisons(), self.part.schema, place)
        held = guide(self.drawer.metadata, self.parts, self.part, matches, place)
        return _Quota(scenario, matches, held)

    def _short(self) -> dict[str, int]:
        """Rows that are missing, by scenario; those whose children are counted share none."""
        taken = np.zeros(self.rows, bool)
        missing = {}
        for quota in self.quotas:
            rows, scenario = quota.rows(), quota.scenario
            if scenario.children:
                rows = rows[~taken[rows]][: scenario.at_least]
                taken[rows] = True
                self.reserved[scenario.name] = rows
            missing[scenario.name] = max(scenario.at_least - len(rows), 0)
        return missing

    def _count(self, block: int) -> None:
        """See which rows of a block match, as they will be finished."""
        start, stop = span_of(self.part, self.drawn, block)
        told = self.drawer.told(self.part, block, start, stop)
        for quota, good in zip(self.quotas, self._good(block, told, self.quotas), strict=True):
            quota.found[block] = start + np.flatnonzero(good)

    def _good(self, block: int, told: Told, quotas: Sequence[_Quota]) -> Iterator[np.ndarray]:
        """On which rows of a block each condition holds, [n] each."""
        drawn, name = told.drawn(self.part), self.part.name
        held = self.drawn.columns.get(name, {})
        given = {c: v.slice(told.start, told.stop - told.start) for c, v in held.items()}
        columns = self.drawer.own_columns(self.part, drawn, given)
        keys, rows = self.drawer.keys, np.arange(told.start, told.stop)
        for quota in quotas:
            for column in (m.comparison.column for m in quota.matches):
                if column not in columns:  # the key of a table that is kept
                    columns[column] = keys.values(name, column, rows, drawn.links)
            yield matching(quota.matches, columns, len(rows))

    def _draw_anew(self, quota: _Quota, short: int, attempt: str) -> set[int]:
        """Place rows on which the condition holds; the blocks that they are in."""
        rng = stream(self.seed, "scenario", self.part.name, quota.scenario.name, attempt)
        pool = self._pool(quota, quota.to_try(short), rng)
        blocks = self._blocks_of(pool)
        good = Candidates.joined([self._try(quota, block, pool, rng) for block in blocks])
        quota.tried, quota.good = quota.tried + len(pool), quota.good + len(good.rows)
        quota.rate = len(good.rows) / max(len(pool), 1)
        chosen = good.likeliest(short, rng)
        self._place(chosen)
        return set(self._blocks_of(chosen.rows))

    def _pool(self, quota: _Quota, wanted: int, rng: np.random.Generator) -> Ints:
        """Rows that may be drawn anew, in few blocks, rising: none that a scenario needs."""
        free = ~self._kept_for(self.quotas)
        free[quota.rows()] = False
        chosen: list[Ints] = []
        left = wanted
        for block in rng.permutation(self.blocks):
            start, stop = span_of(self.part, self.drawn, int(block))
            here = start + np.flatnonzero(free[start:stop])
            some = rng.permutation(here)[:left]
            chosen.append(some)
            left -= len(some)
            if not left:
                break
        return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, np.int64)

    def _kept_for(self, quotas: Sequence[_Quota]) -> np.ndarray:
        """Which rows scenarios need, [rows]."""
        kept = np.zeros(self.rows, bool)
        for quota in quotas:
            kept[quota.rows()[: quota.scenario.at_least]] = True
            kept[self.reserved.get(quota.scenario.name, np.zeros(0, np.int64))] = True
        return kept

    def _blocks_of(self, rows: Ints) -> list[int]:
        """The blocks that rows, which rise, are in."""
        spans = [span_of(self.part, self.drawn, block) for block in range(self.blocks)]
        ends = np.searchsorted(rows, spans).reshape(-1, 2)
        return [int(block) for block in np.flatnonzero(ends[:, 0] < ends[:, 1])]

    def _try(self, quota: _Quota, block: int, pool: Ints, rng: np.random.Generator) -> Candidates:
        """Draw the rows of the pool in a block anew; those that came out well."""
        start, stop = span_of(self.part, self.drawn, block)
        rows = pool[(pool >= start) & (pool < stop)]
        told = self.drawer.told(self.part, block, start, stop)
        drawn, odds = drawn_on(self.part, told, rows - start, quota.held, rng)
        drawn, alike = with_children(self.part, drawn, told.now().take(rows - start))
        odds = np.where(alike, odds, odds * _UNLIKE)
        trial = Placed(rows, drawn.pieces, drawn.places).joined(told.placed)
        tried = replace(told, placed=trial)
        (good,) = self._good(block, tried, [quota])
        at = np.flatnonzero(good[rows - start])
        return Candidates(rows[at], drawn.pieces[at], drawn.places[at], odds[at])

    def _place(self, good: Candidates) -> None:
        """Let these rows stand in the place of those that were drawn."""
        if not len(good.rows):
            return
        order = np.argsort(good.rows)
        placed = Placed(good.rows[order], good.pieces[order], good.places[order])
        name = self.part.name
        self.drawn.placed[name] = placed.joined(self.drawn.placed.get(name))

    def _first_short(self) -> _Quota:
        return next(q for q in self.quotas if self._short()[q.scenario.name])

    def _refuse(self, quota: _Quota) -> NoReturn:
        asked, short = quota.scenario.at_least, self._short()[quota.scenario.name]
        place = f"Scenario '{quota.scenario.name}' of table '{self.part.name}'"
        tried = f" {quota.tried:,} rows were drawn anew for it." if quota.tried else ""
        others = self._kept_for([q for q in self.quotas if q is not quota])
        others[quota.rows()] = False
        held = f" Other scenarios hold {others.sum():,} of the rows." if others.any() else ""
        raise ContractError(
            f"{place} cannot be reached: it asks for {asked:,} rows, and {asked - short:,} of "
            f"{self.rows:,} came out so.{tried}{held} "
            + (
                "Ask for fewer rows of either, or for more rows (defaults.scale)."
                if self.rows - others.sum() < asked
                else "Its columns hardly go together, or rules and keys stand against it: ask for "
                "fewer or for less, or pin such rows."
            )
        )
