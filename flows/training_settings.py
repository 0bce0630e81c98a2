"""What the training of networks may take: the project file's `run.training`."""

from __future__ import annotations

from pydantic import Field

from prefect_synth.synth.devices import Device
from prefect_synth.synth.effort import Effort
from prefect_synth.tasks.settings import Settings


class TrainingSettings(Settings):
    """What networks may spend on a table, and how `auto` chooses."""

    epochs: int | None = Field(
        default=None,
        ge=1,
        description="Passes of a network over a table at most; by default the network's own.",
    )
    max_minutes: float | None = Field(
        default=None,
        gt=0,
        description="Minutes on the clock for each network; what it learned until then is kept. "
        "A network that was cut off differs from run to run.",
    )
    device: Device = Field(
        default="auto",
        description="Where networks are trained; `auto` is CUDA where there is some.",
    )
    contest: bool = Field(
        default=False,
        description="Whether `auto` fits several models to a part of each table, and takes the "
        "one whose rows are told from held-back ones the least.",
    )

    def effort(self) -> Effort:
        """The same as a synthesizer takes it."""
        return Effort(**self.model_dump())
