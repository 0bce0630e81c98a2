"""Tables that are made anew lie in a schema of their own until they take the old ones' places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from prefect_synth.tasks.databases import ddl
from prefect_synth.tasks.databases.job import Job
from prefect_synth.tasks.databases.plan import Place
from prefect_synth.tasks.databases.postgres_ddl import PostgresSpelling

_PREFIX = "prefect_synth "
_LONGEST_NAME = 63


def aside(job: Job) -> Job:
    """The same job with all tables elsewhere, if any is made anew; nobody sees them there."""
    if not job.remade:
        return job
    tables = tuple(replace(table, place=_elsewhere(table.place)) for table in job.plan.tables)
    return replace(job, plan=replace(job.plan, tables=tables), remade=())


def take_places(spelling: PostgresSpelling, old: Sequence[Place], job: Job) -> list[str]:
    """The statements that drop the old tables and move the new ones there.

    Readers wait for these few statements alone; keys, indexes and sequences move along.

    Args:
        spelling: PostgreSQL's.
        old: The tables that go.
        job: The job with the new tables where they lie until now.
    """
    gone = ", ".join(ddl.at(spelling, place) for place in old)
    moves = [
        f"ALTER TABLE {ddl.at(spelling, table.place)} SET SCHEMA "
        f"{spelling.quoted(spelling.homes[str(table.place.schema)])}"
        for table in job.plan.tables
    ]
    schemas = (f"DROP SCHEMA {spelling.quoted(schema)}" for schema in spelling.homes)
    return [f"DROP TABLE {gone}", *moves, *schemas]


def _elsewhere(place: Place) -> Place:
    return Place(f"{_PREFIX}{place.schema}"[:_LONGEST_NAME], place.name)
