"""Tables that are made anew lie in a schema of their own until they take the old ones' places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg

from prefect_synth.tasks.databases import ddl
from prefect_synth.tasks.databases.errors import TargetSchemaError
from prefect_synth.tasks.databases.job import Job
from prefect_synth.tasks.databases.plan import Place
from prefect_synth.tasks.databases.postgres_ddl import PostgresSpelling
from prefect_synth.tasks.databases.postgres_names import shortened

_PREFIX = "prefect_synth "


def aside(job: Job) -> Job:
    """The same job with all tables elsewhere, if any is made anew; nobody sees them there."""
    if not job.remade:
        return job
    tables = tuple(replace(table, place=_elsewhere(table.place)) for table in job.plan.tables)
    return replace(job, plan=replace(job.plan, tables=tables), remade=())


def check_schemas(connection: psycopg.Connection[Any], job: Job) -> None:
    """See that no schema has the name of one that lasts until the tables change places.

    Raises:
        TargetSchemaError: There is one; it may be somebody's, so it is neither used nor dropped.
    """
    wanted = {str(table.place.schema) for table in aside(job).plan.tables} if job.remade else set()
    query = "SELECT nspname FROM pg_namespace WHERE nspname = ANY (%s)"
    for (schema,) in connection.execute(query, [list(wanted)]).fetchall():
        raise TargetSchemaError(
            f"Schema '{schema}' is in the database already, and tables that are made anew would "
            "lie in a schema of that name. Drop or rename it, or let existing tables stay "
            "(create: missing)."
        )


def take_places(spelling: PostgresSpelling, old: Sequence[Place], job: Job) -> list[str]:
    """The statements that drop the old tables and move the new ones there.

    Readers wait for these few statements alone; keys, indexes and sequences move along. To a
    transaction of REPEATABLE READ that began before and comes to a table after, it is empty.

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
    return Place(shortened(f"{_PREFIX}{place.schema}"), place.name)
