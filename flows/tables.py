"""How tables are modelled: the project file's `defaults`, `tables` and `privacy`."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from prefect_synth.expectations.settings import TableGates
from prefect_synth.flows.contracts import BalanceSettings, ScenarioSettings
from prefect_synth.synth.marginal_names import Marginal
from prefect_synth.synth.registry import SYNTHESIZERS
from prefect_synth.synth.rules.declared import read_rule
from prefect_synth.tasks.settings import Settings


def _is_rule(text: str) -> str:
    read_rule(text)
    return text


if TYPE_CHECKING:
    RowModel = str
    TableModel = str
else:  # the registry alone knows the names
    RowModel = Literal[tuple(SYNTHESIZERS)]
    TableModel = Literal["copy", *SYNTHESIZERS]
Bound = float | date | str
OnOrphan = Literal["error", "null", "drop"]
Keys = Literal["fresh", "stable"]
RuleSearch = Literal["infer", "none"]


class DefaultSettings(Settings):
    """What holds for every table unless the table says otherwise."""

    model: RowModel = Field(default="auto", description="The model of a table's rows.")
    scale: float = Field(default=1.0, gt=0, description="Synthetic rows for each real row.")
    keys: Keys = Field(
        default="fresh",
        description="Whether minted keys are new with every seed, or stay from run to run.",
    )
    locale: str = Field(
        default="en_US",
        description="Locale of generated names, addresses and the like.",
    )
    on_orphan: OnOrphan = Field(
        default="error",
        description="What to do with a foreign key that refers to no row: refuse, null it, or drop "
        "the row.",
    )
    rules: RuleSearch = Field(
        default="infer",
        description="Find rules that every row obeys and hold them, or hold only declared ones.",
    )


class ColumnSettings(Settings):
    """What a person knows better about a column than the catalogue does."""

    sdtype: str | None = Field(
        default=None,
        description="The column's meaning, such as id or email.",
    )
    pii: bool | None = Field(
        default=None,
        description="Whether values identify a person: they are generated, never learned.",
    )
    marginal: Marginal | None = Field(
        default=None,
        description="Distribution of a numeric column; quantile by default.",
    )
    exclude: bool = Field(
        default=False,
        description="Leave the column out: never read, never published.",
    )
    bounds: tuple[Bound, Bound] | None = Field(
        default=None,
        description="Smallest and largest value, known without looking at the rows: with "
        "differential privacy, finding them would cost.",
    )
    categories: tuple[str, ...] = Field(
        default=(),
        description="All values of the column, known without looking at the rows: likewise.",
    )

    @property
    def known_bounds(self) -> tuple[float | str, float | str] | None:
        """The bounds, dates as text."""
        if self.bounds is None:
            return None
        low, high = (b.isoformat() if isinstance(b, date) else b for b in self.bounds)
        return low, high

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Self:
        low, high = self.known_bounds or (0.0, 1.0)
        if isinstance(low, str) != isinstance(high, str) or not low < high:  # type: ignore[operator]
            raise ValueError("has bounds that are no two numbers or dates, the smaller one first")
        return self


class TableSettings(Settings):
    """What differs for one table."""

    model: TableModel | None = Field(
        default=None,
        description="This table's model; `copy` publishes its REAL rows as they are.",
    )
    rules: tuple[Annotated[str, AfterValidator(_is_rule)], ...] = Field(
        default=(),
        description="Rules that hold on every row, such as 'total = round(quantity * price, 2)', "
        "'city -> country' or 'start <= end'; see docs/rules.md.",
    )
    columns: dict[str, ColumnSettings] = Field(
        default_factory=dict,
        description="Settings of single columns by name.",
    )
    scenarios: tuple[ScenarioSettings, ...] = Field(
        default=(),
        description="Rows of a kind that must occur in every snapshot; see docs/contracts.md.",
    )
    balance: BalanceSettings | None = Field(
        default=None,
        description="Publish beside the table another one, whose classes are balanced.",
    )
    pin: str | None = Field(
        default=None,
        description="A CSV or Parquet file of made-up rows that are in every snapshot with their "
        "keys; see docs/contracts.md.",
    )
    gates: TableGates | None = Field(
        default=None,
        description="What must hold of this table, as far as it differs from the project's gates.",
    )

    @model_validator(mode="after")
    def _scenarios_have_names(self) -> Self:
        names = [scenario.name for scenario in self.scenarios]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"has two scenarios of the name '{name}'; each needs its own")
        return self


class PrivacySettings(Settings):
    """Whose privacy is protected."""

    unit: str | None = Field(
        default=None,
        description="The table whose rows are people: what is rare is then counted in people, in "
        "it and in all tables below it.",
    )
    quasi_identifiers: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="By table, the columns that are kept and that together may tell a person: "
        "birth date, postcode, gender.",
    )
    holdout: float = Field(
        default=0.1,
        ge=0,
        lt=0.5,
        description="Share of the people, with all that hangs on them, that no model sees: what "
        "fidelity and privacy are measured against. 0 for none.",
    )
    epsilon: float | None = Field(
        default=None,
        gt=0,
        lt=100,
        description="Train every model with differential privacy, at this epsilon a training; see "
        "docs/differential-privacy.md.",
    )
    delta: float = Field(
        default=1e-6,
        gt=0,
        lt=0.1,
        description="The delta of a training: well below 1 by the number of people.",
    )
    rows_per_unit: int = Field(
        default=16,
        ge=1,
        description="Rows of one person that are learned from in each table below the person's.",
    )
    budget: float | None = Field(
        default=None,
        gt=0,
        description="Epsilon that all trainings together may spend; then the last models are "
        "drawn with. Without end where it is left out.",
    )
    budget_delta: float = Field(
        default=1e-5,
        gt=0,
        lt=1,
        description="The delta that the budget is counted at, above `delta`.",
    )

    @model_validator(mode="after")
    def _budget_allows_a_training(self) -> Self:
        if self.budget is None:
            return self
        if self.epsilon is None:
            raise ValueError("has a budget, but no epsilon: add `epsilon`, or take it out")
        if self.budget < self.epsilon or self.budget_delta < self.delta:
            raise ValueError(
                f"has a budget of ({self.budget:g}, {self.budget_delta:g}), which does not allow a "
                f"single training of ({self.epsilon:g}, {self.delta:g})"
            )
        return self
