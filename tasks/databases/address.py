"""The address of a database: reading it, showing it, and telling whether two are one."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qs, quote, unquote, urlsplit

from prefect_synth.tasks.databases.errors import TargetUrlError
from prefect_synth.tasks.warehouses.errors import InvalidUrl
from prefect_synth.tasks.warehouses.url import duckdb_path, postgres_uri, redact, scheme_of

DIALECTS = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
    "duckdb": "duckdb",
}
"""Dialect by scheme of a URL."""

_PORTS = {"postgresql": 5432, "mysql": 3306}
_LOCAL = "this machine"
Read = TypeVar("Read")


def dialect_of(url: str) -> str:
    """The dialect that a URL means.

    Raises:
        TargetUrlError: It is none that can be fed; nothing of the URL but its scheme is repeated.
    """
    scheme = scheme_of(url)
    if scheme not in DIALECTS:
        raise TargetUrlError(
            f"A database of kind '{scheme or 'none'}' cannot be fed. Write a URL that begins with "
            "postgresql://, mysql://, sqlite:/// or duckdb:///."
        )
    return DIALECTS[scheme]


def file_of(url: str) -> Path:
    """The file of an SQLite or DuckDB database.

    Raises:
        TargetUrlError: The URL names no file, or carries parameters.
    """
    if dialect_of(url) == "duckdb":
        return _read(duckdb_path, url)
    match = re.fullmatch(r"sqlite(?:\+pysqlite)?:///([^?]+)", url, re.IGNORECASE)
    if match is None or match[1] == ":memory:":
        raise TargetUrlError(
            f"The URL '{redact(url)}' names no SQLite file. Write sqlite:///relative/path.db or "
            "sqlite:////absolute/path.db (four slashes)."
        )
    return Path(unquote(match[1])).expanduser()


def based_at(url: str, base: Path) -> str:
    """The URL with the path of a file made absolute.

    Args:
        url: A database's URL.
        base: Folder where relative paths start.
    """
    dialect = dialect_of(url)
    if dialect not in ("sqlite", "duckdb"):
        return url
    return f"{dialect}:///{quote(str(base.absolute() / file_of(url)))}"


def server_uri(url: str) -> str:
    """The URL of a PostgreSQL database as libpq reads it.

    Raises:
        TargetUrlError: It cannot be split with certainty; nothing of it is repeated.
    """
    return _read(postgres_uri, url)


def same_database(one: str, other: str) -> bool:
    """Whether two URLs lead to one database: the same file, or the same server and name."""
    with suppress(TargetUrlError):
        if dialect_of(one) != dialect_of(other):
            return False
        if dialect_of(one) in ("sqlite", "duckdb"):
            return file_of(one).resolve() == file_of(other).resolve()
        (hosts, *rest), (other_hosts, *other_rest) = _server(one), _server(other)
        return rest == other_rest and _meet(hosts, other_hosts)
    return False


def _meet(hosts: frozenset[str], others: frozenset[str]) -> bool:
    """Whether two hosts may be one; two sockets are one if they lie in the same folder."""
    sockets, other_sockets = ({h for h in some if h.startswith("/")} for some in (hosts, others))
    if sockets and other_sockets:
        return bool(sockets & other_sockets)
    return bool(hosts & others)


def _server(url: str) -> tuple[frozenset[str], int, str]:
    parts = urlsplit(url)
    given = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    host = given.get("host") or given.get("unix_socket") or parts.hostname or ""
    port = int(given.get("port") or parts.port or _PORTS[dialect_of(url)])
    name = given.get("dbname") or unquote(parts.path.lstrip("/")) or unquote(parts.username or "")
    return _addresses(unquote(host)), port, name


def _addresses(host: str) -> frozenset[str]:
    """What a host may be known by; a socket without a folder of its own is this machine."""
    if host.startswith("/"):
        return frozenset({str(Path(host).resolve()), _LOCAL})
    if not host:
        return frozenset({_LOCAL})
    found = {host.lower()}
    with suppress(OSError):
        found |= {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    if any(_is_loopback(address) for address in found):
        found.add(_LOCAL)
    return frozenset(found)


def _is_loopback(address: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(address).is_loopback
    return False


def _read(reader: Callable[[str], Read], url: str) -> Read:
    try:
        return reader(url)
    except InvalidUrl as error:
        raise TargetUrlError(str(error).replace("warehouse", "database")) from None
