"""What must hold before a snapshot is published: the `gates` of `synth.yaml`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnGates(_Settings):
    """How near each learned column must be to the real one, before sampling error."""

    ks: Share = Field(
        default=0.8, description="Smallest KS complement of a number or datetime column."
    )
    tv: Share = Field(default=0.8, description="Smallest TV complement of a categorical column.")
    nulls: Share = Field(default=0.05, description="Largest difference of the shares of nulls.")
    in_range: Share = Field(default=0.95, description="Smallest share of values in the real range.")


class QualityGates(_Settings):
    """Smallest accepted scores, by the definitions of SDMetrics; None leaves one out.

    The defaults are a coarse net. What an honest copy scores depends on the schema: values that
    are made up, and pairs of many categories among few rows, score low by definition.
    """

    min: Share | None = Field(default=0.4, description="Smallest overall quality.")
    per_table: Share | None = Field(default=None, description="Smallest quality of any one table.")
    cardinality: Share | None = Field(
        default=0.5, description="Smallest score of children per parent."
    )
    intertable: Share | None = Field(
        default=None, description="Smallest score of intertable trends."
    )


class PrivacyGates(_Settings):
    """How much of the real data may turn up again."""

    copied_rows: Share = Field(
        default=0.01,
        description="Share of copies of unique real rows accepted above the natural rate.",
    )
    pii_values: Share = Field(
        default=0.0, description="Share of values of a PII column that may equal a real value."
    )


class Gates(_Settings):
    """All gates of a project. Every default lets a good run pass and stops a bad one."""

    keys: bool = Field(
        default=True, description="Whether a broken key blocks; otherwise it only warns."
    )
    row_tolerance: Share = Field(
        default=0.1, description="Accepted relative difference of row counts."
    )
    columns: ColumnGates = ColumnGates()
    quality: QualityGates = QualityGates()
    privacy: PrivacyGates = PrivacyGates()
    max_rows: int = Field(
        default=200_000,
        ge=1,
        description="Rows of a table that are held in memory at once; above it a seeded sample "
        "is judged, and only keys, nulls and row counts on all rows.",
    )
    false_alarm: float = Field(
        default=0.001,
        gt=0,
        lt=1,
        description="Chance that sampling error alone stops an honest column.",
    )
    seed: int = Field(default=0, description="Seed of the samples that are judged.")
