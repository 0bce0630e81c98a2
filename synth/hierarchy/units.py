"""Whose rows they are: the person that each row of a table hangs on, where people are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from prefect_synth.synth.descent import tables_below
from prefect_synth.synth.encoding.layout import RARE, Ints
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.pii.names import is_person_table

_FEWEST = 4 * RARE


def units_of(
    metadata: Metadata,
    order: Sequence[str],
    rows: Mapping[str, int],
    links: Mapping[str, Ints],
    unit: str | None,
) -> dict[str, Ints]:
    """The unit of privacy that each row belongs to, for the unit's table and all that hang on it.

    What is rare is then counted in people rather than in rows: a category that one customer has
    in a hundred orders is that customer's alone.

    Args:
        metadata: The schema.
        order: Tables, parents first.
        rows: Rows by table.
        links: Parent row of each row, by relation, negative for none.
        unit: The table whose rows are people; None where it is not known.

    Raises:
        SynthesisError: There is no such table.
    """
    if unit is None:
        return {}
    if unit not in metadata.tables:
        raise SynthesisError(
            f"The unit of privacy is '{unit}', but there is no such table. Use one of: "
            f"{', '.join(metadata.tables)}."
        )
    found = {unit: np.arange(rows[unit])}
    for name in order:
        ways = [r for r in metadata.parents(name) if r.parent in found and r.parent != name]
        if name in found or not ways:
            continue
        # of several ways up the one that tells most people apart: an order's customer, not its shop
        reached = [_reached(links[r.name], found[r.parent]) for r in ways]
        found[name] = max(reached, key=lambda people: len(np.unique(people)))
    return found


def _reached(link: Ints, people: Ints) -> Ints:
    """The unit of each row; one that hangs on nobody counts for itself."""
    alone = -1 - np.arange(len(link))
    return np.where(link < 0, alone, people[np.maximum(link, 0)]) if len(people) else alone


def guessed_units(
    metadata: Metadata,
    order: Sequence[str],
    rows: Mapping[str, int],
    links: Mapping[str, Ints],
) -> dict[str, Ints]:
    """As `units_of`, by a guess; of tables that hang on a handful of people it says nothing."""
    found = units_of(metadata, order, rows, links, people_of(metadata, rows))
    return {name: people for name, people in found.items() if len(np.unique(people)) >= _FEWEST}


def people_of(metadata: Metadata, rows: Mapping[str, int]) -> str | None:
    """The table whose rows seem to be people: named so, or else with personal data.

    A guess for schemas of which nobody said it, of several the one most hangs on; None where no
    table looks like people.

    Args:
        metadata: The schema.
        rows: Rows by table; among a handful of people everything would be rare.
    """
    people = [t for t in metadata.tables if rows[t] >= _FEWEST and _are_people(metadata, t)]
    return max(
        people,
        key=lambda t: (is_person_table(t), len(tables_below(metadata, t)), t),
        default=None,
    )


def _are_people(metadata: Metadata, table: str) -> bool:
    columns = metadata.tables[table].columns.values()
    return is_person_table(table) or any(c.is_personal for c in columns)
