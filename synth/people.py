"""Whose rows they are, told from the tables themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prefect_synth.synth.descent import tables_above
from prefect_synth.synth.hierarchy.plan import make_plan
from prefect_synth.synth.hierarchy.units import units_of
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.side import read_parents
from prefect_synth.synth.metrics.sources import Ints, Source, count_rows


def unit_codes(
    metadata: Metadata, tables: Mapping[str, Source], table: str, units: Sequence[str]
) -> Ints | None:
    """The root entity, such as a person, that each row of a table hangs on, as a number.

    Args:
        metadata: The schema.
        tables: The tables, of which keys alone are read: those above `table`, and itself.
        table: The table whose rows are asked for.
        units: The tables whose rows are root entities.

    Returns:
        A number for each row, equal for rows of one entity; a row that hangs on none has a number
        of its own. None where the table hangs on no such table.
    """
    above = metadata.subset(tables_above(metadata, table))
    unit = next((name for name in units if name in above.tables), None)
    if unit is None:
        return None
    rows = {name: count_rows(tables[name]) for name in above.tables}
    links = {r.name: read_parents(r, tables) for r in above.relationships}
    return units_of(above, make_plan(above, rows).order, rows, links, unit).get(table)
