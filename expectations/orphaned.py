"""Foreign keys whose parents do not exist, where a refresh was told to clear them."""

from __future__ import annotations

from dataclasses import replace

from prefect_synth.expectations.profile import TableProfile
from prefect_synth.expectations.sides import Sides
from prefect_synth.synth.metrics.keys import read_references
from prefect_synth.synth.metrics.sources import read_columns
from prefect_synth.synth.metrics.structure import orphans


def with_cleared_orphans(profile: TableProfile, sides: Sides) -> TableProfile:
    """The profile of a real table as it is once every orphan's key is null.

    Args:
        profile: What is remembered of the table as it was read.
        sides: The tables of the judgement.
    """
    columns = dict(profile.columns)
    for relation in sides.metadata.parents(profile.table):
        child = read_references(sides.whole[relation.child], relation)
        parent = read_columns(sides.whole[relation.parent], relation.parent_columns)
        count = orphans(child, relation.child_columns, parent, relation.parent_columns)
        share = count / profile.rows if profile.rows else 0.0
        for name in relation.child_columns if count else ():
            of_column = columns[name]
            nulls, rows = min(1.0, of_column.nulls + share), of_column.rows - count
            columns[name] = replace(of_column, nulls=nulls, rows=max(0, rows))
    return replace(profile, columns=columns)
