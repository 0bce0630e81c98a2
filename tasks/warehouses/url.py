"""A warehouse's URL: reading it, and showing it without its password."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from prefect_synth.tasks.warehouses.errors import InvalidUrl

_USER = re.compile(r"://([^:/@?#]*):(.*)@", re.DOTALL)
_QUERY = re.compile(r"((?:ssl)?password)=[^&]*", re.IGNORECASE)
_SECRET = re.compile(r"(?:ssl)?password", re.IGNORECASE).fullmatch


def scheme_of(url: str) -> str:
    """What stands before `://`, without a driver's name: `postgresql+psycopg` is `postgresql`."""
    return url.partition("://")[0].partition("+")[0].lower() if "://" in url else ""


def redact(url: str) -> str:
    """The URL with every password masked.

    Example:
        >>> redact("postgresql://ann:s3cret@db.example/sales?sslmode=require")
        'postgresql://ann:***@db.example/sales?sslmode=require'
    """
    return _QUERY.sub(r"\1=***", _USER.sub(r"://\1:***@", url))


def scrub(message: str, url: str) -> str:
    """A driver's message with the URL's passwords masked."""
    user = _USER.search(url)  # not `urlsplit`, which some passwords that are not encoded break
    given = parse_qs(url.partition("?")[2])
    secrets = [user[2] if user else "", *(v for key in given if _SECRET(key) for v in given[key])]
    for secret in {form for s in secrets if s for form in (s, unquote(s), quote(s))}:
        message = message.replace(secret, "***")
    return " ".join(message.split())


def postgres_uri(url: str) -> str:
    """The URL as libpq reads it, with time-outs that notice a dead host.

    Raises:
        InvalidUrl: The URL cannot be split with certainty; nothing of it is repeated.
    """
    parts = _split(url)
    defaults = {"connect_timeout": "10", "keepalives_idle": "60"}
    given = parse_qs(parts.query, keep_blank_values=True)
    extra = "&".join(f"{key}={value}" for key, value in defaults.items() if key not in given)
    query = "&".join(part for part in (parts.query, extra) if part)
    return f"postgresql://{parts.netloc}{parts.path}?{query}"


def _split(url: str) -> SplitResult:
    """Split a URL; a password with a bare `/`, `@` or `#` would split in the wrong place."""
    try:
        parts = urlsplit(url)
        port_is_number = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_number = SplitResult("", "", "", "", ""), False
    if not port_is_number or "@" in parts.path + parts.query + parts.fragment or parts.fragment:
        # not `from` the cause: its text could hold a piece of the password
        raise InvalidUrl(
            "The warehouse URL cannot be read: its port is not a number, or its user or password "
            "holds one of / @ : # ? as it is. Write them percent-encoded (@ is %40, / is %2F, "
            ": is %3A, # is %23, ? is %3F)."
        )
    return parts


def duckdb_path(url: str) -> Path:
    """The database file: `duckdb:///relative.duckdb`, `duckdb:////absolute.duckdb`.

    Raises:
        InvalidUrl: The URL names no file, or carries parameters.
    """
    match = re.fullmatch(r"duckdb:///([^?]+)", url, re.IGNORECASE)
    if match is None or match[1] == ":memory:":
        raise InvalidUrl(
            f"The warehouse URL '{redact(url)}' names no DuckDB file. Write "
            "duckdb:///relative/path.duckdb or duckdb:////absolute/path.duckdb (four slashes)."
        )
    return Path(unquote(match[1])).expanduser()
