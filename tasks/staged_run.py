"""One run's folder in staging, and the state from which an interrupted run goes on."""

from __future__ import annotations

import secrets
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from pydantic import BaseModel, Field

from prefect_synth.expectations.history import RunFigures
from prefect_synth.synth.storage import folder_name
from prefect_synth.tasks.folders import link_file, link_files, write_atomically
from prefect_synth.tasks.references import TableRef

CATALOGUE = "catalogue.json"
"""File of what a run saw of the catalogue; a purge leaves it, for there is no real value in it."""
LEARNED = "learned.json"
"""File of what the rows that models were trained on look like."""
COMPARED = "compared.json"
"""File of what the rows of a night look like that were compared with those."""
RESUME_WITHIN = timedelta(hours=12)
"""An interrupted run is finished with the rows it pulled; after this time they are stale."""

UNCHANGED = "unchanged"
"""Outcome of a run that made no snapshot, because it would have been the last one again."""


PROFILE, VERDICT, SOUND = "profile", "verdict.json", "sound"
"""Names under which the judgement of a table is kept: what is remembered of it, the verdict, and an
empty file where no check broke: a verdict without it is no answer, and is not taken over."""


class RunState(BaseModel):
    """What a run has done so far.

    Args:
        run_id: Name of the run, which sorts by time.
        plan: Fingerprint of project file and catalogue.
        started: When the run began.
        pulled: The staged tables to train on, once all of them are there; they show one state of
            the warehouse.
        held_out: The rows that no model sees, of the tables that belong to families.
        units: The tables whose rows are the root entities of what is held out.
        models: Folders under staging that the run used.
        held: By table, the columns that were read as NULL because nobody has accepted them.
        outcome: `published`, `unchanged`, `rejected` or `failed`, once the run is over.
        figures: What the verdict came to, once there is one; aggregates only.
    """

    run_id: str
    plan: str
    started: datetime = Field(default_factory=lambda: datetime.now(UTC))
    pulled: tuple[TableRef, ...] = ()
    held_out: tuple[TableRef, ...] = ()
    units: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    held: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    outcome: str | None = None
    figures: RunFigures | None = None

    @property
    def finished(self) -> bool:
        """Whether the run came to an end, good or bad."""
        return self.outcome is not None


class StagedRun:
    """A run's private folder.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._state_file = folder / "run.json"

    @property
    def state(self) -> RunState:
        """What the run has done so far; a run that never began is finished by nobody."""
        try:
            return RunState.model_validate_json(self._state_file.read_text())
        except (FileNotFoundError, ValueError):
            return RunState(run_id=self.folder.name, plan="")

    def save(self, state: RunState) -> None:
        """Replace the state, whole or not at all."""
        write_atomically(self._state_file, state.model_dump_json(indent=1))

    def update(self, **changes: object) -> RunState:
        """Change parts of the state."""
        state = self.state.model_copy(update=changes)
        self.save(state)
        return state

    def resumable(self, plan: str) -> bool:
        """Whether the rows are staged, whole and fresh, and were pulled for the same plan.

        Each table must lie in a folder of its own, which is the whole table to whoever reads it;
        older versions staged all tables in one.
        """
        state = self.state
        fresh = datetime.now(UTC) - state.started < RESUME_WITHIN
        refs = (*state.pulled, *state.held_out)
        staged = bool(state.pulled) and all(
            ref.path.is_file() and ref.path.parent == self.divided(ref.table) for ref in refs
        )
        return state.plan == plan and fresh and staged

    def real(self, table: str) -> Path:
        """File of a pulled table, until it is divided."""
        folder = self.folder / "real"
        folder.mkdir(exist_ok=True)
        return folder / f"{quote(table, safe='')}.parquet"

    def divided(self, table: str) -> Path:
        """Folder of a pulled table's two parts: what is trained on, and what is held out."""
        return self.real(table).with_suffix("")

    def synthetic(self, table: str) -> Path:
        """Folder of a sampled table's parts."""
        return self.folder / "synthetic" / folder_name(table)

    def draw_by(self, key: str) -> None:
        """Delete synthetic tables that another key has drawn, so that none is taken for its own.

        An interrupted run may go on with other models; tasks know their files by their names.

        Args:
            key: Fingerprint of all that the tables, pinned rows and the plan depend on.
        """
        folder = self.folder / "synthetic"
        noted = folder / ".key"
        if noted.is_file() and noted.read_text(encoding="utf-8") == key:
            return
        noted.unlink(missing_ok=True)  # first: what is left of a killed deletion belongs to nobody
        if folder.is_dir():
            shutil.rmtree(folder)
        folder.mkdir()
        write_atomically(noted, key)

    def step(self, name: str) -> Path:
        """File of what a step came to, for the next one in another process."""
        folder = self.folder / "steps"
        folder.mkdir(exist_ok=True)
        return folder / f"{name}.json"

    @property
    def plan(self) -> Path:
        """Folder of the plan by which the tables are sampled."""
        return self.folder / "synthetic" / ".plan"

    @property
    def catalogue(self) -> Path:
        """What the warehouse's catalogue said: names, types and hashes."""
        return self.folder / CATALOGUE

    @property
    def report(self) -> Path:
        """The run's HTML report with real distributions: it stays in staging."""
        return self.folder / "report.html"

    @property
    def public_report(self) -> Path:
        """The run's HTML report for the sandbox."""
        return self.folder / "public.html"

    @property
    def errors(self) -> Path:
        """Folder of error texts, which may quote real values."""
        return self.folder / "errors"

    @property
    def figures(self) -> Path:
        """File of the figures that the judgement asked for."""
        return self.folder / "figures.json"

    def adopt(self, table: str, judged: Path) -> None:
        """Put the judgement of a table, of this night or an earlier one, among the run's own.

        Args:
            table: The table.
            judged: Folder of the judgement, which stays as it is.
        """
        profile = self.folder / "profiles" / folder_name(table)
        link_files(judged / PROFILE, profile)
        verdicts = self.folder / "verdicts"
        verdicts.mkdir(exist_ok=True)
        link_file(judged / VERDICT, verdicts / f"{folder_name(table)}.json")

    def forget_real_rows(self) -> None:
        """Delete what came out of the warehouse or quotes it, and the sample; the report stays."""
        for part in ("real", "synthetic", "profiles", "errors", "steps"):
            shutil.rmtree(self.folder / part, ignore_errors=True)


def new_run_id() -> str:
    """A name that sorts by time and that no other run has."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
