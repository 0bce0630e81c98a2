"""Test-data contracts against catalogue and files, and against what columns turn out to mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from prefect_synth.flows.project import Project
from prefect_synth.flows.refresh_setup import Setup
from prefect_synth.synth.errors import ContractError
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.pins.keys import check_own_keys, check_references
from prefect_synth.synth.pins.reading import read_pins
from prefect_synth.synth.scenarios.balance import check_balances
from prefect_synth.synth.scenarios.matching import check_types
from prefect_synth.synth.scenarios.scenario import check_scenarios


def check_contracts(setup: Setup, metadata: Metadata, schemas: Mapping[str, pa.Schema]) -> None:
    """Check contracts as far as catalogue, names and files tell, before anything is pulled.

    Args:
        setup: The project and its places.
        metadata: The schema, with a guess of what is personal.
        schemas: The Arrow schema of each table.

    Raises:
        ContractError: A scenario or a balanced table asks what cannot be asked; a constant or a
            pinned row is none of the table's, or breaks a key.
    """
    setup = setup.about(metadata)
    project = setup.project
    check_meanings(project, metadata)
    check_types(project.scenarios(), schemas)
    files = pinned_files(setup)
    for table in files:
        if table in project.copied():
            raise ContractError(
                f"tables.{table}.pin: the table's rows are published as they are, so that none can "
                "be pinned. Take the pin away, or give the table another model."
            )
    pins = {
        table: read_pins(path, file, metadata.tables[table], schemas[table])
        for table, (file, path) in files.items()
    }
    for one in pins.values():
        check_own_keys(one)
    if project.defaults.keys == "fresh":  # those of kept tables are not yet read
        kept = project.copied()
        known = tuple(r for r in metadata.relationships if r.parent not in kept)
        check_references(replace(metadata, relationships=known), pins, {}, {})


def check_meanings(project: Project, metadata: Metadata) -> None:
    """Check scenarios and balanced tables against what columns mean.

    Args:
        project: The project file.
        metadata: The schema, as it is guessed or as rows have shown it.

    Raises:
        ContractError: One names what does not exist, or asks what cannot be asked.
    """
    check_scenarios(metadata, project.scenarios(), project.copied())
    check_balances(metadata, project.balances(), project.copied())


def pinned_files(setup: Setup) -> dict[str, tuple[str, Path]]:
    """By table, a file of pinned rows: as the project file names it, and where it is."""
    return {
        name: (table.pin, setup.base / table.pin)
        for name, table in setup.project.tables.items()
        if table.pin is not None
    }
