"""Foreign keys that a database does not check by itself are checked by a query."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prefect_synth.tasks.databases.errors import RowsRefusedError
from prefect_synth.tasks.databases.existing import TargetKey
from prefect_synth.tasks.databases.job import Job

Quote = Callable[[str], str]


def orphan_query(key: TargetKey, child: str, parent: str, quoted: Quote, locking: str = "") -> str:
    """SQL that finds a row whose foreign key is not null and refers to nothing.

    Args:
        key: The foreign key.
        child: The quoted name of the table that refers.
        parent: The quoted name of the table that is referred to.
        quoted: How the dialect quotes a name.
        locking: What locks the rows that are read, so that no other session changes them.
    """
    pairs = zip(key.columns, key.parent_columns, strict=True)
    matches = " AND ".join(f"p.{quoted(p)} = c.{quoted(c)}" for c, p in pairs)
    filled = " AND ".join(f"c.{quoted(column)} IS NOT NULL" for column in key.columns)
    return (
        f"SELECT 1 FROM {child} c WHERE {filled} AND NOT EXISTS "
        f"(SELECT 1 FROM {parent} p WHERE {matches}{locking}) LIMIT 1{locking}"
    )


def keys_of(job: Job) -> Sequence[TargetKey]:
    """All foreign keys that must hold: the snapshot's own, and those from and to fed tables."""
    planned = (
        TargetKey(
            job.place(job.plan[key.child]),
            tuple(job.columns[key.child].get(c, c) for c in key.child_columns),
            job.place(job.plan[key.parent]),
            tuple(job.columns[key.parent].get(c, c) for c in key.parent_columns),
        )
        for key in job.plan.foreign_keys
        if set(key.child_columns) <= job.columns[key.child].keys()
        and set(key.parent_columns) <= job.columns[key.parent].keys()
    )
    return tuple(dict.fromkeys((*planned, *job.touched_keys())))


def orphaned(key: TargetKey) -> RowsRefusedError:
    """The error for a foreign key that does not hold."""
    return RowsRefusedError(
        f"Rows of table '{key.child}' refer by {', '.join(key.columns)} to rows of '{key.parent}' "
        "that are not there. Feed both tables, or use the mode replace."
    )
