"""Test-data contracts of the project file: what must occur in every snapshot of a table."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from prefect_synth.synth.scenarios.balance import Balance
from prefect_synth.synth.scenarios.grammar import parse_condition
from prefect_synth.synth.scenarios.scenario import Scenario, parse_children
from prefect_synth.tasks.settings import Settings


def _is_condition(text: str) -> str:
    parse_condition(text)
    return text


def _is_number(value: int | str) -> int | str:
    parse_children(value)
    return value


class BalanceSettings(Settings):
    """A table of its own with the classes of one column at a ratio."""

    column: str = Field(description="The column of the classes.")
    ratio: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Rows of each smaller class, as a share of the largest one's, at least.",
    )
    rows: int | None = Field(
        default=None,
        ge=2,
        description="Rows of the balanced table; as many as the table has by default.",
    )
    name: str | None = Field(
        default=None,
        pattern=r"^[^/\\.\s][^/\\\r\n\t]*$",
        description="Name of the balanced table; that of the table and `_balanced` by default.",
    )

    def balance(self, table: str) -> Balance:
        """The same as the synthesizer takes it."""
        return Balance(self.name or f"{table}_balanced", table, self.column, self.ratio, self.rows)


class ScenarioSettings(Settings):
    """At least so many rows of a kind."""

    name: str = Field(
        min_length=1,
        max_length=100,
        description="What report and manifest call it; it is published, unlike `where`.",
    )
    where: Annotated[str, AfterValidator(_is_condition)] | None = Field(
        default=None,
        description="A condition on the row's columns, such as \"status = 'chargeback' AND total "
        '>= 1000"; see docs/contracts.md.',
    )
    children: dict[str, Annotated[int | str, AfterValidator(_is_number)]] = Field(
        default_factory=dict,
        description="Number of rows that refer to it, by their table: 0, 3 or '>= 3'.",
    )
    at_least: int = Field(ge=1, description="How many such rows there must be.")

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if self.where is None and not self.children:
            raise ValueError("needs 'where', or 'children', or both")
        return self

    def scenario(self) -> Scenario:
        """The same as the synthesizer takes it."""
        children = {table: parse_children(number) for table, number in self.children.items()}
        return Scenario(self.name, self.at_least, self.where or "", children)
