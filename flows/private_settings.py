"""What the project file says of differential privacy, and whether the schema can be had so."""

from __future__ import annotations

from prefect_synth.flows.project import Project
from prefect_synth.synth.hierarchy.settings import HierarchySettings
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.privacy.ledger import Charge
from prefect_synth.synth.privacy.planning import charges, table_costs
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
    if project.privacy.epsilon is not None:
        for table in metadata.tables:
            table_costs(metadata, _settings(project, table))


def all_charges(metadata: Metadata, project: Project, source: str) -> list[Charge]:
    """What a training of all tables would cost.

    Args:
        metadata: The schema to synthesize.
        project: The project file, with `privacy.epsilon`.
        source: Where the tables are, without secrets.
    """
    return [
        charge
        for table in metadata.tables
        for charge in charges(metadata, _settings(project, table), source)
        if charge.table == table
    ]


def _settings(project: Project, table: str) -> HierarchySettings:
    """How a table is learned, as far as its costs depend on it."""
    own = project.tables[table].model if table in project.tables else None
    model = own if own not in (None, "copy") else project.defaults.model
    return HierarchySettings(
        resolve(str(model)),
        keep=project.copied(),
        rules=project.rules() or "none",
        unit=project.privacy.unit,
        privacy=privacy_of(project),
    )
