"""Foreign keys whose parents do not exist, where a refresh was told to clear them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from prefect_synth.expectations.profile import TableProfile
from prefect_synth.expectations.sides import Sides
from prefect_synth.synth.metrics.keys import read_references
from prefect_synth.synth.metrics.sources import read_columns
from prefect_synth.synth.metrics.structure import orphan_rows


def with_cleared_orphans(profile: TableProfile, sides: Sides) -> TableProfile:
    """The profile of a real table as it is once every orphan's key is null.

    A row counts once in each column, however many of its keys share the column. Columns that may
    not be null are not cleared: the others of their key say that it is null.

    Args:
        profile: What is remembered of the table as it was read.
        sides: The tables of the judgement.
    """
    columns = dict(profile.columns)
    for name, rows in _cleared(profile.table, sides).items():
        count, of_column = int(np.count_nonzero(rows)), columns[name]
        if count:
            nulls = min(1.0, of_column.nulls + count / len(rows))
            columns[name] = replace(of_column, nulls=nulls, rows=max(0, of_column.rows - count))
    return replace(profile, columns=columns)


def _cleared(table: str, sides: Sides) -> dict[str, npt.NDArray[np.bool_]]:
    """The rows of each column whose key is cleared through any of its foreign keys."""
    meaning = sides.metadata.tables[table].columns
    cleared: dict[str, npt.NDArray[np.bool_]] = {}
    for relation in sides.metadata.parents(table):
        child = read_references(sides.whole[table], relation)
        parent = read_columns(sides.whole[relation.parent], relation.parent_columns)
        rows = orphan_rows(child, relation.child_columns, parent, relation.parent_columns)
        for name in relation.child_columns:
            if meaning[name].nullable:
                cleared[name] = cleared[name] | rows if name in cleared else rows
    return cleared
