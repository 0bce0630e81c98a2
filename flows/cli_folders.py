"""The commands `synthesize` and `evaluate`: folders of Parquet files, nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prefect_synth.flows.cli_options import (
    JsonOption,
)
from prefect_synth.flows.commands.answer import Answer, respond
from prefect_synth.flows.tables import Keys, OnOrphan, RuleSearch
from prefect_synth.synth.devices import Device
from prefect_synth.synth.registry import SYNTHESIZERS

folders = typer.Typer(add_completion=False)

MetadataOption = Annotated[
    Path | None, typer.Option("--metadata", help="Metadata as JSON, in our form or in SDV's.")
]


@folders.command()
def synthesize(
    data: Annotated[Path, typer.Argument(help="Folder of Parquet files, one for each table.")],
    out: Annotated[Path, typer.Argument(help="Folder to write <table>.parquet to.")],
    metadata: MetadataOption = None,
    synthesizer: Annotated[
        str,
        typer.Option(help=f"The model of a row: {', '.join(SYNTHESIZERS)}."),
    ] = "auto",
    scale: Annotated[float, typer.Option(help="Synthetic rows for each real row.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Same data, same seed: same rows.")] = 0,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", help="A reference table whose REAL rows are written as they are."),
    ] = None,
    on_orphan: Annotated[
        OnOrphan, typer.Option(help="A foreign key that refers to no row: refuse, null or drop it.")
    ] = "error",
    keys: Annotated[Keys, typer.Option(help="fresh with every seed, or stable.")] = "fresh",
    memory: Annotated[str | None, typer.Option(help="What sampling may use, as 2GB.")] = None,
    unit: Annotated[
        str | None, typer.Option(help="The table whose rows are people: rare is few of them.")
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(help="Processor seconds that auto may spend on a table; beyond, it is fast."),
    ] = None,
    rules: Annotated[
        RuleSearch, typer.Option(help="infer: find what holds on every row, and hold it; or none.")
    ] = "infer",
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes of a network over a table at most.")
    ] = None,
    max_minutes: Annotated[
        float | None, typer.Option(help="Minutes on the clock for each network.")
    ] = None,
    device: Annotated[
        Device, typer.Option(help="Where networks are trained: auto, cpu, cuda or mps.")
    ] = "auto",
    contest: Annotated[
        bool, typer.Option("--contest", help="auto tries several models on a part of each table.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Synthesize a folder of Parquet files: no Prefect, no warehouse, no bucket."""
    from prefect_synth.flows.commands.synthesize import Request, synthesize_folder
    from prefect_synth.synth.effort import Effort

    def work() -> Answer:
        effort = Effort(epochs, max_minutes, device, contest)
        request = Request(
            data, out, metadata, synthesizer, scale, seed, tuple(keep or ()), on_orphan, keys,
            memory, unit, budget, rules, effort,
        )  # fmt: skip
        return synthesize_folder(request)

    respond(as_json, work)


@folders.command()
def evaluate(
    real: Annotated[Path, typer.Argument(help="Folder of the real tables.")],
    synthetic: Annotated[Path, typer.Argument(help="Folder of the synthetic tables.")],
    metadata: MetadataOption = None,
    holdout: Annotated[
        Path | None, typer.Option(help="Folder of real tables that no synthesizer saw.")
    ] = None,
    rows: Annotated[
        int, typer.Option(min=0, help="Compare at most so many rows of a table; 0 for all.")
    ] = 20_000,
    target: Annotated[
        list[str] | None,
        typer.Option(help="table.column to predict, trained on synthetic, tested on the holdout."),
    ] = None,
    unit: Annotated[str | None, typer.Option(help="The table whose rows are people.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Score synthetic tables against real ones: fidelity, structure, privacy."""
    from prefect_synth.flows.commands.evaluate import evaluate as score

    targets = tuple(target or ())
    respond(as_json, lambda: score(real, synthetic, metadata, holdout, rows or None, targets, unit))
