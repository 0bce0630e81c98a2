"""Synthesizers of one table by networks that learn by likelihood."""

from __future__ import annotations

from typing import Any, get_args

import pyarrow as pa  # noqa: F401 - for the examples

from prefect_synth.synth.devices import Device
from prefect_synth.synth.effort import Effort
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.privacy.settings import DifferentialPrivacy
from prefect_synth.synth.row_models.argn import EPOCHS, MOST_ROWS, ARGNRowModel
from prefect_synth.synth.row_models.base import RowModel
from prefect_synth.synth.row_models.dense import Numbers
from prefect_synth.synth.row_models.tvae import EPOCHS as TVAE_EPOCHS
from prefect_synth.synth.row_models.tvae import TVAERowModel
from prefect_synth.synth.single_table import SingleRules, SingleTableSynthesizer


class ARGNSynthesizer(SingleTableSynthesizer):
    """Synthesize one table by an autoregressive network over discretised columns.

    Fitting needs torch, `pip install "prefect-synth[torch]"`; a fitted model is sampled without.

    Args:
        metadata: Metadata of exactly one table; inferred from the data where None.
        epochs: Passes over the data at most; training stops by itself.
        most_rows: Rows to train on at most; of more a random part is taken.
        seed: Of fitting, and of `sample` where it is given none.
        locale: Faker's locale for personal data.
        rules: As `SingleTableSynthesizer` takes them.
        privacy: How it is differentially private; None where it is not.

    Raises:
        SynthesisError: The metadata has several tables, or relations.
        MissingTorchError: At `fit`: torch is not installed.

    Example:
        >>> table = pa.table({"size": ["S", "L"] * 100, "price": [5, 9] * 100})
        >>> made = ARGNSynthesizer(epochs=5).fit(table).sample(4, conditions={"size": "L"})
        >>> made["size"].to_pylist()
        ['L', 'L', 'L', 'L']
    """

    row_model = "argn"

    def __init__(
        self,
        metadata: Metadata | None = None,
        *,
        epochs: int = EPOCHS,
        most_rows: int = MOST_ROWS,
        seed: int = 0,
        locale: str = "en_US",
        rules: SingleRules = "infer",
        privacy: DifferentialPrivacy | None = None,
    ) -> None:
        super().__init__(metadata, seed=seed, locale=locale, rules=rules, privacy=privacy)
        for name, number in (("epochs", epochs), ("most_rows", most_rows)):
            if number < 1:
                raise SynthesisError(f"{name} must be at least 1, got {number}.")
        self.epochs, self.most_rows = epochs, most_rows

    def _settings(self) -> dict[str, Any]:
        return {**super()._settings(), "epochs": self.epochs, "most_rows": self.most_rows}

    def _new_row_model(self) -> RowModel:
        return ARGNRowModel(self.epochs, self.most_rows)


class TVAESynthesizer(SingleTableSynthesizer):
    """Synthesize one table by a variational autoencoder: TVAE of Xu et al. (2019).

    Fitting needs torch, `pip install "prefect-synth[torch]"`; a fitted model is sampled without.

    Args:
        metadata: Metadata of exactly one table; inferred from the data where None.
        epochs: Passes over the data at most; training stops by itself.
        most_rows: Rows to train on at most; of more a random part is taken.
        numbers: How numbers are written: `scores` of their ranks, or `modes` as in the paper.
        max_minutes: Wall clock that training may take; None for any.
        device: Where it is trained.
        seed: Of fitting, and of `sample` where it is given none.
        locale: Faker's locale for personal data.
        rules: As `SingleTableSynthesizer` takes them.

    Raises:
        SynthesisError: The metadata has several tables, or relations, or a setting is not known.
        MissingTorchError: At `fit`: torch is not installed.

    Example:
        >>> table = pa.table({"size": ["S", "L"] * 100, "price": [5.0, 9.0] * 100})
        >>> made = TVAESynthesizer(epochs=5).fit(table).sample(4, conditions={"size": "L"})
        >>> made["size"].to_pylist()
        ['L', 'L', 'L', 'L']
    """

    row_model = "tvae"

    def __init__(
        self,
        metadata: Metadata | None = None,
        *,
        epochs: int = TVAE_EPOCHS,
        most_rows: int = MOST_ROWS,
        numbers: Numbers = "scores",
        max_minutes: float | None = None,
        device: Device = "auto",
        seed: int = 0,
        locale: str = "en_US",
        rules: SingleRules = "infer",
    ) -> None:
        super().__init__(metadata, seed=seed, locale=locale, rules=rules)
        Effort(epochs, max_minutes, device)  # checks them
        if most_rows < 1:
            raise SynthesisError(f"most_rows must be at least 1, got {most_rows}.")
        if numbers not in get_args(Numbers):
            raise SynthesisError(f"numbers must be 'scores' or 'modes', got '{numbers}'.")
        self.epochs, self.most_rows, self.numbers = epochs, most_rows, numbers
        self.max_minutes, self.device = max_minutes, device

    def _settings(self) -> dict[str, Any]:
        names = ("epochs", "most_rows", "numbers", "max_minutes", "device")
        return {**super()._settings(), **{name: getattr(self, name) for name in names}}

    def _new_row_model(self) -> RowModel:
        return TVAERowModel(
            self.epochs, self.most_rows, self.numbers, self.max_minutes, self.device
        )
