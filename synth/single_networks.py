"""Synthesizers of one table by networks that learn by likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa

from prefect_synth.synth.devices import Device
from prefect_synth.synth.effort import Effort
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.imputation import impute
from prefect_synth.synth.inference import as_table
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.privacy.settings import DifferentialPrivacy
from prefect_synth.synth.row_models.argn import EPOCHS, MOST_ROWS, ARGNRowModel
from prefect_synth.synth.row_models.argn_any_order import EPOCHS as ANY_ORDER_EPOCHS
from prefect_synth.synth.row_models.argn_any_order import AnyOrderRowModel
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
        epochs: Passes over the data at most; training stops by itself. 40 where None, 80 where it
            is flexible.
        most_rows: Rows to train on at most; of more a random part is taken.
        flexible: Learn to predict each column from any others, for `impute` and for conditions
            that all other columns follow; columns before others are otherwise all that is told.
        max_minutes: Wall clock that training may take; None for any.
        device: Where it is trained: auto, cpu, cuda or mps.
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
        epochs: int | None = None,
        most_rows: int = MOST_ROWS,
        flexible: bool = False,
        max_minutes: float | None = None,
        device: Device = "auto",
        seed: int = 0,
        locale: str = "en_US",
        rules: SingleRules = "infer",
        privacy: DifferentialPrivacy | None = None,
    ) -> None:
        super().__init__(metadata, seed=seed, locale=locale, rules=rules, privacy=privacy)
        if epochs is None:
            epochs = ANY_ORDER_EPOCHS if flexible else EPOCHS
        for name, number in (("epochs", epochs), ("most_rows", most_rows)):
            if number < 1:
                raise SynthesisError(f"{name} must be at least 1, got {number}.")
        if flexible and privacy is not None:
            raise SynthesisError(
                "flexible=True cannot be had with differential privacy. Leave one of them out."
            )
        self.epochs, self.most_rows, self.flexible = epochs, most_rows, flexible
        self.effort = Effort(epochs, max_minutes, device)

    def impute(
        self, table: pa.Table | Path, seed: int | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Fill missing values by draws given all that is there in the row; it stays as it is.

        Args:
            table: Rows of the schema that was fitted, seen in training or not.
            seed: Of the draws; the synthesizer's own where None. Another seed gives other values:
                several fillings tell how sure they are (multiple imputation, Rubin 1987).
            columns: The columns to fill; where None all that are modelled, or determined by rules.

        Raises:
            NotFittedError: `fit` was not called.
            SynthesisError: It is not flexible, the schema is another one, or a column cannot be
                filled.

        Example:
            >>> table = pa.table({"size": ["S", "L", None] * 100, "price": [5, 9, 9] * 100})
            >>> ARGNSynthesizer(epochs=2, flexible=True).fit(table).impute(table)["size"].null_count
            0
        """
        seed = self.seed if seed is None else seed
        return impute(self._fitted(), as_table(table), seed, columns)

    def _settings(self) -> dict[str, Any]:
        own = {"epochs": self.epochs, "most_rows": self.most_rows, "flexible": self.flexible}
        clock = {"max_minutes": self.effort.max_minutes, "device": self.effort.device}
        return {**super()._settings(), **own, **clock}

    def _new_row_model(self) -> RowModel:
        kind = AnyOrderRowModel if self.flexible else ARGNRowModel
        effort = self.effort
        return kind(
            self.epochs, self.most_rows, max_minutes=effort.max_minutes, device=effort.device
        )


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
