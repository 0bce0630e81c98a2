"""Draws a balanced table: rows of every class given the contexts of a sample's own rows.

Each row is one more beside those of the sample: it has the parents of a row that was taken at
random, among four by how likely their context makes the class; a number of its own, and so a key
and personal values of its own. No row of the sample changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints
from prefect_synth.synth.errors import ContractError
from prefect_synth.synth.generation.keys import Keys
from prefect_synth.synth.hierarchy.blocks import BlockDrawer, Told
from prefect_synth.synth.hierarchy.contexts import block_rows
from prefect_synth.synth.hierarchy.guides import guide
from prefect_synth.synth.hierarchy.keys import KeyColumns
from prefect_synth.synth.hierarchy.sampling import Sampler
from prefect_synth.synth.randomness import stream
from prefect_synth.synth.row_models.base import Among
from prefect_synth.synth.scenarios.balance import Balance
from prefect_synth.synth.scenarios.grammar import Comparison
from prefect_synth.synth.scenarios.matching import Match

ROUNDS = 40
"""How often a row is drawn anew before its class counts as out of reach."""
_CHOICE = 4


class Balancer:
    """Draws the rows of one balanced table.

    Args:
        sampler: The plan of the sample.
        balance: What is asked for.
        classes: The classes, as plain Arrow scalars.
        rows: Rows of each class.

    Raises:
        ContractError: The table's rows depend on rows below them or before them, or a class is
            never drawn.
    """

    def __init__(
        self, sampler: Sampler, balance: Balance, classes: Sequence[pa.Scalar], rows: Ints
    ) -> None:
        self.sampler, self.balance = sampler, balance
        self.part, self.drawn = sampler.parts[balance.table], sampler.drawn
        self.base = self.drawn.rows[balance.table]
        self._check()
        column = balance.column
        self.matches = [Match(Comparison(column, "=", ()), (value,)) for value in classes]
        self.held = [self._guide(match) for match in self.matches]
        rng = stream(sampler.keys.seed, "balance", balance.name)
        self.classes: Ints = rng.permutation(np.repeat(np.arange(len(rows)), rows))

    @property
    def schema(self) -> pa.Schema:
        """The table's schema: that of the table it is like."""
        return self.part.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, block by block.

        Raises:
            ContractError: Rules keep a class from being drawn.
        """
        size = block_rows(self.part)
        for block, start in enumerate(range(0, len(self.classes), size)):
            yield self._block(block, start, self.classes[start : start + size])

    def _check(self) -> None:
        rules = self.part.rules
        if any(outside.of_children for outside in rules.outside):
            raise ContractError(
                f"{self.balance.place} cannot be drawn: a rule computes its columns from rows "
                "below it, of which more rows have none. Balance another table."
            )
        if rules.increasing is not None or self.part.sequence is not None:
            raise ContractError(
                f"{self.balance.place} cannot be drawn: the table's rows stand in sequences, which "
                "one row more of a class would break."
            )

    def _guide(self, match: Match) -> dict[int, Among]:
        place = self.balance.place
        return guide(self.sampler.metadata, self.sampler.parts, self.part, [match], place)

    def _block(self, block: int, start: int, wanted: Ints) -> pa.RecordBatch:
        """Rows of the wanted classes, which begin at number `start`."""
        seed, name = self.sampler.keys.seed, self.balance.name
        rng = stream(seed, "balance", name, str(block))
        like, rows = self._chosen(block, start, wanted, rng)
        drawer = self._drawer(like, self.base + start)
        first = self.base + start
        told = drawer.told_as(self.part, f"{name} {block}", first, first + len(wanted))
        told = replace(told, rows=rows)
        for _ in range(ROUNDS):
            columns = self._columns(drawer, told)
            short = ~self._good(columns, wanted)
            if not short.any():
                return pa.RecordBatch.from_arrays(
                    [columns[f.name] for f in self.schema], schema=self.schema
                )
            at = np.flatnonzero(short)
            drawn, _ = self._held(told.context.take(at), wanted[at], rng)
            pieces, places = told.rows.pieces.copy(), told.rows.places.copy()
            pieces[at], places[at] = drawn.pieces, drawn.places
            told = replace(told, rows=Encoded(pieces, places, told.rows.layouts))
        raise ContractError(
            f"{self.balance.place} cannot be drawn: {int(short.sum()):,} of {len(wanted):,} rows "
            "did not get their class. Rules stand against it: ask for another column, or for a "
            "smaller ratio."
        )

    def _chosen(
        self, block: int, start: int, wanted: Ints, rng: np.random.Generator
    ) -> tuple[Ints, Encoded]:
        """Rows of the sample whose parents the rows have, and the encoded rows."""
        like = rng.integers(0, self.base, len(wanted) * _CHOICE)
        first = self.base + start
        drawer = self._drawer(like, first)
        name = f"{self.balance.name} {block} choice"
        told = drawer.told_as(self.part, name, first, first + len(like))
        drawn, odds = self._held(told.context, np.repeat(wanted, _CHOICE), rng)
        keys = np.log(np.maximum(odds, 1e-300)) + rng.gumbel(size=len(odds))
        best = keys.reshape(-1, _CHOICE).argmax(axis=1) + np.arange(len(wanted)) * _CHOICE
        return like[best], drawn.take(best)

    def _held(
        self, context: Encoded, wanted: Ints, rng: np.random.Generator
    ) -> tuple[Encoded, Floats]:
        """Rows of the wanted classes in their contexts, and how likely those make them."""
        model = self.part.row_model
        rows = model.sample(context, rng)
        pieces, places, odds = rows.pieces.copy(), rows.places.copy(), np.ones(len(wanted))
        for number, held in enumerate(self.held):
            at = np.flatnonzero(wanted == number)
            if held and len(at):
                drawn, odds[at] = model.sample_held(context.take(at), rng, held)
                pieces[at], places[at] = drawn.pieces, drawn.places
        return Encoded(pieces, places, rows.layouts), odds

    def _columns(self, drawer: BlockDrawer, told: Told) -> dict[str, pa.Array]:
        drawn = told.drawn(self.part)
        columns = drawer.own_columns(self.part, drawn)
        rows = np.arange(told.start, told.stop)
        for column in drawer.keys.names(self.part.name):
            columns[column] = drawer.keys.values(self.part.name, column, rows, drawn.links)
        return columns

    def _good(self, columns: Mapping[str, pa.Array], wanted: Ints) -> np.ndarray:
        """Which rows have the class that they should have, [n]."""
        values, good = columns[self.balance.column], np.zeros(len(wanted), bool)
        for number, match in enumerate(self.matches):
            at = wanted == number
            good[at] = match.holds(values)[at]
        return good

    def _drawer(self, like: Ints, first: int) -> BlockDrawer:
        """Draws rows from number `first` on, which have the parents of others."""
        name, keys = self.part.name, self.sampler.keys
        own = [r.name for r in self.sampler.metadata.parents(name)]
        before = np.full(first - self.base, -1, np.int32)

        def longer(links: Mapping[str, Ints]) -> dict[str, Ints]:
            found = {r: link for r, link in links.items() if r not in self.part.references}
            known = {r: np.asarray(found[r]) for r in own if r in found}
            return found | {r: np.concatenate([k, before, k[like]]) for r, k in known.items()}

        drawn = replace(
            self.drawn,
            rows={**self.drawn.rows, name: first + len(like)},
            links=longer(self.drawn.links),
            told=longer(self.drawn.told),
            columns={**self.drawn.columns, name: {}},
            placed={n: p for n, p in self.drawn.placed.items() if n != name},
        )
        chosen: Keys = "stable" if keys.stable else "fresh"
        metadata, parts, secret = keys.metadata, keys.parts, keys.pseudonyms.secret
        columns = KeyColumns(metadata, parts, drawn, keys.seed, chosen, secret)
        return BlockDrawer(metadata, parts, drawn, columns)
