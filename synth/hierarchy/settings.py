"""How a hierarchy is fitted."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from prefect_synth.synth.effort import Effort
from prefect_synth.synth.encoding.table import EncodingSettings
from prefect_synth.synth.generation.keys import Keys
from prefect_synth.synth.hierarchy.links import OnOrphan
from prefect_synth.synth.privacy.settings import DifferentialPrivacy
from prefect_synth.synth.rules.applying import Rules


@dataclass(frozen=True)
class HierarchySettings:
    """How a hierarchy is fitted.

    Args:
        row_model: A name of `row_models.factory.MAKERS`, or `auto`.
        seed: Of every draw in fitting.
        keep: Reference tables that are published as they are.
        on_orphan: What to do with a foreign key whose parent does not exist.
        encoding: Locale and marginals.
        keys: Whether minted keys are `fresh` with every seed, or `stable` from run to run.
        rules: `infer`, or `none`, or lines by table, held beside those that are found.
        infer_rules: Whether rules are looked for beside those that are given.
        unit: The table whose rows are people: what is rare is counted in them, and no row of it or
            below it is ever modelled by itself. Guessed where None.
        budget_seconds: Processor seconds that `auto` may spend on fitting a table; None for any.
        effort: What networks may spend on a table.
        privacy: How models are differentially private; None where they are not.
    """

    row_model: str = "copula"
    seed: int = 0
    keep: Collection[str] = ()
    on_orphan: OnOrphan = "error"
    encoding: EncodingSettings = field(default_factory=EncodingSettings)
    keys: Keys = "fresh"
    rules: Rules = "infer"
    infer_rules: bool = True
    unit: str | None = None
    budget_seconds: float | None = None
    effort: Effort = field(default_factory=Effort)
    privacy: DifferentialPrivacy | None = None

    @property
    def with_styles(self) -> bool:
        """Whether parents have styles; a Gaussian takes numbers better."""
        return self.row_model not in ("copula", "independent")
