"""Row models by name: a further one is a further line here, and a name in the registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from prefect_synth.synth.row_models.argn import ARGNRowModel
from prefect_synth.synth.row_models.base import RowModel
from prefect_synth.synth.row_models.copula import CopulaRowModel
from prefect_synth.synth.row_models.trees import TreesRowModel

MAKERS: Mapping[str, Callable[[], RowModel]] = {
    "copula": CopulaRowModel,
    "trees": TreesRowModel,
    "argn": ARGNRowModel,
    "independent": partial(CopulaRowModel, independent=True),
}
"""How a row model is made, by the names that `registry.SYNTHESIZERS` resolves to."""


def make_row_model(name: str) -> RowModel:
    """A row model that is not fitted yet.

    Raises:
        ValueError: There is none of that name.
    """
    if name not in MAKERS:
        raise ValueError(f"The row model '{name}' is not known. Use one of: {', '.join(MAKERS)}.")
    return MAKERS[name]()
