"""What must hold before a snapshot is published: the `gates` of `synth.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from prefect_synth.expectations.bounds import AtLeast, AtMost, Bound, OnFail, Risk, Share, Strict


class ColumnGates(Strict):
    """How near each learned column must be to the real one, before sampling error."""

    ks: Share = Field(
        default=0.8, description="Smallest KS complement of a number or datetime column."
    )
    tv: Share = Field(default=0.8, description="Smallest TV complement of a categorical column.")
    nulls: Share = Field(default=0.05, description="Largest difference of the shares of nulls.")
    in_range: Share = Field(default=0.95, description="Smallest share of values in the real range.")
    mean: float = Field(
        default=0.25,
        ge=0,
        description="Largest shift of a column's mean, in real standard deviations.",
    )
    coverage: Share = Field(
        default=0.9,
        description="Smallest share of the real rows whose category occurs in the synthetic column "
        "at all.",
    )
    on_fail: OnFail = Field(default="block", description="Whether to block, or only to warn.")


class QualityGates(Strict):
    """Smallest accepted scores; None leaves one out.

    The defaults are a coarse net. What an honest copy scores depends on the schema: values that
    are made up, and pairs of many categories among few rows, score low by definition.
    """

    min: AtLeast | None = Field(default=AtLeast(min=0.4), description="Overall quality.")
    per_table: AtLeast | None = Field(default=None, description="Quality of any one table.")
    cardinality: AtLeast | None = Field(
        default=AtLeast(min=0.5), description="Score of children per parent."
    )
    intertable: AtLeast | None = Field(default=None, description="Score of intertable trends.")
    data_validity: AtLeast | None = Field(
        default=AtLeast(min=0.9, on_fail="warn"),
        description="Keys unique, values within the real ranges and categories.",
    )
    relationship_validity: AtLeast | None = Field(
        default=None,
        description="Foreign keys that resolve, and no parent with more children than real ones.",
    )
    khop: AtLeast | None = Field(
        default=None, description="Score of trends between a row and its grandparents."
    )
    dependence: AtLeast | None = Field(
        default=AtLeast(min=0.2),
        description="How much of a column's dependence on the table's others is kept: 0 if it "
        "were drawn alone, 1 as in the holdout.",
    )
    relations: AtLeast | None = Field(
        default=AtLeast(min=0.2),
        description="How much of the children's dependence on their parents is kept: 0 if they "
        "were drawn alone, 1 as in the holdout.",
    )
    sequences: AtLeast | None = Field(
        default=None, description="Autocorrelation and gaps of sequences."
    )
    c2st: AtMost | None = Field(
        default=AtMost(max=0.99, on_fail="warn"),
        description="AUC of a classifier that tells synthetic rows from real ones.",
    )
    c2st_relations: AtMost | None = Field(
        default=None, description="The same for rows joined with their parents or children."
    )
    tstr: AtLeast | None = Field(
        default=AtLeast(below_ceiling=0.2, on_fail="warn"),
        description="Score on the holdout of a predictor trained on synthetic rows, for "
        "`targets`; its ceiling is the one trained on real rows.",
    )


class PrivacyGates(Strict):
    """How much of the real data may turn up again; None leaves a gate out."""

    copied_rows: Risk | None = Field(
        default=Risk(max=0.002),
        description="Share of copies of unique real rows accepted above the natural rate.",
    )
    pii_values: Share = Field(
        default=0.0, description="Share of values of a PII column that may equal a real value."
    )
    rare_values: Risk | None = Field(
        default=Risk(max=0.0),
        description="Share of rows with a category that fewer than `k` real units have, accepted "
        "above the natural rate.",
    )
    k: int = Field(
        default=5, ge=2, description="Units that must share a value before it may be published."
    )
    k_anonymity: int | None = Field(
        default=None,
        ge=2,
        description="Synthetic rows that must share each combination of quasi-identifiers; by "
        "default it is only reported, since no synthetic row is anybody's.",
    )
    strict: bool = Field(
        default=False,
        description="Accept no rare value and no copy of a unique row, natural rate or not.",
    )
    nearer_to_training: Risk | None = Field(
        default=Risk(max=0.55),
        description="Share of synthetic rows that lie nearer to a training row than to a holdout "
        "row; one half is ideal.",
    )
    membership: Risk | None = Field(
        default=Risk(max=0.6), description="AUC of a membership inference attack."
    )
    membership_tpr: Risk | None = Field(
        default=Risk(max=0.02),
        description="Members that the attack finds when it accuses one in a hundred others.",
    )
    attribute_inference: Risk | None = Field(
        default=Risk(max=0.1),
        description="How much better a secret column is guessed of training rows than of holdout "
        "rows (CategoricalCAP).",
    )
    singling_out: Risk | None = Field(default=Risk(max=0.1), description="Singling-out risk.")
    linkability: Risk | None = Field(default=Risk(max=0.1), description="Linkability risk.")
    inference: Risk | None = Field(default=Risk(max=0.1), description="Inference risk.")
    canaries: tuple[str, ...] = Field(
        default=(),
        description="Values planted in the warehouse that must never turn up, in any column.",
    )


class Gates(Strict):
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
    targets: tuple[str, ...] = Field(
        default=(),
        description="Columns as `table.column` that people will train predictors of.",
    )
    max_age_hours: float | None = Field(
        default=24,
        gt=0,
        description="Oldest data that are published, counted from the pull.",
    )
    max_rows: int = Field(
        default=200_000,
        ge=1,
        description="Rows of a table that are held in memory at once; above it a seeded sample "
        "is judged, and only keys, nulls, rules and row counts on all rows.",
    )
    compared_rows: int = Field(
        default=20_000,
        ge=100,
        description="Rows of a table that trends with other tables, predictors and attacks see.",
    )
    classified_rows: int = Field(
        default=5_000,
        ge=100,
        description="Rows of a table that classifiers tell from as many real ones.",
    )
    false_alarm: float = Field(
        default=0.001,
        gt=0,
        lt=1,
        description="Chance that sampling error alone stops an honest column.",
    )
    seed: int = Field(default=0, description="Seed of the samples that are judged.")

    @model_validator(mode="before")
    @classmethod
    def _bounds_in_part(cls, value: Any) -> Any:
        """A bound of which a part is written keeps the rest of its default."""
        if not isinstance(value, Mapping):
            return value
        sections: dict[str, type[Strict]] = {"quality": QualityGates, "privacy": PrivacyGates}
        filled = {
            name: _with_defaults(section, value[name])
            for name, section in sections.items()
            if isinstance(value.get(name), Mapping)
        }
        return {**value, **filled}

    def with_overrides(self, other: TableGates | None) -> Self:
        """These gates, with what is set for one table in their place."""
        if other is None:
            return self
        changed = other.model_dump(exclude_unset=True)
        if "min" in changed.get("quality", {}):
            changed["quality"]["per_table"] = changed["quality"].pop("min")
        return type(self).model_validate(_merged(self.model_dump(), changed))


class TableQualityGates(Strict):
    """What is asked of one table's fidelity, as far as it differs."""

    min: AtLeast | None = Field(default=None, description="Quality of the table.")
    dependence: AtLeast | None = Field(
        default=None, description="How much of each column's dependence is kept."
    )
    relations: AtLeast | None = Field(
        default=None, description="How much of its rows' dependence on their parents is kept."
    )
    c2st: AtMost | None = Field(default=None, description="AUC of a classifier on its rows.")
    c2st_relations: AtMost | None = Field(
        default=None, description="The same for rows joined with their parents or children."
    )
    tstr: AtLeast | None = Field(default=None, description="Score of predictors of its targets.")


class TableGates(Strict):
    """What must hold of one table, as far as it differs from the project's gates."""

    keys: bool = Field(default=True, description="Whether a broken key blocks or only warns.")
    row_tolerance: Share = Field(
        default=0.1, description="Accepted relative difference of its row count."
    )
    columns: ColumnGates = Field(default=ColumnGates(), description="Its columns.")
    quality: TableQualityGates = Field(default=TableQualityGates(), description="Its fidelity.")
    privacy: PrivacyGates = Field(default=PrivacyGates(), description="Its privacy.")


def _with_defaults(section: type[Strict], given: Mapping[str, Any]) -> dict[str, Any]:
    filled = dict(given)
    for name, value in given.items():
        field = section.model_fields.get(name)
        if field is not None and isinstance(field.default, Bound) and isinstance(value, Mapping):
            filled[name] = {**field.default.model_dump(exclude_none=True), **value}
    return filled


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings merged key by key, at every depth."""
    both = {
        key: _merged(below[key], value)
        if isinstance(value, Mapping) and isinstance(below.get(key), Mapping)
        else value
        for key, value in above.items()
    }
    return {**below, **both}
