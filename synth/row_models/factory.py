"""Row models by name: a further one is a further line here, and a name in the registry."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol, runtime_checkable

from prefect_synth.synth.devices import Device
from prefect_synth.synth.effort import Effort
from prefect_synth.synth.row_models.argn import ARGNRowModel
from prefect_synth.synth.row_models.argn_any_order import AnyOrderRowModel
from prefect_synth.synth.row_models.base import RowModel
from prefect_synth.synth.row_models.copula import CopulaRowModel
from prefect_synth.synth.row_models.doppelganger import DoppelGANgerRowModel
from prefect_synth.synth.row_models.gan import GANRowModel
from prefect_synth.synth.row_models.gan_objectives import OBJECTIVES
from prefect_synth.synth.row_models.par import PARRowModel
from prefect_synth.synth.row_models.timegan import TimeGANRowModel
from prefect_synth.synth.row_models.trees import TreesRowModel
from prefect_synth.synth.row_models.tvae import TVAERowModel
from prefect_synth.synth.training import History

MAKERS: Mapping[str, Callable[[], RowModel]] = {
    "copula": CopulaRowModel,
    "trees": TreesRowModel,
    "argn": ARGNRowModel,
    "argn-flexible": AnyOrderRowModel,
    "par": PARRowModel,
    "tvae": TVAERowModel,
    "timegan": TimeGANRowModel,
    "doppelganger": DoppelGANgerRowModel,
    "independent": partial(CopulaRowModel, independent=True),
    **{name: partial(GANRowModel, name) for name in OBJECTIVES},
}
"""How a row model is made, by the names that `registry.SYNTHESIZERS` resolves to."""


LIBRARIES = {
    "auto": "sklearn.tree",
    "trees": "sklearn.tree",
    "argn": "torch",
    "argn-flexible": "torch",
    "par": "torch",
    "tvae": "torch",
    **dict.fromkeys(OBJECTIVES, "torch"),
    "timegan": "torch",
    "doppelganger": "torch",
}
"""What row models import when they are first fitted, and not before."""


AS_IT_COMES = Effort()


@runtime_checkable
class Network(Protocol):
    """A row model that is trained by `synth.training`."""

    epochs: int
    max_minutes: float | None
    device: Device
    history: History | None


def load_library(name: str) -> None:
    """Import a row model's library ahead of its first use, so that no clock counts it.

    One that is not installed is left to the row model, which says what to do.
    """
    if name in LIBRARIES and importlib.util.find_spec(LIBRARIES[name].split(".")[0]):
        importlib.import_module(LIBRARIES[name])


def without_calibration(model: RowModel) -> RowModel:
    """The same model, not fitted yet, whose draws are not bent to the shares of the data.

    For rows that are not to have those shares all together: those at one position of sequences.
    """
    if isinstance(model, CopulaRowModel | ARGNRowModel | TVAERowModel):
        model.calibrated = False
    return model


def make_row_model(name: str, effort: Effort = AS_IT_COMES) -> RowModel:
    """A row model that is not fitted yet.

    Args:
        name: One of `MAKERS`.
        effort: What a network may spend; others take no notice.

    Raises:
        ValueError: There is none of that name.
    """
    if name not in MAKERS:
        raise ValueError(f"The row model '{name}' is not known. Use one of: {', '.join(MAKERS)}.")
    model = MAKERS[name]()
    if isinstance(model, Network):
        model.epochs = model.epochs if effort.epochs is None else effort.epochs
        model.max_minutes, model.device = effort.max_minutes, effort.device
    return model
