"""Which server answers: two addresses that do not look alike may lead to one database."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import TupleRow

from prefect_synth.tasks.databases.address import server_uri
from prefect_synth.tasks.databases.errors import TargetUrlError

_WHO = "SELECT current_database(), pg_postmaster_start_time(), pg_is_in_recovery()"
_SYSTEM = "SELECT system_identifier FROM pg_control_system()"


@dataclass(frozen=True)
class Identity:
    """A database of a running server.

    Args:
        database: Its name.
        started: When the server was started, to the microsecond.
        is_replica: Whether it follows another one.
        system: The server's identifier, which its replicas and physical copies share; None where
            this role may not know it.
    """

    database: str
    started: datetime
    is_replica: bool
    system: int | None


def same_server(target: str, warehouse: str) -> bool:
    """Whether both servers say that they are one, or the warehouse's follows the target's.

    A physical copy of the warehouse that runs on its own is another database.

    Args:
        target: URL of the database that is fed.
        warehouse: URL of the warehouse; where it does not answer, nothing is known.
    """
    ours = _identity(target)
    theirs = _identity(warehouse) if ours is not None else None
    return ours is not None and theirs is not None and is_same(ours, theirs)


def is_same(target: Identity, warehouse: Identity) -> bool:
    """Whether two identities are one, or the warehouse's follows the target's."""
    same_system = target.system is not None and target.system == warehouse.system
    follows = warehouse.is_replica and same_system
    is_one = target.started == warehouse.started or follows
    return is_one and target.database == warehouse.database


def _identity(url: str) -> Identity | None:
    with suppress(psycopg.Error, TargetUrlError), psycopg.connect(server_uri(url)) as connection:
        row = connection.execute(_WHO).fetchone()
        return Identity(row[0], row[1], row[2], _system(connection)) if row else None
    return None


def _system(connection: psycopg.Connection[TupleRow]) -> int | None:
    with suppress(psycopg.Error):
        row = connection.execute(_SYSTEM).fetchone()
        return int(row[0]) if row else None
    return None
