"""How much work may go into a table's model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from prefect_synth.synth.devices import Device
from prefect_synth.synth.errors import SynthesisError


@dataclass(frozen=True)
class Effort:
    """How much work may go into a table's model, where it is a network or there is a choice.

    Args:
        epochs: Passes of a network over the rows at most; its own number where None.
        max_minutes: Wall clock that a network may take; what it learned until then is kept, and
            the same seed gives the same bytes only where it was not cut off. None for any.
        device: Where networks are trained.
        contest: Whether `auto` fits several row models to a part of the rows, and takes the one
            whose rows a classifier tells from held-back ones the least.

    Raises:
        SynthesisError: A number is too small, or the device is not known.
    """

    epochs: int | None = None
    max_minutes: float | None = None
    device: Device = "auto"
    contest: bool = False

    def __post_init__(self) -> None:
        if self.epochs is not None and self.epochs < 1:
            raise SynthesisError(f"epochs must be at least 1, got {self.epochs}.")
        if self.max_minutes is not None and not self.max_minutes > 0:
            raise SynthesisError(f"max_minutes must be above 0, got {self.max_minutes}.")
        if self.device not in get_args(Device):
            raise SynthesisError(
                f"The device '{self.device}' is not known. Use one of: "
                f"{', '.join(get_args(Device))}."
            )
