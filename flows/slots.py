"""Names of the global concurrency limits that keep refreshes apart; no secret is in them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from prefect_synth.tasks.warehouses.url import duckdb_path, redact, scheme_of

_MOST = 120


def refresh_slot(project: str) -> str:
    """Name of the limit that lets one refresh of a project go at a time.

    Args:
        project: The project's name.
    """
    return f"synth-refresh-{project}"


def warehouse_slot(url: str) -> str:
    """Name of the limit that all projects which read a warehouse share.

    Args:
        url: The warehouse's whole address; user and password do not get into the name.

    Example:
        >>> warehouse_slot("postgresql://reader:hush@db.example.com:5432/shop?sslmode=require")
        'synth-warehouse-postgresql-db.example.com-5432-shop'
    """
    if scheme_of(url) == "duckdb":
        place = f"duckdb {duckdb_path(url)}"
    else:
        parts = urlsplit(redact(url))
        place = f"{scheme_of(url)} {parts.netloc.rpartition('@')[2]} {parts.path}"
    return "synth-warehouse-" + re.sub(r"[^A-Za-z0-9.]+", "-", place).strip("-")[-_MOST:].lower()
