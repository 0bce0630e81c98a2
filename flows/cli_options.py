"""Options that several commands of `prefect-synth` have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ProjectOption = Annotated[
    Path, typer.Option("--project", "-p", help="The project file, or the folder of synth.yaml.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print exactly one JSON document.")]
SnapshotArgument = Annotated[str, typer.Argument(help="Name of the snapshot, or 'latest'.")]
SandboxOption = Annotated[
    str | None,
    typer.Option("--sandbox", help="A sandbox's address, instead of a project file."),
]
EndpointOption = Annotated[
    str | None, typer.Option("--endpoint-url", help="S3 server of --sandbox, if not Amazon's.")
]

HERE = Path()
