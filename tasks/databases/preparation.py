"""What has to be known before a database is touched: the order, the columns, what is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa

from prefect_synth.synth.metadata import Relationship
from prefect_synth.tasks.databases.errors import FeedRequestError, TargetSchemaError
from prefect_synth.tasks.databases.existing import Existing, fitted
from prefect_synth.tasks.databases.job import Create, Job, Mode
from prefect_synth.tasks.databases.plain import is_list
from prefect_synth.tasks.databases.plan import Place, Plan, PlannedTable, enforceable, grouped
from prefect_synth.tasks.databases.target import Target
from prefect_synth.tasks.snapshots.reading_snapshot import Snapshot


def prepared(
    target: Target,
    snapshot: Snapshot,
    schemas: Mapping[str, pa.Schema],
    schema: str | None,
    mode: Mode,
    create: Create,
    leave_out: bool,
) -> Job:
    """Look at a database, and plan what is fed into it.

    Args:
        target: The open database.
        snapshot: What to load.
        schemas: The Arrow schema of each table that is fed.
        schema: The schema for all tables; None for each table's own.
        mode: What becomes of rows that are there.
        create: Whether missing tables, none, or all are made.
        leave_out: Whether columns that an existing table lacks are left out, not refused.

    Raises:
        FeedRequestError: What is asked for cannot be done.
        TargetSchemaError: An existing table does not fit.
    """
    places = target.places(snapshot.tables, schema)
    existing = target.reflect([places[name] for name in schemas])
    plan = _plan(snapshot, schemas, places, existing)
    _check_created(plan, existing, create)
    remade = _remade(plan, existing) if create == "always" else ()
    existing = Existing(folds_case=existing.folds_case) if create == "always" else existing
    return Job(snapshot, plan, mode, existing, _columns(plan, existing, leave_out), remade)


def _plan(
    snapshot: Snapshot,
    schemas: Mapping[str, pa.Schema],
    places: Mapping[str, Place],
    existing: Existing,
) -> Plan:
    metadata = snapshot.metadata.subset(schemas)
    foreign_keys = enforceable(metadata, schemas)
    order = [name for name in snapshot.tables if name in schemas]
    also = _keys_of_existing({name: places[name] for name in order}, existing)
    groups = grouped(order, (*foreign_keys, *also))
    tables = (
        PlannedTable(
            name,
            places[name],
            metadata.tables[name],
            schemas[name],
            int(snapshot.manifest["tables"][name]["rows"]),
        )
        for group in groups
        for name in group
    )
    plan = Plan(tuple(tables), foreign_keys, groups)
    _check_types(plan)
    return plan


def _keys_of_existing(places: Mapping[str, Place], existing: Existing) -> Iterator[Relationship]:
    """The foreign keys between existing tables; the snapshot need not know them."""
    found = {name: existing.find(place) for name, place in places.items()}
    names = {table.place: name for name, table in found.items() if table is not None}
    for key in existing.foreign_keys:
        child, parent = existing.find(key.child), existing.find(key.parent)
        if child and parent and {child.place, parent.place} <= names.keys():
            own, other = names[child.place], names[parent.place]
            yield Relationship(own, key.columns, other, key.parent_columns)


def _check_types(plan: Plan) -> None:
    for table in plan.tables:
        for field in table.schema:
            kind = field.type.value_type if is_list(field.type) else field.type
            if pa.types.is_nested(kind):
                raise FeedRequestError(
                    f"Column '{table.name}.{field.name}' has the type {field.type}, which cannot be"
                    " fed. Leave its table out with `tables`, or the column out of the project."
                )


def _check_created(plan: Plan, existing: Existing, create: Create) -> None:
    for table in plan.tables:
        if create == "never" and existing.find(table.place) is None:
            raise TargetSchemaError(
                f"Table '{table.place}' is not in the database. Create it, or let missing tables "
                "be created (create: missing)."
            )


def _remade(plan: Plan, existing: Existing) -> tuple[Place, ...]:
    """The tables that are made anew; none may have to hold up another that stays."""
    found = tuple(t.place for table in plan.tables if (t := existing.find(table.place)))
    for key in existing.foreign_keys:
        if key.parent in found and key.child not in found:
            raise FeedRequestError(
                f"Table '{key.child}' refers to '{key.parent}' and is not fed, so '{key.parent}' "
                "cannot be made anew. Feed it too, or let existing tables stay (create: missing)."
            )
    return found


def _columns(plan: Plan, existing: Existing, leave_out: bool) -> Mapping[str, Mapping[str, str]]:
    columns: dict[str, Mapping[str, str]] = {}
    for table in plan.tables:
        found = existing.find(table.place)
        columns[table.name] = (
            {name: name for name in table.schema.names}
            if found is None
            else fitted(table, found, folds_case=existing.folds_case, leave_out=leave_out)
        )
    return columns
