"""What the project file says of differential privacy, and whether the schema can be had so."""

from __future__ import annotations

from prefect_synth.flows.project import Project
from prefect_synth.synth.hierarchy.settings import HierarchySettings
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.privacy.planning import table_costs
from prefect_synth.synth.privacy.settings import DifferentialPrivacy
from prefect_synth.synth.registry import resolve


def privacy_of(project: Project) -> DifferentialPrivacy | None:
    """What the project file says of differential privacy; None where it asks for none.

    Args:
        project: The project file.
    """
    asked = project.privacy
    if asked.epsilon is None:
        return None
    columns = {
        f"{name}.{column}": settings
        for name, table in project.tables.items()
        for column, settings in table.columns.items()
    }
    return DifferentialPrivacy(
        asked.epsilon,
        asked.delta,
        asked.rows_per_unit,
        bounds={place: c.known_bounds for place, c in columns.items() if c.known_bounds},
        categories={place: c.categories for place, c in columns.items() if c.categories},
    )


def check_private(metadata: Metadata, project: Project) -> None:
    """See that every table can be learned with differential privacy, where that is asked for.

    Args:
        metadata: The schema to synthesize.
        project: The project file.

    Raises:
        RequestError: A table, or a setting, cannot be had so.
    """
    privacy = privacy_of(project)
    if privacy is None:
        return
    models = {t.model for t in project.tables.values() if t.model not in (None, "copy")}
    for model in {project.defaults.model, *models}:
        settings = HierarchySettings(
            resolve(str(model)),
            keep=project.copied(),
            rules=project.rules() or "none",
            unit=project.privacy.unit,
            privacy=privacy,
        )
        table_costs(metadata, settings)
