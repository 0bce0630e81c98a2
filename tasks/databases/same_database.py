"""Whether two addresses lead to one database, as far as they tell."""

from __future__ import annotations

import getpass
import ipaddress
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from prefect_synth.tasks.databases.address import dialect_of, file_of, server_uri
from prefect_synth.tasks.databases.errors import TargetUrlError

_LOCAL = "this machine"
_LIBPQ = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "user": "PGUSER",
}
"""What libpq takes from the environment where a URL does not say it."""

Server = tuple[frozenset[str], str]
"""What a host may be known by, and its port."""


def same_database(one: str, other: str) -> bool:
    """Whether two URLs lead to one database: the same file, or the same server and name.

    A URL that cannot be read leads nowhere.
    """
    with suppress(TargetUrlError):
        dialect = dialect_of(one)
        if dialect != dialect_of(other):
            return False
        if dialect in ("sqlite", "duckdb"):
            return _same_file(file_of(one), file_of(other))
        places = _postgres if dialect == "postgresql" else _mysql
        with suppress(ModuleNotFoundError):  # without its driver none is fed
            (servers, name), (other_servers, other_name) = places(one), places(other)
            meet = any(_meet(s, o) for s in servers for o in other_servers)
            return name == other_name and meet
    return False


def _same_file(one: Path, other: Path) -> bool:
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


def _meet(one: Server, other: Server) -> bool:
    """Whether two servers may be one; two sockets are one if they lie in the same folder."""
    (hosts, port), (others, other_port) = one, other
    sockets, other_sockets = ({h for h in some if h.startswith("/")} for some in (hosts, others))
    if sockets and other_sockets:
        return port == other_port and bool(sockets & other_sockets)
    return port == other_port and bool(hosts & others)


def _postgres(url: str) -> tuple[list[Server], str]:
    """All servers that a URL names, as libpq reads it, and the name of the database."""
    from psycopg import ProgrammingError  # the driver need not be installed
    from psycopg.conninfo import conninfo_to_dict

    try:
        said = conninfo_to_dict(server_uri(url))
    except ProgrammingError:
        raise TargetUrlError(
            "The PostgreSQL URL cannot be read. Write postgresql://user:password@host:5432/database"
        ) from None  # its text may hold the password
    given = {key: os.environ.get(variable) for key, variable in _LIBPQ.items()}
    given |= {key: str(value) for key, value in said.items() if value}
    hosts = (given["hostaddr"] or given["host"] or "").split(",")
    ports = (given["port"] or "5432").split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    servers = [(_addresses(host), port) for host, port in zip(hosts, ports, strict=False)]
    return servers, given["dbname"] or given["user"] or getpass.getuser()


def _mysql(url: str) -> tuple[list[Server], str]:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parts = make_url(url)
    except (ArgumentError, ValueError):
        raise TargetUrlError("The MySQL URL cannot be read.") from None  # it may hold a password
    host = str(parts.query.get("unix_socket") or parts.host or "")
    return [(_addresses(host), str(parts.port or 3306))], parts.database or ""


def _addresses(host: str) -> frozenset[str]:
    """What a host may be known by; a socket without a folder of its own is this machine."""
    if host.startswith("/"):
        return frozenset({str(Path(host).resolve()), _LOCAL})
    if not host:
        return frozenset({_LOCAL})
    found = {host.lower(), *_resolved(host)}
    if any(_is_loopback(address) for address in found):
        found.add(_LOCAL)
    return frozenset(found)


def _resolved(host: str) -> Iterator[str]:
    with suppress(OSError, UnicodeError):
        for info in socket.getaddrinfo(host, None):
            yield str(info[4][0])


def _is_loopback(address: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(address).is_loopback
    return False
