"""What a project file says of columns and tables that are not accepted yet."""

from __future__ import annotations

from prefect_synth.flows.project import Project, ProjectError
from prefect_synth.tasks.drift.changes import Drift


def check_held(project: Project, drift: Drift) -> None:
    """Refuse settings that would need what is not read, before they are said to name nothing.

    Args:
        project: The project file.
        drift: What moved in the warehouse.

    Raises:
        ProjectError: The message names the setting, and how to accept what it needs.
    """
    unread, held, away = set(drift.unread_tables), drift.held_columns, _away(drift)
    for name, settings in project.tables.items():
        if name in unread:
            raise _error(f"tables.{name}", name, drift)
        for column in settings.columns:
            if column in away.get(name, ()):
                raise _error(f"tables.{name}.columns.{column}", f"{name}.{column}", drift)
    for relation in project.relationships():
        sides = (
            (relation.child, relation.child_columns),
            (relation.parent, relation.parent_columns),
        )
        for table, columns in sides:
            if table in unread:
                raise _error(f"relations: '{relation}'", table, drift)
            for column in columns:
                if column in (*away.get(table, ()), *held.get(table, ())):
                    raise _error(f"relations: '{relation}'", f"{table}.{column}", drift)


def _away(drift: Drift) -> dict[str, tuple[str, ...]]:
    tables = {*drift.left_out_columns, *drift.excluded_columns}
    return {
        name: (*drift.left_out_columns.get(name, ()), *drift.excluded_columns.get(name, ()))
        for name in tables
    }


def _error(setting: str, place: str, drift: Drift) -> ProjectError:
    table, _, column = place.rpartition(".")
    gone = place in drift.excluded_tables or column in drift.excluded_columns.get(table, ())
    why = "was left out for good" if gone else "is new and not accepted"
    return ProjectError(
        f"{setting} in the project file needs '{place}', which {why}. Accept it with "
        f"`prefect-synth drift accept {place}`, or take the setting out."
    )
