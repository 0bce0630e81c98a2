"""Which databases are fed: a part of the project file."""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, Field, SecretStr, model_validator

from prefect_synth.tasks.databases.address import dialect_of
from prefect_synth.tasks.databases.errors import TargetUrlError
from prefect_synth.tasks.databases.job import Create, Mode
from prefect_synth.tasks.settings import Settings


class FeedSettings(Settings):
    """A database that is fed with snapshots."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True
    )

    url: SecretStr | None = Field(
        default=None,
        description="postgresql://, mysql://, sqlite:///file.db or duckdb:///file.duckdb.",
    )
    block: str | None = Field(
        default=None,
        description="Name of a saved Database block that holds the URL, or type and name of "
        "another, such as sqlalchemy-connector/test; instead of `url`.",
    )
    mode: Mode = Field(
        default="replace",
        description="What becomes of rows that are there: replace, append, or upsert by key.",
    )
    tables: tuple[str, ...] | None = Field(
        default=None,
        description="Only these tables, with those that their foreign keys need.",
    )
    closure: bool = Field(
        default=True,
        description="Whether the tables that foreign keys need are fed too.",
    )
    into_schema: str | None = Field(
        default=None,
        alias="schema",
        description="Schema for all tables; by default the connection's own.",
    )
    create: Create = Field(
        default="missing",
        description="missing: existing tables stay as they are; never: all must exist; always: all "
        "are made anew.",
    )
    leave_out: bool = Field(
        default=False,
        description="Leave out columns that an existing table lacks, instead of refusing.",
    )
    snapshot: str = Field(
        default="latest",
        description="Name of the snapshot; by default the last good one.",
    )
    automatic: bool = Field(
        default=True,
        description="Feed it after each published snapshot, where serve or the deployment runs.",
    )
    allow_warehouse: bool = Field(
        default=False,
        description="Accept the warehouse's own database; refused by default.",
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.url is None) == (self.block is None):
            raise ValueError("needs exactly one of 'url' and 'block'")
        if self.url is not None:
            try:
                dialect_of(self.url.get_secret_value())
            except TargetUrlError as error:
                raise ValueError(str(error)) from None
        return self
