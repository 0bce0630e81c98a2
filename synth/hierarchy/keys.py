"""Key columns of sampled tables: minted from row numbers, or copied from parents' rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.encoding.pieces import scatter
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.generation.keys import Keys
from prefect_synth.synth.generation.scramble import mix
from prefect_synth.synth.hierarchy.key_codes import codes_of
from prefect_synth.synth.hierarchy.overlap import claims, twin_columns
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.pseudonyms import Pseudonyms
from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.synth.randomness import stream

if TYPE_CHECKING:
    from prefect_synth.synth.hierarchy.sample import Sample


class KeyColumns:
    """Key columns of any rows, when tables have their row numbers and links.

    Args:
        metadata: The schema.
        parts: A part for each table.
        drawn: Rows, links, and the columns that cannot be told from row numbers and links.
        seed: Of every draw.
        chosen: Whether minted keys are fresh or stable.
        secret: What personal data are made with; it follows from the seed where None.
    """

    def __init__(
        self,
        metadata: Metadata,
        parts: Mapping[str, TablePart],
        drawn: Sample,
        seed: int,
        chosen: Keys = "fresh",
        secret: bytes | None = None,
    ) -> None:
        self.metadata, self.parts, self.drawn, self.seed = metadata, parts, drawn, seed
        self.stable = chosen == "stable"
        self.pseudonyms = Pseudonyms(
            metadata, parts, drawn, seed, secret or stream(seed, "pseudonyms").bytes(32)
        )
        self.twins = twin_columns(metadata)
        self.filled = {name: _filled(metadata, part) for name, part in parts.items()}

    def names(self, table: str) -> list[str]:
        """The columns of a table that are made here."""
        part = self.parts[table]
        return [] if part.kept is not None else [*part.keys, *self.filled[table]]

    def values(
        self,
        table: str,
        column: str,
        rows: Ints,
        links: Mapping[str, Ints] | None = None,
    ) -> pa.Array:
        """Values of a column that is in a key, at the given rows, [n].

        Args:
            table: The table.
            column: A key column, or one that `drawn` holds whole.
            rows: Row numbers, in any order.
            links: Parent rows of these rows, by relation, where `drawn` has none.

        Raises:
            SynthesisError: A key's type cannot hold so many keys.
        """
        held = self.drawn.columns.get(table, {}).get(column)
        if held is not None:
            return held.take(pa.array(rows))
        if column in self.parts[table].keys:
            return self._minted(table, column, rows)
        return self._copied(table, column, rows, links or {})

    def codes(self, table: str, column: str) -> Ints:
        """One integer for each row's value of a key column, -1 for null, [rows of the table]."""
        held = self.drawn.columns.get(table, {}).get(column)
        if held is not None:
            return codes_of(held)
        if column in self.parts[table].keys:
            return np.arange(self.drawn.rows[table])
        ways = self.filled[table][column]
        found = np.full(self.drawn.rows[table], -1, np.int64)
        for at, (relation, parent_column) in enumerate(ways):
            link = self.drawn.links[relation.name]
            above = self.codes(relation.parent, parent_column) * len(ways) + at
            if len(above):
                found = np.where(link < 0, found, above[np.maximum(link, 0)])
        return found

    def _minted(self, table: str, column: str, rows: Ints) -> pa.Array:
        place = self.twins.get((table, column), ((table, column),))[0]
        purpose = ("keys", *place)
        rng = stream(0, "stable", *purpose) if self.stable else stream(self.seed, *purpose)
        some, at = np.unique(rows, return_inverse=True)
        try:
            keys = self.parts[table].keys[column].generate(some, int(rng.integers(2**31)))
        except OverflowError as error:
            raise SynthesisError(
                f"Column '{table}.{column}': {error}. Ask for a smaller scale."
            ) from error
        return keys if len(some) == len(rows) and _rises(rows) else keys.take(pa.array(at))

    def _copied(self, table: str, column: str, rows: Ints, links: Mapping[str, Ints]) -> pa.Array:
        """The key of each row's parent, through whichever relation it has one."""
        ways = self.filled[table][column]
        made = [self._copied_through(table, column, rows, links, *way) for way in ways]
        return made[0] if len(made) == 1 else pc.coalesce(*made)

    def _copied_through(
        self,
        table: str,
        column: str,
        rows: Ints,
        links: Mapping[str, Ints],
        relation: Relationship,
        parent_column: str,
    ) -> pa.Array:
        """The key of each row's parent through one relation."""
        now, known = self.drawn.rows[relation.parent], self.drawn.links.get(relation.name)
        link = links[relation.name] if known is None else known[rows].astype(np.int64)
        kind = self.parts[table].schema.field(column).type
        nullable = self.metadata.tables[table].columns[column].nullable
        if not (nullable or relation.when) and now:
            # the other columns of the key say that it is null
            salt = int(stream(self.seed, "copy", relation.name, column).integers(2**31))
            had = self.drawn.cohorts.parents(table, rows, relation.parent, now).astype(np.uint64)
            other = (mix(rows, salt) % np.maximum(had, np.uint64(1))).astype(np.int64)
            link = np.where((link < 0) & (had > 0), other, link)
        present = link >= 0
        values = self.values(relation.parent, parent_column, link[present])
        values = values if values.type == kind else values.cast(kind)
        return scatter(values, present, kind)


def _filled(metadata: Metadata, part: TablePart) -> dict[str, tuple[tuple[Relationship, str], ...]]:
    """The relations that fill each column, and the parent's column; one, unless polymorphic."""
    found: dict[str, tuple[tuple[Relationship, str], ...]] = {}
    for relation, pairs in claims(metadata, part):
        for child, parent in pairs:
            found[child] = (*found.get(child, ()), (relation, parent))
    return found


def _rises(rows: Ints) -> bool:
    return bool((np.diff(rows) > 0).all())
