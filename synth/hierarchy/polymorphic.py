"""Polymorphic references: one key that refers to this or that table, as another column says.

Each row refers through one relation of those that share the key's columns. Which one is chosen
first, relation by relation; the column that says so follows from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import Floats, Ints
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.metadata import Metadata, Relationship

if TYPE_CHECKING:
    from prefect_synth.synth.hierarchy.part import TablePart
    from prefect_synth.synth.hierarchy.plan import Plan
    from prefect_synth.synth.hierarchy.sample import Sample

_ALL = 1e-9


class Owners:
    """Which rows a conditional relation is due for.

    Args:
        metadata: The schema.
        drawn: What is sampled so far.
    """

    def __init__(self, metadata: Metadata, drawn: Sample) -> None:
        self.metadata, self.drawn = metadata, drawn
        self.relations = {r.name: r for r in metadata.relationships}

    def due(
        self, part: TablePart, relation: str, null: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """The rows that are to have a parent through `relation`, [n] bool.

        Args:
            part: The rows' table.
            relation: The relation.
            null: Rows that would rather have none by what they look for, [n].
            rng: Picks rows.

        Returns:
            As many rows as the relation has in the data, none of which has another owner; of the
            last relation all that are left, where in the data every row has one. Those that look
            for a parent where the relation has no condition.
        """
        if self.relations[relation].when is None:
            return ~null
        others = [r.name for r in alternatives(self.metadata, self.relations[relation])]
        free = np.ones(len(null), bool)
        for other in (name for name in others if name in self.drawn.links):
            free &= self.drawn.links[other] < 0
        wanted = round((1 - part.nulls[relation]) * len(null))
        if all(name in self.drawn.links for name in others):
            missing = 1 - sum(1 - part.nulls[name] for name in (*others, relation))
            owned = len(null) if missing < _ALL else round((1 - missing) * len(null))
            wanted = owned - int((~free).sum())
        first = rng.permutation(np.flatnonzero(free & ~null))
        rest = rng.permutation(np.flatnonzero(free & null))
        due = np.zeros(len(null), bool)
        due[np.concatenate([first, rest])[: max(wanted, 0)]] = True
        return due

    def filled(
        self, part: TablePart, relation: str, styles: Ints, rng: np.random.Generator
    ) -> Ints:
        """The style that each row looks for, negative where the relation is not due: [n]."""
        null = styles < 0
        return filled_in(styles, null, self.due(part, relation, null, rng), rng)


def alternatives(metadata: Metadata, relation: Relationship) -> list[Relationship]:
    """The other relations that the same key refers through."""
    return [
        r
        for r in metadata.parents(relation.child)
        if r.when is not None and r != relation and r.child_columns == relation.child_columns
    ]


def filled_in(
    wanted: Ints | Floats, null: np.ndarray, due: np.ndarray, rng: np.random.Generator
) -> Ints | Floats:
    """What rows look for, where those that are due have something to look for.

    Args:
        wanted: Style [n], or traits [n, k], of the parent that each row looks for.
        null: Rows that look for none, [n].
        due: Rows that are to have a parent, [n].
        rng: Picks the row that another one follows.
    """
    if (due == ~null).all():
        return wanted
    wanted, known = wanted.copy(), np.flatnonzero(~null)
    without = np.flatnonzero(due & null)
    wanted[without] = wanted[known[rng.integers(0, len(known), len(without))]] if len(known) else 0
    wanted[~due] = -1 if wanted.ndim == 1 else np.nan
    return wanted


def with_owner_types(
    metadata: Metadata, table: str, columns: Mapping[str, pa.Array], links: Mapping[str, Ints]
) -> dict[str, pa.Array]:
    """Columns of some rows, where the type of each owner is that of the row it refers to."""
    made = dict(columns)
    for relation in metadata.parents(table):
        if relation.when is None or relation.name not in links:
            continue
        column, value = relation.when
        if column in made:
            kind, here = made[column].type, pa.array(links[relation.name] >= 0)
            plain = made[column].cast(pa.string())
            made[column] = _of_kind(pc.if_else(here, value, plain), kind)
    return made


def _of_kind(values: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return values.cast(kind.value_type).dictionary_encode().cast(kind)
    return values.cast(kind)


def check_owners(metadata: Metadata, plan: Plan, links: Mapping[str, Ints]) -> None:
    """Refuse polymorphic references that cannot be made.

    Raises:
        SynthesisError: One refers to its own table or closes a circle, or may not be null though
            rows refer to tables that are not among its relations.
    """
    for relation in (r for r in metadata.relationships if r.when is not None):
        roles = plan.tables[relation.child]
        if relation.name in (*roles.itself, *roles.deferred):
            raise SynthesisError(
                f"The relation '{relation}' is conditional, and refers to its own table or closes "
                "a circle of tables. Remove it, or leave the column out."
            )
        child = metadata.tables[relation.child]
        nullable = all(child.columns[c].nullable for c in relation.child_columns)
        every = [relation, *alternatives(metadata, relation)]
        if not nullable and not np.any([links[r.name] >= 0 for r in every], axis=0).all():
            raise SynthesisError(
                f"The key of '{relation}' may not be null, and some rows refer to tables that no "
                "relation names. Add a relation for each value, or leave the column out."
            )
