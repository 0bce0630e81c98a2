"""Whose rows they are, told from the tables themselves."""

from __future__ import annotations

from collections.abc import Mapping

from prefect_synth.synth.hierarchy.plan import make_plan
from prefect_synth.synth.hierarchy.units import people_of, units_of
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.keys import parent_rows, read_references
from prefect_synth.synth.metrics.sources import Ints, Source, count_rows, read_columns


def unit_codes(
    metadata: Metadata, tables: Mapping[str, Source], table: str, unit: str | None = None
) -> Ints | None:
    """The person that each row of a table hangs on, as a number.

    Args:
        metadata: The schema.
        tables: The tables, of which keys alone are read: those above `table`, and itself.
        table: The table whose rows are asked for.
        unit: The table whose rows are people; guessed where None.

    Returns:
        A number for each row, equal for rows of one person; a row that hangs on nobody has a
        number of its own. None where the table hangs on no people.
    """
    above = metadata.subset(_with_above(metadata, table))
    rows = {name: count_rows(tables[name]) for name in metadata.tables}
    unit = unit or people_of(metadata, rows)
    if unit is None or unit not in above.tables:
        return None
    links = {}
    for relation in above.relationships:
        child = read_references(tables[relation.child], relation)
        parent = read_columns(tables[relation.parent], relation.parent_columns)
        columns = relation.child_columns, relation.parent_columns
        links[relation.name] = parent_rows(child, columns[0], parent, columns[1])[0]
    return units_of(above, make_plan(above, rows).order, rows, links, unit).get(table)


def _with_above(metadata: Metadata, table: str) -> set[str]:
    """A table and all that it hangs on."""
    found, border = {table}, [table]
    while border:
        near = {r.parent for r in metadata.parents(border.pop())}
        border += sorted(near - found)
        found |= near
    return found
