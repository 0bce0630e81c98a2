"""What the step `validate` compares: real and synthetic tables in staging, and their records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from prefect_synth.expectations.balanced import BalancedTable
from prefect_synth.expectations.drift import changed_keys, drift_lines
from prefect_synth.expectations.gate import TableJudgement
from prefect_synth.expectations.memory import Memory
from prefect_synth.expectations.profile import TableProfile
from prefect_synth.expectations.report_content import DriftLine
from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.sides import Sides
from prefect_synth.synth.hierarchy.links import OnOrphan
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.hashing import Hashes
from prefect_synth.synth.rules.ruleset import TableRules
from prefect_synth.synth.scenarios.balance import Balance
from prefect_synth.synth.scenarios.scenario import Scenario
from prefect_synth.synth.storage import folder_name
from prefect_synth.tasks.prints import Prints
from prefect_synth.tasks.published import PublishedSnapshots
from prefect_synth.tasks.references import ModelRef, TableRef
from prefect_synth.tasks.suites import UserChecks
from prefect_synth.tasks.synthesis import read_metadata


class Comparison(BaseModel):
    """Real and synthetic tables in staging, and where their judgement is kept.

    Args:
        metadata: JSON file of the schema.
        real: The staged real tables, as far as models saw them.
        holdout: What models never saw, of the tables that belong to families.
        whole: Both parts of the real tables.
        synthetic: The synthetic tables.
        files: By published table, the SHA-256 of each of its files, in their order.
        rows: Real and synthetic rows by table.
        expected_rows: By table, how many rows were asked for, pinned ones included.
        profiles: Folder of what is remembered of the real tables.
        verdicts: Folder of the verdicts.
        prints: Fingerprints of the rows and of the keys of all tables.
        known: File of figures that the last judgement computed, if there was one.
        figures: File of those that this one asks for.
        kept: Tables that are published as they are.
        excluded: Tables and columns that were left out by request.
        on_orphan: What was done with foreign keys whose parent does not exist.
        gates: What must hold.
        table_gates: What must hold of tables that have gates of their own.
        units: The tables whose rows are the root entities, such as people.
        quasi_identifiers: By table, columns that together may single somebody out.
        pulled: When the real rows were read.
        last: The last published snapshots, and their figures.
        last_profiles: Folder of what was remembered of the real tables at the last one.
        models: The trained parts, which know the rules in force.
        user_checks: Suites and checks of the user's own.
        scenarios: What must occur, by table.
        pinned: Pinned rows by table.
        balanced: Folders of the balanced tables, by name.
        balances: What was asked of them.
    """

    model_config = ConfigDict(frozen=True)

    metadata: Path
    real: dict[str, Path]
    holdout: dict[str, Path]
    whole: dict[str, Path]
    synthetic: dict[str, Path]
    files: dict[str, tuple[str, ...]]
    rows: dict[str, tuple[int, int]]
    expected_rows: dict[str, int]
    profiles: Path
    verdicts: Path
    prints: Prints = Prints()
    known: Path | None = None
    figures: Path
    kept: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    on_orphan: OnOrphan = "error"
    gates: Gates
    table_gates: dict[str, Gates] = {}
    units: tuple[str, ...] = ()
    quasi_identifiers: dict[str, tuple[str, ...]] = {}
    pulled: datetime
    last: PublishedSnapshots = PublishedSnapshots()
    last_profiles: Path
    models: tuple[ModelRef, ...] = ()
    user_checks: UserChecks
    scenarios: dict[str, tuple[Scenario, ...]] = {}
    pinned: dict[str, int] = {}
    balanced: dict[str, TableRef] = {}
    balances: tuple[Balance, ...] = ()

    def rules(self) -> dict[str, TableRules]:
        """The rules in force, by table."""
        parts = (TablePart.load(model.path) for model in self.models)
        return {part.name: part.rules for part in parts if part.rules.rules}

    def memory(self) -> Memory:
        """Figures that the last judgement computed, as far as the rows are the same."""
        return Memory.read(self.prints.rows, self.prints.keys, self.known)

    def read_metadata(self) -> Metadata:
        """The schema."""
        return read_metadata(self.metadata)

    def sides(self) -> Sides:
        """The tables, as the judgement takes them."""
        metadata = self.read_metadata()
        return Sides(metadata, self.real, self.synthetic, self.holdout, self.whole, self.units)

    def balanced_tables(self) -> tuple[BalancedTable, ...]:
        """The balanced tables, and what they are judged by."""
        rules = self.rules() if self.balances else {}
        return tuple(
            BalancedTable(
                balance,
                self.balanced[balance.name].path,
                balance.rows or self.balanced[balance.name].rows,
                TableProfile.load(self.profile_folder(balance.table)),
                rules.get(balance.table, TableRules()),
                self.pinned.get(balance.table, 0),
            )
            for balance in self.balances
        )

    def published(self) -> dict[str, Path]:
        """The tables of the snapshot, balanced ones included."""
        return {**self.synthetic, **{name: ref.path for name, ref in self.balanced.items()}}

    def gates_of(self, table: str) -> Gates:
        """What must hold of one table."""
        return self.table_gates.get(table, self.gates)

    def personal_values(self) -> dict[str, Mapping[str, Hashes]]:
        """By table and column, hashes of the real values that identify someone."""
        return {
            table: TableProfile.load(self.profile_folder(table)).pii
            for table in self.synthetic
            if table not in self.kept
        }

    def profiles_then_and_now(self) -> tuple[dict[str, TableProfile], dict[str, TableProfile]]:
        """What is remembered of the real tables at the last published snapshot, and now.

        Nothing of then where there is none, or where it was written by another version.
        """
        now = {table: TableProfile.load(self.profile_folder(table)) for table in self.synthetic}
        folders = {table: self.last_profiles / folder_name(table) for table in now}
        try:
            then = {t: TableProfile.load(f) for t, f in folders.items() if f.is_dir()}
        except (ValueError, TypeError, KeyError, OSError):
            then = {}
        return (then, now) if then else ({}, {})

    def drift(self) -> tuple[DriftLine, ...]:
        """What moved since the last published snapshot, keys first; nothing where there is none."""
        lines = drift_lines(*self.profiles_then_and_now())
        try:
            then = read_metadata(self.last_profiles / "metadata.json")
        except (OSError, ValueError, TypeError, KeyError):  # an older version remembered none
            return lines
        return (*changed_keys(then, self.read_metadata()), *lines)

    def verdict_file(self, table: str) -> Path:
        """Where the verdict on a table is kept."""
        return self.verdicts / f"{folder_name(table)}.json"

    def profile_folder(self, table: str) -> Path:
        """Where it is kept what is remembered of a real table."""
        return self.profiles / folder_name(table)

    def judged(self, table: str) -> TableJudgement:
        """What was said of one table."""
        text = self.verdict_file(table).read_text(encoding="utf-8")
        return TableJudgement.from_dict(json.loads(text))
