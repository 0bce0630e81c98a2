"""Looking at the warehouse, and telling what the next refresh would do with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from prefect_synth.expectations.rows_profile import RowsProfile, moves, profile_rows
from prefect_synth.flows.data_drift import warehouse_drift
from prefect_synth.flows.drift import require_baseline
from prefect_synth.flows.pinned import check_contracts
from prefect_synth.flows.predict_look import Look, looked
from prefect_synth.flows.prediction import Ends, Fate, Known, Prediction, TablePlan
from prefect_synth.flows.refresh_privacy import refusal
from prefect_synth.flows.refresh_pull import Source
from prefect_synth.flows.refresh_reuse import depends_but_schema, incomparable
from prefect_synth.flows.refresh_setup import Setup
from prefect_synth.flows.refresh_synthesis import synthesis_of
from prefect_synth.flows.refresh_unchanged import (
    SCHEMA,
    sources_but_rows,
    why_not_published,
)
from prefect_synth.synth.metadata import Metadata
from prefect_synth.tasks.drift.changes import Change, Drift
from prefect_synth.tasks.learned import read_learned
from prefect_synth.tasks.references import file_fingerprint
from prefect_synth.tasks.sources import ROWS, Sources
from prefect_synth.tasks.synthesis import read_metadata
from prefect_synth.tasks.warehouses.warehouse import Warehouse


def predict(setup: Setup) -> Prediction:
    """Tell what a refresh would do; nothing is changed, and no more than a sample is read.

    Args:
        setup: The project and its places.

    Raises:
        LockError: What was accepted of the warehouse cannot be read, or is gone.
        WarehouseError: The subclass says what is wrong with the warehouse.
        SandboxError: The sandbox cannot be read.
        ContractError: A scenario, or a pinned row, does not fit the schema.
    """
    with closing(setup.open_warehouse()) as warehouse:
        warehouse.check_read_only()
        drift = setup.drift(warehouse)
        require_baseline(setup, drift)
        if drift.blocked:
            return Prediction("Blocked", "the warehouse drifted and a person must decide", drift)
        source = _source(setup, warehouse, drift)
        moved = warehouse_drift(setup, warehouse)
        drift = drift.model_copy(update={"changes": (*drift.changes, *moved)})
        if drift.blocked:
            return Prediction("Blocked", "rows moved and a person must decide", drift)
        with looked(setup, source) as look:
            return _Judge(setup.about(source.metadata), source, drift, moved, look).prediction()


def _source(setup: Setup, warehouse: Warehouse, drift: Drift) -> Source:
    metadata = setup.reflect(warehouse)
    schemas = warehouse.schemas(metadata)
    check_contracts(setup, setup.guess(metadata), schemas)
    return Source(warehouse, metadata, schemas, drift, setup.facts(warehouse))


@dataclass(frozen=True)
class _Judge:
    """Puts together what was read and what is remembered."""

    setup: Setup
    source: Source
    drift: Drift
    in_samples: tuple[Change, ...]
    look: Look

    def prediction(self) -> Prediction:
        """What a refresh would do."""
        before = self.setup.staging.last_sources
        changed = {name: self._changed(name, before) for name in self.source.metadata.tables}
        ends, why = self._end(before, changed)
        fates = self._fates(before, changed)
        tables = {name: self._table(name, before, changed[name], *fates[name]) for name in changed}
        return Prediction(ends, why, self.drift, tables, (*self._quotas(), *self._spent()))

    def _spent(self) -> Iterator[str]:
        """What becomes of the tables to be trained where the privacy budget is spent."""
        refused = refusal(self.setup, self.source.metadata, warn=False)
        if refused is not None:
            yield (
                f"{refused} So no table is trained: the last published models are drawn with, and "
                "the refresh is refused where they do not fit."
            )

    def _changed(self, table: str, before: Sources | None) -> Known:
        then = before.depends_on.get(f"{ROWS}{table}") if before else None
        if then is None:
            return "yes"
        if table in self.look.files:
            return "no" if file_fingerprint(self.look.files[table]) == then else "yes"
        counted = before.rows.get(table) if before else None
        sampled = self.setup.project.warehouse.sample is not None
        if not sampled and counted is not None and counted != self.look.counts[table]:
            return "yes"
        return "yes" if any(c.table == table for c in self.in_samples) else "unknown"

    def _end(self, before: Sources | None, changed: Mapping[str, Known]) -> tuple[Ends, str]:
        if before is None:
            return "Published", "no snapshot was published from this staging yet"
        other = sources_but_rows(self.setup, self.source)
        moved = [n for n, now in other.items() if before.depends_on.get(n) != now]
        gone = [n for n in before.tables if n not in changed]
        rows = [f"{ROWS}{name}" for name, known in changed.items() if known == "yes"]
        if moved or rows or gone:
            return (
                "Published",
                f"changed: {', '.join([*moved, *rows, *(f'{ROWS}{n}' for n in gone)])}",
            )
        latest = self.setup.sandbox.latest()
        obstacle = why_not_published(self.setup, before, latest, self.setup.project.run.retrain)
        if obstacle is not None:
            return "Published", obstacle
        unread = [name for name, known in changed.items() if known == "unknown"]
        if unread:
            return "Unchanged or Published", f"rows of {', '.join(unread)} were not all read"
        return "Unchanged", "rows, schema, settings and checks are the same"

    def _fates(
        self, before: Sources | None, changed: Mapping[str, Known]
    ) -> dict[str, tuple[Fate, str, tuple[str, ...]]]:
        """By table what becomes of its model, why, and in what its rows moved."""
        moved = {name: self._moved(name) for name in changed}
        copied = self.setup.project.copied()
        anew = self._trained_anew(before, changed)
        found: dict[str, tuple[Fate, str, tuple[str, ...]]] = {}
        for name in changed:
            fate, why = self._fate(name, anew, changed, moved)
            found[name] = ("copied" if name in copied else fate, why, moved[name])
        return found

    def _trained_anew(self, before: Sources | None, changed: Mapping[str, Known]) -> str | None:
        """Why models cannot be reused, whatever the rows; None where they can."""
        last = self.setup.staging.last_models
        if before is None or last is None:
            return "nothing was trained yet"
        if not all(path.is_dir() for path in last.paths):
            return "models are no longer in private staging"
        synthesis = synthesis_of(self.setup.project, Path(), ())
        others = depends_but_schema(self.setup, synthesis, self.drift.held_columns)
        differ = [n for n, now in others.items() if last.depends_on.get(n) != now]
        schema = sources_but_rows(self.setup, self.source)[SCHEMA]
        differ += [SCHEMA] if before.depends_on.get(SCHEMA) != schema else []
        if differ:
            return f"{' and '.join(differ)} changed"
        copied = [n for n in self.setup.project.copied() if changed.get(n) == "yes"]
        if copied:
            return f"{', '.join(copied)} is published as it is, and changed"
        # where whatever changed is trained, rows are not compared
        return incomparable(self.setup) if self.setup.project.run.retrain == "moved" else None

    def _fate(
        self,
        name: str,
        anew: str | None,
        changed: Mapping[str, Known],
        moved: Mapping[str, tuple[str, ...]],
    ) -> tuple[Fate, str]:
        if anew in _ALL_ANEW:
            return "trained", anew
        reusing = self.setup.project.run.retrain == "moved" and anew is None
        if reusing and not any(moved.values()):
            unread = [n for n, known in changed.items() if known == "unknown"]
            said = f", if the unread rows of {', '.join(unread)} did not either" if unread else ""
            return "reused", f"no rows moved more than chance explains{said}"
        if changed[name] == "yes":
            return "trained", "its rows changed"
        if self._differs_from_learned(name):
            return "trained", "its rows changed since its model learned from them"
        if self._described_otherwise(name):
            return "trained", "its columns changed"
        if changed[name] == "unknown":
            return "perhaps trained", "not all of its rows were read"
        kin = [n for n in _kin(self.source.metadata, name) if changed[n] != "no"]
        if kin or anew:
            why = f"it is related to {', '.join(kin)}" if kin else str(anew)
            return "perhaps trained", f"{why}: it is if what it knows of them changed"
        return "known", "neither it nor anything related to it changed"

    def _differs_from_learned(self, table: str) -> bool:
        """Whether the last snapshot was made of other rows than its models were trained from."""
        before, last = self.setup.staging.last_sources, self.setup.staging.last_models
        if before is None or last is None or not last.pulled:
            return False
        return last.pulled.get(table) != before.of_rows().get(table)

    def _described_otherwise(self, table: str) -> bool:
        """Whether what a refresh goes by is another schema than the last snapshot's.

        Drift does not tell: a change that is held stays drift on every night after the first.
        """
        last = self._last_metadata()
        return last is not None and _described(last, table) != _described(
            self.source.metadata, table
        )

    def _last_metadata(self) -> Metadata | None:
        """The schema of the last published snapshot, as rows refined it."""
        try:
            return read_metadata(self.setup.staging.last_profiles / "metadata.json")
        except (OSError, ValueError, KeyError):
            return None

    def _moved(self, table: str) -> tuple[str, ...]:
        learned = (read_learned(self.setup.staging.last_profiles) or {}).get(table)
        if learned is None:
            return ()
        if table in self.look.files:
            now = self._profile(table)
            return moves(learned, now) if now else ()
        counted = RowsProfile(table, self.look.counts[table], {})
        sampled = [
            f"{c.column}: {c.kind.replace('_', ' ')}"
            for c in self.in_samples
            if c.table == table and c.column
        ]
        grown = moves(RowsProfile(table, learned.rows, {}), counted)
        return (*(() if self.setup.project.warehouse.sample else grown), *sampled)

    def _profile(self, table: str) -> RowsProfile | None:
        """The distributions of a small table, its columns taken for what they were last time."""
        metadata, file = self._last_metadata(), self.look.files[table]
        there = set(pq.read_schema(file).names)
        if (
            metadata is None
            or table not in metadata.tables
            or not set(metadata.tables[table].columns) <= there
        ):
            return None
        return profile_rows(file, table, metadata)

    def _table(
        self,
        name: str,
        before: Sources | None,
        changed: Known,
        fate: Fate,
        why: str,
        moved: tuple[str, ...],
    ) -> TablePlan:
        return TablePlan(
            rows=self.look.pulled.get(name, self.look.counts[name]),
            rows_before=before.rows.get(name) if before else None,
            columns=len(self.source.schemas[name]),
            changed=changed,
            moved=moved,
            fate=fate,
            why=why,
        )

    def _quotas(self) -> Iterator[str]:
        """Scenarios that ask for more rows than there will be."""
        scale = self.setup.project.defaults.scale
        for table, scenarios in self.setup.project.scenarios().items():
            rows = round(self.look.counts.get(table, 0) * scale)
            for asked in scenarios:
                if asked.at_least > rows:
                    yield (
                        f"tables.{table}: scenario '{asked.name}' asks for {asked.at_least:,} "
                        f"rows, and {rows:,} will be drawn: the refresh will refuse. Ask for "
                        "fewer, or raise defaults.scale."
                    )


_ALL_ANEW = frozenset({"nothing was trained yet", "models are no longer in private staging"})


def _described(metadata: Metadata, name: str) -> object:
    """What the catalogue says of a table and models depend on; not what rows show, no comment."""
    if name not in metadata.tables:
        return None
    table, keys = metadata.tables[name], metadata.key_columns(name)
    columns = [
        (c.name, c.source_type, c.nullable, c.categories, c.lost_key, c.name in keys)
        for c in table.columns.values()
    ]
    return columns, table.primary_key, table.unique, metadata.parents(name)


def _kin(metadata: Metadata, name: str) -> list[str]:
    """The tables that foreign keys connect with one, over any number of steps."""
    found, level = {name}, {name}
    while level:
        near = {r.parent for n in level for r in metadata.parents(n)}
        near |= {r.child for n in level for r in metadata.children(n)}
        level = near - found
        found |= level
    return [n for n in metadata.tables if n in found and n != name]
