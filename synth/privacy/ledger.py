"""The ledger: what every training spent of the privacy of whom, in one file for a project.

Entries are only ever added. Each names the hash of the one before it, and the file that of the
last, so that one that was changed or taken out by mistake is noticed; the file is written whole
beside the old one, under a lock.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from prefect_synth.synth.errors import RequestError, SynthesisError
from prefect_synth.synth.privacy.accounting import Spending, total
from prefect_synth.synth.privacy.charges import Budget, Charge, Entry, entered

__all__ = ["Budget", "Charge", "Entry", "Ledger", "LedgerError", "OverspentError"]

FORMAT = 1
FILE = "privacy-ledger.json"


class LedgerError(SynthesisError):
    """The ledger cannot be read, or is not what was written: nothing may be trained by it."""


class OverspentError(RequestError):
    """A training would go beyond the privacy budget."""


class Ledger:
    """A ledger in a file.

    Args:
        path: The file; it need not exist.
        budget: What may be spent; without end where None.
    """

    def __init__(self, path: Path, budget: Budget | None = None) -> None:
        self.path, self.budget = path, budget

    def entries(self) -> list[Entry]:
        """All entries, oldest first.

        Raises:
            LedgerError: The file cannot be read, or an entry was changed or taken out.
        """
        if not self.path.exists():
            return []
        try:
            document = json.loads(self.path.read_text(encoding="utf-8"))
            known = document["format"] == FORMAT
            entries = [Entry(**entry) for entry in document["entries"]] if known else []
        except (ValueError, KeyError, TypeError) as error:
            raise LedgerError(
                f"The privacy ledger '{self.path}' cannot be read: {error}. Nothing is trained, as "
                "nobody knows what was spent. Restore it from a backup."
            ) from error
        if not known:
            raise LedgerError(
                f"The privacy ledger '{self.path}' has format {document['format']!r}; this version "
                f"reads format {FORMAT}. Upgrade prefect-synth."
            )
        hashes = ["", *(entry.hash for entry in entries)]
        if [*(entry.before for entry in entries), document.get("last")] != hashes:
            raise LedgerError(
                f"In the privacy ledger '{self.path}' an entry was changed or taken out: what is "
                "there does not follow from what was written. Nothing is trained. Restore the file "
                "from a backup."
            )
        return entries

    def spent(self, unit: str) -> Spending:
        """What was spent so far of the privacy of one unit of table `unit`."""
        return total(e.spending for e in self.entries() if e.unit == unit)

    def left(self, unit: str) -> float:
        """Epsilon that is left, at the delta of the budget; without end where there is none."""
        if self.budget is None:
            return math.inf
        return max(self.budget.epsilon - self.spent(unit).epsilon(self.budget.delta), 0.0)

    def check(self, charges: Sequence[Charge]) -> None:
        """See whether charges could be paid, and spend nothing.

        Raises:
            OverspentError: They would go beyond the budget.
            LedgerError: The file cannot be read.
        """
        self._check(self.entries(), charges)

    def charge(self, charges: Sequence[Charge]) -> None:
        """Pay for charges before anything is learned, all or none of them.

        Raises:
            OverspentError: They would go beyond the budget; nothing is written.
            LedgerError: The file cannot be read.
        """
        with self._locked():
            entries = self.entries()
            due = self._due(entries, charges)
            self._check(entries, due)
            for charge in due:
                entries.append(entered(charge, entries[-1].hash if entries else ""))
            if due:
                self._write(entries)

    def _check(self, entries: Sequence[Entry], charges: Sequence[Charge]) -> None:
        if self.budget is None:
            return
        due = self._due(entries, charges)
        _same_units(entries, due)
        for unit in dict.fromkeys(charge.unit for charge in due):
            asked = [charge for charge in due if charge.unit == unit]
            before = total(e.spending for e in entries if e.unit == unit)
            after = before + total(c.spending for c in asked)
            if after.epsilon(self.budget.delta) > self.budget.epsilon * (1 + 1e-9):
                raise OverspentError(self._refusal(unit, asked, before, after))

    def _refusal(
        self, unit: str, asked: Sequence[Charge], before: Spending, after: Spending
    ) -> str:
        assert self.budget is not None  # noqa: S101 - by the caller
        tables, delta = list(dict.fromkeys(c.table for c in asked)), self.budget.delta
        cost = total(c.spending for c in asked)
        what = f"table '{tables[0]}'" if len(tables) == 1 else f"tables {', '.join(tables)}"
        if after.delta >= delta:
            return (
                f"Training {what} would overspend the delta of the privacy budget of a row of "
                f"'{unit}': together {after.delta:.3g} beside the noise, and the cap is "
                f"{delta:g}. Nothing was trained or spent. Draw with the last models, which costs "
                "nothing; or raise `privacy.budget_delta`, if you mean it."
            )
        return (
            f"Training {what} would overspend the privacy budget of a row of '{unit}': epsilon "
            f"{before.epsilon(delta):.3g} is spent, {cost.epsilon(delta):.3g} is asked for, "
            f"together {after.epsilon(delta):.3g}, and the cap is {self.budget.epsilon:g} (at "
            f"delta {delta:g}). Nothing was trained or spent. Draw with the last models, which "
            "costs nothing; or lower `privacy.epsilon`; or raise `privacy.budget`, if you mean it."
        )

    @staticmethod
    def _due(entries: Sequence[Entry], charges: Sequence[Charge]) -> list[Charge]:
        """Charges but for those that the same run has paid."""
        paid = {(e.run, e.key, e.table, e.mechanism) for e in entries if e.run and e.key}
        return [c for c in charges if (c.run, c.key, c.table, c.mechanism) not in paid]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_name(f"{self.path.name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, entries: Sequence[Entry]) -> None:
        document: dict[str, Any] = {
            "format": FORMAT,
            "entries": [asdict(e) for e in entries],
            "last": entries[-1].hash,
        }
        unfinished = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        with unfinished.open("w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self.path)


def _same_units(entries: Sequence[Entry], charges: Sequence[Charge]) -> None:
    """Refuse to open a second account for people whose rows were learned from under another."""
    known = {e.table: e.unit for e in entries}
    for charge in charges:
        before = known.get(charge.table, charge.unit)
        if before != charge.unit:
            raise LedgerError(
                f"Table '{charge.table}' was learned from with a row of '{before}' as the unit of "
                f"privacy, and is now to be learned from with a row of '{charge.unit}': what was "
                "spent on the same people cannot be added up. Nothing was trained or spent. Put "
                "the relations back as they were, draw with the last models, or name another "
                "ledger, if you mean to begin anew."
            )
