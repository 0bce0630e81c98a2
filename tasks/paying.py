"""Paying into the privacy ledger: done by the step that learns, before it looks at a row."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.privacy.ledger import Budget, Ledger
from prefect_synth.synth.privacy.planning import COLUMNS, charges

Step = Literal["extend", "train"]


class Paying(BaseModel):
    """Who pays, and into which ledger; small and printable.

    Args:
        ledger: The file, in private staging.
        source: Where the tables are, without secrets.
        run: The run that pays.
        budget: Epsilon that may be spent by all runs; without end where None.
        budget_delta: The delta that it is counted at.
    """

    model_config = ConfigDict(frozen=True)

    ledger: Path
    source: str
    run: str
    budget: float | None = None
    budget_delta: float = 1e-5

    @property
    def opened(self) -> Ledger:
        """The ledger."""
        asked = None if self.budget is None else Budget(self.budget, self.budget_delta)
        return Ledger(self.ledger, asked)

    def pay(self, model: HMASynthesizer, table: str, step: Step, key: str) -> None:
        """Pay for what a step learns of a table; once a run for the same rows.

        Args:
            model: The synthesizer, with the row model of the table.
            table: The table.
            step: The step.
            key: Fingerprint of all that the step depends on.

        Raises:
            OverspentError: The budget does not allow it.
            LedgerError: The ledger cannot be read.
        """
        all_ = charges(model.metadata, model.settings, self.source, self.run, key)
        due = [c for c in all_ if c.table == table]
        self.opened.charge([c for c in due if (c.mechanism == COLUMNS) == (step == "extend")])
