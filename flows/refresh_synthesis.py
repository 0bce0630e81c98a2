"""What the project file says of a synthesis."""

from __future__ import annotations

from pathlib import Path

from prefect_synth.flows.private_settings import privacy_of
from prefect_synth.flows.project import Project
from prefect_synth.tasks.references import TableRef
from prefect_synth.tasks.synthesis import Synthesis


def synthesis_of(project: Project, metadata: Path, tables: tuple[TableRef, ...]) -> Synthesis:
    """What models are trained from.

    Args:
        project: The project file.
        metadata: JSON file of the schema, in staging.
        tables: The staged real tables.
    """
    models = {name: table.model for name, table in project.tables.items() if table.model}
    return Synthesis(
        metadata=metadata,
        tables=tables,
        model=project.defaults.model,
        models={name: model for name, model in models.items() if model != "copy"},
        seed=project.run.seed,
        keep=project.copied(),
        on_orphan=project.defaults.on_orphan,
        locale=project.defaults.locale,
        marginals=project.marginals(),
        rules=project.rules(),
        infer_rules=project.defaults.rules == "infer",
        keys=project.defaults.keys,
        unit=project.privacy.unit,
        budget_seconds=project.run.budget_seconds,
        privacy=privacy_of(project),
        effort=project.run.training.effort(),
        memory=project.run.memory,
    )
