"""`prefect-synth schema`: the schema as a Mermaid drawing."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from rich.console import Console

from prefect_synth.flows.commands.answer import Answer
from prefect_synth.flows.evaluation import read_metadata
from prefect_synth.flows.refresh_setup import open_setup
from prefect_synth.synth.drawing import to_mermaid
from prefect_synth.synth.metadata import Metadata


def draw_schema(project: Path, data: Path | None) -> Answer:
    """Draw the project's schema, or that of a folder of Parquet files.

    Args:
        project: The project file, whose warehouse is asked.
        data: A folder of Parquet files to look at instead.
    """
    metadata = _reflect(project) if data is None else read_metadata(None, data)
    drawing = to_mermaid(metadata)
    return Answer(
        {"mermaid": drawing, "metadata": metadata.to_dict()},
        lambda console: _show(console, drawing),
    )


def _reflect(project: Path) -> Metadata:
    setup = open_setup(project)
    with closing(setup.open_warehouse()) as warehouse:
        return setup.reflect_and_guess(warehouse)


def _show(console: Console, drawing: str) -> None:
    console.print(drawing, markup=False, soft_wrap=True, end="")
