"""`prefect-synth init`: scaffold a project from a warehouse's catalogue."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr
from rich.console import Console
from rich.markup import escape

from prefect_synth.flows.commands.answer import Answer
from prefect_synth.flows.commands.typed import typed
from prefect_synth.flows.demo import HOUSEHOLDS, build_demo_warehouse
from prefect_synth.flows.project import ProjectError, project_file
from prefect_synth.flows.scaffold import scaffold
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.pii.review import Review, review, with_findings
from prefect_synth.tasks.connections import open_project_warehouse
from prefect_synth.tasks.drift.facts import SchemaFacts, schema_facts
from prefect_synth.tasks.drift.lock import Lock, lock_file, write_lock
from prefect_synth.tasks.review import sample_rows
from prefect_synth.tasks.settings import WarehouseSettings
from prefect_synth.tasks.warehouses.choice import choose_tables
from prefect_synth.tasks.warehouses.url import redact

URL_VARIABLE = "SYNTH_WAREHOUSE_URL"
"""Environment variable by which a scaffolded project names a URL that holds a password."""

_DEMO = "shop.duckdb"


def init_demo(project: Path, full: bool) -> Answer:
    """Build the demo warehouse, and a project for it unless there is one.

    Args:
        project: The project file to write, or its folder.
        full: Whether to load every household.
    """
    file = _new_file(project)
    rows = build_demo_warehouse(file.parent / _DEMO, None if full else HOUSEHOLDS)
    kept = file.exists()
    if not kept:
        _write(file, f"duckdb:///{_DEMO}", f"duckdb:///{_DEMO}", "shop")
    return _answer(file, rows, kept, warehouse=str(file.parent / _DEMO))


def init_from(project: Path, url: str) -> Answer:
    """Write a project for the warehouse at `url`.

    Args:
        project: The project file to write, or its folder.
        url: The warehouse's URL; a password goes into an environment variable, not into the file.
    """
    file = _new_file(project)
    if file.exists():
        raise ProjectError(
            f"There is a project file '{file}' already. Move it away, or name another with "
            "--project."
        )
    secret = redact(url) != url
    rows = _write(file, url, f"${{{URL_VARIABLE}}}" if secret else url, _name(url))
    return _answer(file, rows, kept=False, variable=URL_VARIABLE if secret else None)


def _new_file(project: Path) -> Path:
    if project.suffix not in {".yaml", ".yml"}:
        project.mkdir(parents=True, exist_ok=True)
    return project_file(project)


def _write(file: Path, url: str, shown: str, project: str) -> Mapping[str, int]:
    metadata, rows, found, facts = _look(url, file.parent)
    file.parent.mkdir(parents=True, exist_ok=True)
    text = scaffold(project, shown, "sandbox", metadata, rows, found)
    file.write_text(text, encoding="utf-8")
    write_lock(lock_file(file), Lock(tables=dict(facts)))
    return rows


def _look(url: str, base: Path) -> tuple[Metadata, Mapping[str, int], Review, SchemaFacts]:
    """The catalogue, the tables' sizes, what a few rows tell of people, and what is locked."""
    settings = WarehouseSettings(url=SecretStr(url))
    with closing(open_project_warehouse(settings, base)) as warehouse:
        metadata = warehouse.reflect()
        with warehouse.snapshot() as snapshot:
            counts = {table: snapshot.count(table) for table in metadata.tables}
            found = review(metadata, sample_rows(warehouse, snapshot, metadata, counts))
        catalogue = warehouse.catalogue()
        facts = schema_facts(catalogue, choose_tables(catalogue))
    return with_findings(metadata, found), counts, found, facts


def _name(url: str) -> str:
    last = Path(urlsplit(url).path).stem.lower()
    return re.sub(r"[^a-z0-9]+", "-", last).strip("-") or "shop"


def _answer(file: Path, rows: Mapping[str, int], kept: bool, **more: str | None) -> Answer:
    document = {"project": str(file), "kept": kept, "tables": dict(rows), **more}
    return Answer(document, lambda console: _show(console, document))


def _show(console: Console, document: Mapping[str, Any]) -> None:
    tables = document["tables"]
    if document.get("warehouse"):
        _said(console, "created", document["warehouse"], "real retail data: The Complete Journey")
    _said(console, "kept" if document["kept"] else "created", document["project"])
    if not document["kept"]:
        _said(console, "created", str(lock_file(Path(document["project"]))), "what is accepted")
    console.print(f"          {len(tables)} tables, {sum(tables.values()):,} rows")
    for name, rows in tables.items():
        console.print(f"          {escape(name):<24}{rows:>12,}")
    if document.get("variable"):
        console.print(
            f"\nThe URL holds a password, so it is not in the file. Set it first:\n"
            f"  export {document['variable']}=..."
        )
    folder = Path(os.path.relpath(Path(document["project"]).parent))
    check, refresh = (escape(typed(command, folder)) for command in ("check", "refresh"))
    console.print(f"\nNext: [bold]{check}[/], then [bold]{refresh}[/]", soft_wrap=True)


def _said(console: Console, verb: str, path: str, more: str = "") -> None:
    console.print(f"[green]{verb:<9}[/] {escape(path)}  [dim]{more}[/]", soft_wrap=True)
