"""Synthesizers of one table by adversarial networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from prefect_synth.synth.devices import Device
from prefect_synth.synth.effort import Effort
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.hierarchy.part import column_key
from prefect_synth.synth.inference import as_table
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.row_models.base import RowModel
from prefect_synth.synth.row_models.gan import EPOCHS, MOST_ROWS, GANRowModel
from prefect_synth.synth.row_models.gan_objectives import OBJECTIVES
from prefect_synth.synth.single_table import SingleRules, SingleTableSynthesizer

PLAIN = tuple(name for name, objective in OBJECTIVES.items() if not objective.conditions)
"""The objectives of a `GANSynthesizer`."""


class GANSynthesizer(SingleTableSynthesizer):
    """Synthesize one table by a generator that plays against a critic.

    Fitting needs torch, `pip install "prefect-synth[torch]"`; a fitted model is sampled without.

    Args:
        metadata: Metadata of exactly one table; inferred from the data where None.
        objective: What they play for: gan, cgan, wgan, wgan-gp, cwgan-gp, dragan or cramer-gan.
        label: The column whose classes `cgan` and `cwgan-gp` draw rows for; where None the
            category of the fewest values. `sample(conditions={label: value})` draws one class.
        epochs: Passes over the data.
        most_rows: Rows to train on at most; of more a random part is taken.
        max_minutes: Wall clock that training may take; None for any.
        device: Where it is trained: auto, cpu, cuda or mps.
        seed: Of fitting, and of `sample` where it is given none.
        locale: Faker's locale for personal data.
        rules: As `SingleTableSynthesizer` takes them.

    Raises:
        SynthesisError: The metadata has several tables, or relations; an argument is impossible.
        MissingTorchError: At `fit`: torch is not installed.

    Example:
        >>> table = pa.table({"size": ["S", "L"] * 100, "price": [5, 9] * 100})
        >>> made = GANSynthesizer(objective="cwgan-gp", label="size", epochs=2).fit(table)
        >>> made.sample(3, conditions={"size": "L"})["size"].to_pylist()
        ['L', 'L', 'L']
    """

    row_model = "gan"

    def __init__(
        self,
        metadata: Metadata | None = None,
        *,
        objective: str = "wgan-gp",
        label: str | None = None,
        epochs: int = EPOCHS,
        most_rows: int = MOST_ROWS,
        max_minutes: float | None = None,
        device: Device = "auto",
        seed: int = 0,
        locale: str = "en_US",
        rules: SingleRules = "infer",
    ) -> None:
        super().__init__(metadata, seed=seed, locale=locale, rules=rules)
        if objective not in PLAIN:
            raise SynthesisError(
                f"The objective '{objective}' is not known. Use one of: {', '.join(PLAIN)}."
            )
        if label is not None and not OBJECTIVES[objective].label:
            raise SynthesisError(
                f"The objective '{objective}' takes no label, and got '{label}'. Use cgan or "
                "cwgan-gp."
            )
        if most_rows < 1:
            raise SynthesisError(f"most_rows must be at least 1, got {most_rows}.")
        effort = Effort(epochs, max_minutes, device)
        self.objective, self.label, self.most_rows = objective, label, most_rows
        self.epochs, self.max_minutes, self.device = epochs, effort.max_minutes, effort.device
        self.row_model = objective

    def fit(self, table: pa.Table | Path) -> Self:
        """Learn from an Arrow table, or from a Parquet file.

        Raises:
            SynthesisError: The table and the metadata do not fit, a type is not known, or the
                label cannot be one.
            MissingTorchError: torch is not installed.
        """
        data = as_table(table)
        if self.label is not None and self.label not in data.column_names:
            raise SynthesisError(
                f"The label '{self.label}' is no column of the table. Its columns are: "
                f"{', '.join(data.column_names)}."
            )
        return super().fit(data)

    def _settings(self) -> dict[str, Any]:
        own = ("objective", "label", "epochs", "most_rows", "max_minutes", "device")
        return {**super()._settings(), **{name: getattr(self, name) for name in own}}

    def _new_row_model(self) -> RowModel:
        label = 0 if self.label is None else column_key(self.label)
        return GANRowModel(
            self.objective, self.epochs, self.most_rows, label, self.max_minutes, self.device
        )


class CTGANSynthesizer(SingleTableSynthesizer):
    """Synthesize one table by a conditional GAN: modes of numbers, a conditional vector, packs.

    Fitting needs torch, `pip install "prefect-synth[torch]"`; a fitted model is sampled without.

    Args:
        metadata: Metadata of exactly one table; inferred from the data where None.
        epochs: Passes over the data.
        most_rows: Rows to train on at most; of more a random part is taken.
        max_minutes: Wall clock that training may take; None for any.
        device: Where it is trained: auto, cpu, cuda or mps.
        seed: Of fitting, and of `sample` where it is given none.
        locale: Faker's locale for personal data.
        rules: As `SingleTableSynthesizer` takes them.

    Raises:
        SynthesisError: The metadata has several tables, or relations; a number is too small.
        MissingTorchError: At `fit`: torch is not installed.

    Example:
        >>> table = pa.table({"size": ["S", "L"] * 100, "price": [5, 9] * 100})
        >>> made = CTGANSynthesizer(epochs=2).fit(table).sample(3, conditions={"size": "L"})
        >>> made["size"].to_pylist()
        ['L', 'L', 'L']
    """

    row_model = "ctgan"

    def __init__(
        self,
        metadata: Metadata | None = None,
        *,
        epochs: int = EPOCHS,
        most_rows: int = MOST_ROWS,
        max_minutes: float | None = None,
        device: Device = "auto",
        seed: int = 0,
        locale: str = "en_US",
        rules: SingleRules = "infer",
    ) -> None:
        super().__init__(metadata, seed=seed, locale=locale, rules=rules)
        if most_rows < 1:
            raise SynthesisError(f"most_rows must be at least 1, got {most_rows}.")
        effort = Effort(epochs, max_minutes, device)
        self.epochs, self.most_rows = epochs, most_rows
        self.max_minutes, self.device = effort.max_minutes, effort.device

    def _settings(self) -> dict[str, Any]:
        own = ("epochs", "most_rows", "max_minutes", "device")
        return {**super()._settings(), **{name: getattr(self, name) for name in own}}

    def _new_row_model(self) -> RowModel:
        return GANRowModel(
            self.row_model, self.epochs, self.most_rows, 0, self.max_minutes, self.device
        )


class CopulaGANSynthesizer(CTGANSynthesizer):
    """Synthesize one table as a `CTGANSynthesizer` does, over normal scores of numbers.

    Fitting needs torch, `pip install "prefect-synth[torch]"`; a fitted model is sampled without.

    Args:
        metadata: Metadata of exactly one table; inferred from the data where None.
        epochs: Passes over the data.
        most_rows: Rows to train on at most; of more a random part is taken.
        max_minutes: Wall clock that training may take; None for any.
        device: Where it is trained: auto, cpu, cuda or mps.
        seed: Of fitting, and of `sample` where it is given none.
        locale: Faker's locale for personal data.
        rules: As `SingleTableSynthesizer` takes them.

    Raises:
        SynthesisError: The metadata has several tables, or relations; a number is too small.
        MissingTorchError: At `fit`: torch is not installed.
    """

    row_model = "copula-gan"
