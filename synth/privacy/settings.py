"""How a synthesizer is to be differentially private."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from prefect_synth.synth.errors import RequestError
from prefect_synth.synth.privacy.charges import Budget
from prefect_synth.synth.storage import stored

Bound = float | str
"""An end of a column's values: a number, or a date or time as text in ISO form."""

DELTA = 1e-6
ROWS = 16


@stored
@dataclass(frozen=True)
class DifferentialPrivacy:
    """How much a model may tell about one person, and what everybody knows.

    Neighbouring data sets differ in one unit: a row of a table that hangs on no other, with all
    rows that hang on it. Fitting is (epsilon, delta)-differentially private towards it.

    Args:
        epsilon: Of one training of all tables.
        delta: Of one training; well below one by the number of units.
        rows_per_unit: Rows of one unit that are learned from in each table below its own.
        rows: The same for single tables, by name.
        bounds: Smallest and largest value of number, date and time columns, by `table.column`.
            They must be known without looking at the rows; where there are none, a part of the
            budget goes to finding them.
        categories: All values of a column of categories, by `table.column`; likewise.
        noise_seed: For tests alone: who knows it can take the noise away.
        ledger: File in which `fit` notes what it spends, and by which it refuses to go beyond
            `budget`; none where None, and then it is for the caller to keep count.
        budget: What all trainings in the ledger together may spend; without end where None.

    Raises:
        RequestError: A number is out of its range, or bounds are no pair in order.
    """

    epsilon: float
    delta: float = DELTA
    rows_per_unit: int = ROWS
    rows: Mapping[str, int] = field(default_factory=dict)
    bounds: Mapping[str, tuple[Bound, Bound]] = field(default_factory=dict)
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    noise_seed: int | None = None
    ledger: str | None = field(default=None, compare=False, repr=False)
    budget: Budget | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.epsilon < 100:
            raise RequestError(f"epsilon must be above 0 and below 100, got {self.epsilon:g}.")
        if not 0 < self.delta < 0.1:
            raise RequestError(
                f"delta must be above 0 and below 0.1, got {self.delta:g}. Take one well below 1 "
                "by the number of people."
            )
        if self.budget is not None and self.ledger is None:
            raise RequestError("A privacy budget needs a ledger. Name its file as `ledger`.")
        for name, most in {"rows_per_unit": self.rows_per_unit, **self.rows}.items():
            if most < 1:
                raise RequestError(f"{name}: a unit must have at least 1 row, got {most}.")
        for column, (low, high) in self.bounds.items():
            if isinstance(low, str) != isinstance(high, str) or not low < high:  # type: ignore[operator]
                raise RequestError(
                    f"The bounds of '{column}' must be two numbers, or two dates as text, the "
                    f"smaller one first; got {low!r} and {high!r}."
                )
