"""`prefect-synth suites`: the suites as files in version control."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.console import Console
from rich.markup import escape

from prefect_synth.expectations.suite_files import (
    read_suite,
    stray_files,
    suite_file,
    write_suite,
)
from prefect_synth.expectations.suite_form import Suite
from prefect_synth.expectations.suite_generate import generate_suite
from prefect_synth.expectations.suite_merge import Merge, merge_suites
from prefect_synth.flows.commands.answer import Answer
from prefect_synth.flows.failures import GATE_FAILED
from prefect_synth.flows.refresh_setup import Setup, open_setup
from prefect_synth.flows.schema_settings import correct_meanings
from prefect_synth.synth.metadata import Column, Metadata

_WHAT = ("added", "refreshed", "kept", "dropped", "orphaned", "revived")


def generate_suites(project: Path, check: bool) -> Answer:
    """Write a suite file for every table, or merge with what is there.

    Args:
        project: The project file.
        check: Write nothing; the answer's exit code is 1 if a file would change.
    """
    setup = open_setup(project)
    folder = setup.base / setup.project.suites.folder
    metadata, schemas = _schema(setup)
    tables = {}
    for name in metadata.tables:
        path = suite_file(folder, name)
        file = read_suite(path)
        merge = _merge(setup, file, metadata, schemas[name], name)
        changed = file != merge.suite  # whoever writes JSON another way need not be corrected
        if changed and not check:
            write_suite(path, merge.suite)
        tables[name] = _told(merge, path, changed)
    document = {
        "folder": str(folder),
        "tables": tables,
        "stray": [str(path) for path in stray_files(folder, metadata.tables)],
        "up_to_date": not any(table["changed"] for table in tables.values()),
        "written": not check,
    }
    stale = check and not document["up_to_date"]
    return Answer(document, lambda c: _show(c, document), GATE_FAILED if stale else 0)


def _merge(
    setup: Setup, file: Suite | None, metadata: Metadata, schema: pa.Schema, table: str
) -> Merge:
    gates = setup.project.table_gates().get(table, setup.project.gates)
    fresh = generate_suite(metadata.tables[table], metadata, schema, gates)
    return merge_suites(file, fresh, metadata.tables)


def _schema(setup: Setup) -> tuple[Metadata, dict[str, pa.Schema]]:
    """The catalogue as it is now, with what the last refresh saw in the rows."""
    with closing(setup.open_warehouse()) as warehouse:
        metadata = setup.reflect_and_guess(warehouse)
        schemas = warehouse.schemas(metadata)
    seen = _last_seen(setup)
    if seen is not None:
        metadata = correct_meanings(_with_meanings(metadata, seen), setup.project)
    return metadata, schemas


def _last_seen(setup: Setup) -> Metadata | None:
    files = [run.folder / "metadata.json" for run in setup.staging.runs()]
    newest = [file for file in files if file.is_file()][-1:]
    if not newest:
        return None
    return Metadata.from_dict(json.loads(newest[0].read_text(encoding="utf-8")))


def _with_meanings(metadata: Metadata, seen: Metadata) -> Metadata:
    tables = {
        name: replace(
            table,
            columns={
                column.name: _with_meaning(column, seen.tables[name].columns.get(column.name))
                for column in table.columns.values()
            },
        )
        if name in seen.tables
        else table
        for name, table in metadata.tables.items()
    }
    return replace(metadata, tables=tables)


def _with_meaning(column: Column, seen: Column | None) -> Column:
    if seen is None:
        return column
    return replace(seen, nullable=column.nullable, categories=column.categories)


def _told(merge: Merge, path: Path, changed: bool) -> dict[str, Any]:
    lists = {what: list(getattr(merge, what)) for what in _WHAT}
    return {"file": str(path), "changed": changed, **lists}


def _show(console: Console, document: Mapping[str, Any]) -> None:
    for name, table in document["tables"].items():
        counts = ", ".join(f"{len(table[what])} {what}" for what in _WHAT if table[what])
        mark = "[green]✓[/]" if not table["changed"] else "[yellow]~[/]"
        console.print(f"{mark} {escape(name):<24} {counts or 'nothing new'}", soft_wrap=True)
        for one in table["orphaned"]:
            console.print(f"    orphaned: {escape(one)}: its column or table is gone; disabled")
    for path in document["stray"]:
        console.print(f"[yellow]![/] {escape(path)}: there is no such table", soft_wrap=True)
    if document["up_to_date"]:
        console.print(f"\nAll suites in {escape(document['folder'])} are up to date.")
    elif document["written"]:
        console.print(f"\nWritten to {escape(document['folder'])}. Look at the diff and commit it.")
    else:
        console.print("\nNot up to date: prefect-synth suites generate", style="red")
