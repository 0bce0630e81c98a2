"""Synthesizers of one table: a class for each row model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa  # noqa: F401 - for the examples

from prefect_synth.synth.devices import Device
from prefect_synth.synth.effort import Effort
from prefect_synth.synth.encoding.table import EncodingSettings
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.marginal_names import MARGINALS
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.privacy.settings import DifferentialPrivacy
from prefect_synth.synth.row_models.choice import Choice
from prefect_synth.synth.single_networks import ARGNSynthesizer, TVAESynthesizer
from prefect_synth.synth.single_table import SingleRules, SingleTableSynthesizer

__all__ = [
    "ARGNSynthesizer",
    "AutoSynthesizer",
    "GaussianCopulaSynthesizer",
    "TVAESynthesizer",
    "TreesSynthesizer",
]


class AutoSynthesizer(SingleTableSynthesizer):
    """Synthesize one table by the row model that suits it; `choice` says which one, and why.

    Args:
        metadata: Metadata of exactly one table; inferred from the data where None.
        contest: Whether several models are fitted to a part of the rows, and the one is taken
            whose rows a classifier tells from held-back ones the least.
        epochs: Passes of a network over the data at most; its own number where None.
        max_minutes: Wall clock of each network.
        device: Where networks are trained: auto, cpu, cuda or mps.
        seed: Of fitting, and of `sample` where it is given none.
        locale: Faker's locale for personal data.
        rules: As `SingleTableSynthesizer` takes them.

    Raises:
        SynthesisError: The metadata has several tables, or relations, or a number is too small.

    Example:
        >>> table = pa.table({"size": ["S", "L"] * 200, "price": [5, 9] * 200})
        >>> AutoSynthesizer().fit(table).choice.row_model
        'trees'
    """

    row_model = "auto"

    def __init__(
        self,
        metadata: Metadata | None = None,
        *,
        contest: bool = False,
        epochs: int | None = None,
        max_minutes: float | None = None,
        device: Device = "auto",
        seed: int = 0,
        locale: str = "en_US",
        rules: SingleRules = "infer",
    ) -> None:
        super().__init__(metadata, seed=seed, locale=locale, rules=rules)
        self.effort = Effort(epochs, max_minutes, device, contest)

    @property
    def choice(self) -> Choice:
        """The row model that was chosen, and a sentence that says why.

        Raises:
            NotFittedError: `fit` was not called.
        """
        choice = self._fitted().choice
        assert choice is not None  # noqa: S101 - set by fit
        return choice

    def _effort(self) -> Effort:
        return self.effort

    def _settings(self) -> dict[str, Any]:
        effort = self.effort
        own = {"contest": effort.contest, "epochs": effort.epochs}
        clock = {"max_minutes": effort.max_minutes, "device": effort.device}
        return {**super()._settings(), **own, **clock}


class GaussianCopulaSynthesizer(SingleTableSynthesizer):
    """Synthesize one table by a Gaussian copula, fitted in closed form.

    The fastest one; it keeps marginals and monotone dependence.

    Args:
        metadata: Metadata of exactly one table; inferred from the data where None.
        default_marginal: `quantile`, or a parametric family: norm, truncnorm, beta, gamma,
            student_t, uniform, gaussian_kde.
        marginals: Marginal of single columns, by column.
        seed: Of fitting, and of `sample` where it is given none.
        locale: Faker's locale for personal data.
        rules: As `SingleTableSynthesizer` takes them.
        privacy: How it is differentially private; None where it is not.

    Raises:
        SynthesisError: The metadata has several tables, or a marginal is not known.

    Example:
        >>> table = pa.table({"age": list(range(100)), "vip": [True, False] * 50})
        >>> synthesizer = GaussianCopulaSynthesizer().fit(table)
        >>> synthesizer.sample(3, seed=1, conditions={"vip": True})["vip"].to_pylist()
        [True, True, True]
    """

    row_model = "copula"

    def __init__(
        self,
        metadata: Metadata | None = None,
        *,
        default_marginal: str = "quantile",
        marginals: Mapping[str, str] | None = None,
        seed: int = 0,
        locale: str = "en_US",
        rules: SingleRules = "infer",
        privacy: DifferentialPrivacy | None = None,
    ) -> None:
        self.default_marginal, self.marginals = default_marginal, dict(marginals or {})
        super().__init__(metadata, seed=seed, locale=locale, rules=rules, privacy=privacy)
        for marginal in (default_marginal, *(marginals or {}).values()):
            if marginal not in MARGINALS:
                raise SynthesisError(
                    f"The marginal '{marginal}' is not known. Use {', '.join(MARGINALS)}."
                )

    def _settings(self) -> dict[str, Any]:
        own = {"default_marginal": self.default_marginal, "marginals": self.marginals}
        return {**super()._settings(), **own}

    def _encoding(self, name: str) -> EncodingSettings:
        unknown = [c for c in self.marginals if c not in self.table.columns]
        if unknown:
            raise SynthesisError(
                f"A marginal is given for '{unknown[0]}', but table '{name}' has no such column."
            )
        marginals = {f"{name}.{column}": m for column, m in self.marginals.items()}
        return EncodingSettings(self.locale, self.default_marginal, marginals)


class TreesSynthesizer(SingleTableSynthesizer):
    """Synthesize one table by sequential trees: each column from a tree over those before it.

    Args:
        metadata: Metadata of exactly one table; inferred from the data where None.
        seed: Of fitting, and of `sample` where it is given none.
        locale: Faker's locale for personal data.
        rules: As `SingleTableSynthesizer` takes them.

    Raises:
        SynthesisError: The metadata has several tables, or relations.

    Example:
        >>> table = pa.table({"size": ["S", "L"] * 200, "price": [5, 9] * 200})
        >>> made = TreesSynthesizer().fit(table).sample(40, conditions={"size": "L"})
        >>> set(made["price"].to_pylist())
        {9}
    """

    row_model = "trees"
