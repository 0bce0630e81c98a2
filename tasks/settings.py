"""Where the data comes from and where it goes: the connections' part of the project file."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

CREDENTIALS = ("aws-credentials", "minio-credentials")
"""Types of blocks that hold keys, and no address."""


class Settings(BaseModel):
    """A part of the project file: immutable, unknown keys refused, values hidden in errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class SampleSettings(Settings):
    """How much of the warehouse to read; whole families, so that no key dangles."""

    rows: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="At most about this many rows of the root table, with all that hang on.",
    )
    fraction: Annotated[float, Field(gt=0, le=1)] | None = Field(
        default=None,
        description="This share of the root table's rows, with all that hang on.",
    )
    root: str | None = Field(
        default=None,
        description="The table whose rows are chosen; by default the one without parents.",
    )

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if (self.rows is None) == (self.fraction is None):
            raise ValueError("needs exactly one of 'rows' and 'fraction'")
        return self


class WarehouseSettings(Settings):
    """The production warehouse: read only."""

    url: SecretStr | None = Field(
        default=None,
        description="duckdb:///shop.duckdb or postgresql://user:${PASSWORD}@host/database.",
    )
    block: str | None = Field(
        default=None,
        description="Name of a saved Warehouse block that holds the URL, or type and name of "
        "another, such as sqlalchemy-connector/prod; instead of `url`.",
    )
    schemas: tuple[str, ...] | None = Field(
        default=None,
        description="Schemas to read; by default the warehouse's own default schema.",
    )
    include: tuple[str, ...] = Field(default=("*",), description="Patterns of the tables to read.")
    exclude: tuple[str, ...] = Field(default=(), description="Patterns of the tables to leave out.")
    allow_writable: bool = Field(
        default=False,
        description="Accept a role that can write to the warehouse; refused by default.",
    )
    sample: SampleSettings | None = Field(
        default=None,
        description="Read only a part of the warehouse; by default everything is read.",
    )
    concurrency: int | None = Field(
        default=None,
        ge=1,
        description="How many refreshes may read this warehouse at a time, over all projects of "
        "one Prefect server; by default any number.",
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        return _exactly_one(self, "url", "block")


class RetainSettings(Settings):
    """Which snapshots stay in the sandbox."""

    last: int = Field(default=14, ge=1, description="How many of the newest snapshots to keep.")
    weekly: int = Field(
        default=8,
        ge=0,
        description="In how many of the newest weeks to keep the newest snapshot; pins stay.",
    )


class SandboxSettings(Settings):
    """The sandbox: where synthetic snapshots are published."""

    url: str | None = Field(
        default=None,
        description="A folder, s3://bucket/prefix, or another address of docs/snapshots.md.",
    )
    block: str | None = Field(
        default=None,
        description="Name of a saved Sandbox block that holds URL and keys, or s3-bucket/name; "
        "instead of `url`. aws-credentials/name and minio-credentials/name hold keys for `url`.",
    )
    endpoint_url: str | None = Field(
        default=None,
        description="Address of an S3 server that is not Amazon's.",
    )
    key: SecretStr | None = Field(
        default=None,
        description="Access key; by default the environment's own credentials are used.",
    )
    secret: SecretStr | None = Field(default=None, description="Secret key that belongs to `key`.")
    region: str | None = Field(default=None, description="Region of the bucket.")
    retain: RetainSettings = Field(
        default_factory=RetainSettings,
        description="Which snapshots stay in the sandbox.",
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.key is None) != (self.secret is None):
            raise ValueError("needs 'key' and 'secret' together, or neither")
        if (self.block or "").partition("/")[0] in CREDENTIALS:
            return self._with_url()
        return _exactly_one(self, "url", "block")

    def _with_url(self) -> Self:
        if self.url is None or self.key is not None:
            raise ValueError(f"needs 'url' beside '{self.block}', and no 'key'")
        return self


class StagingSettings(Settings):
    """Private staging: real rows, models and run state live here, never in the sandbox."""

    url: str | None = Field(
        default=None,
        description="A private local folder; by default .synth/<project> beside this file.",
    )
    keep_runs: int = Field(
        default=1,
        ge=0,
        description="Finished runs whose staged real rows are kept; older ones are deleted.",
    )


def _exactly_one(settings: Any, first: str, second: str) -> Any:
    if (getattr(settings, first) is None) == (getattr(settings, second) is None):
        raise ValueError(f"needs exactly one of '{first}' and '{second}'")
    return settings
