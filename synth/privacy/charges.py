"""What is to be spent of a privacy budget, and what was."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from prefect_synth.synth.errors import RequestError
from prefect_synth.synth.privacy.accounting import Spending
from prefect_synth.synth.storage import stored


@stored
@dataclass(frozen=True)
class Budget:
    """What all trainings of a project together may spend of one person's privacy.

    Args:
        epsilon: At most.
        delta: At which it is counted; above what single trainings spend of it.

    Raises:
        RequestError: A number is out of its range.
    """

    epsilon: float
    delta: float

    def __post_init__(self) -> None:
        if not self.epsilon > 0 or not 0 < self.delta < 1:
            raise RequestError(
                f"A privacy budget is an epsilon above 0 and a delta between 0 and 1, got "
                f"{self.epsilon:g} and {self.delta:g}."
            )


@dataclass(frozen=True)
class Charge:
    """What is to be spent.

    Args:
        table: The table whose rows are learned from.
        unit: The table whose rows are the units; what is learned of one unit adds up.
        source: Where the table is, without secrets.
        mechanism: How it is learned.
        spending: What it costs.
        run: Which run asks; one run pays for the same `key` once, however often it is killed.
        key: What is learned from: changes with rows and settings.
    """

    table: str
    unit: str
    source: str
    mechanism: str
    spending: Spending
    run: str = ""
    key: str = ""


@dataclass(frozen=True)
class Entry:
    """What was spent; the fields are those of `Charge`, with the cost as plain numbers.

    Args:
        limit: Up to which order the cost holds; None for every order.
        date: When, in UTC.
        before: Hash of the entry before it; empty for the first.
    """

    table: str
    unit: str
    source: str
    mechanism: str
    rho: float
    limit: float | None
    delta: float
    date: str
    run: str
    key: str
    before: str

    @property
    def spending(self) -> Spending:
        """The cost."""
        return Spending(self.rho, math.inf if self.limit is None else self.limit, self.delta)

    @property
    def hash(self) -> str:
        """What the next entry names."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def entered(charge: Charge, before: str) -> Entry:
    """A charge that is paid now.

    Args:
        charge: The charge.
        before: Hash of the entry before it; empty for the first.
    """
    cost = charge.spending
    return Entry(
        charge.table,
        charge.unit,
        charge.source,
        charge.mechanism,
        cost.rho,
        None if math.isinf(cost.limit) else cost.limit,
        cost.delta,
        datetime.now(UTC).isoformat(timespec="seconds"),
        charge.run,
        charge.key,
        before,
    )
