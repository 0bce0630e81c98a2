"""An evaluation as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from prefect_synth.flows.evaluation import PROPERTIES


def render_evaluation(result: Mapping[str, Any]) -> Group:
    """Show what `evaluate_folders` returned: scores, tables, and what is structurally wrong."""
    faults = [f"[red]✗[/red] {escape(fault)}" for fault in structural_faults(result)]
    whole = "[green]✓[/green] Schemas equal, keys unique, references resolve."
    return Group(_scores(result), _tables(result), *(faults or [whole]))


def structural_faults(result: Mapping[str, Any]) -> Iterator[str]:
    """Say in sentences what is structurally wrong with the synthetic tables; nothing if sound."""
    structure = result["structure"]
    for table in structure["missing_tables"]:
        yield f"Table '{table}' is missing in the synthetic data."
    for table, differences in structure["schema_differences"].items():
        yield from (f"Table '{table}': {difference}" for difference in differences)
    for key, count in structure["key_duplicates"].items():
        if count:
            yield f"Key {key} repeats in {count:,} rows."
    for relationship, count in structure["orphans"].items():
        if count:
            yield f"Foreign key {relationship} has {count:,} rows without a parent."


def _scores(result: Mapping[str, Any]) -> Table:
    ceiling = result.get("ceiling")
    table = Table("Score", title="Fidelity (1 is best)", title_justify="left")
    for side in ("Synthetic", *(["Holdout (ceiling)"] if ceiling else [])):
        table.add_column(side, justify="right")
    for name in PROPERTIES:
        values = [result[name], *([ceiling[name]] if ceiling else [])]
        label = name.replace("_", " ").capitalize()
        style = "bold" if name == "quality" else None
        table.add_row(label, *(_share(value) for value in values), style=style)
    return table


def _tables(result: Mapping[str, Any]) -> Table:
    table = Table("Table", title="Tables", title_justify="left")
    with_holdout = "ceiling" in result
    names = ["Real rows", "Synthetic rows", "Quality", "Exact copies"]
    for name in (*names, *(["Holdout's"] if with_holdout else [])):
        table.add_column(name, justify="right")
    for name, facts in result["tables"].items():
        copies = result["privacy"]["tables"].get(name, {})
        shares = [_percent(copies.get("exact_copies"))]
        if with_holdout:
            shares.append(_percent(copies.get("exact_copies_holdout")))
        counts = (f"{count:,}" for count in facts["rows"])
        table.add_row(escape(name), *counts, _share(facts["quality"]), *shares)
    return table


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"
