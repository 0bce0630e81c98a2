"""The mathematics: usable in a notebook with nothing else of this package.

>>> from prefect_synth.synth import HMASynthesizer, Metadata, TreesSynthesizer
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefect_synth.synth.hierarchy.hma import HMASynthesizer
    from prefect_synth.synth.metadata import Metadata
    from prefect_synth.synth.scenarios.scenario import ChildCount, Scenario
    from prefect_synth.synth.single import (
        ARGNSynthesizer,
        AutoSynthesizer,
        GaussianCopulaSynthesizer,
        TreesSynthesizer,
        TVAESynthesizer,
    )
    from prefect_synth.synth.single_gan import (
        CopulaGANSynthesizer,
        CTGANSynthesizer,
        GANSynthesizer,
    )
    from prefect_synth.synth.single_sequences import (
        DoppelGANgerSynthesizer,
        PARSynthesizer,
        TimeGANSynthesizer,
    )
    from prefect_synth.synth.single_table import SingleTableSynthesizer

__all__ = [
    "ARGNSynthesizer",
    "AutoSynthesizer",
    "CTGANSynthesizer",
    "ChildCount",
    "CopulaGANSynthesizer",
    "DoppelGANgerSynthesizer",
    "GANSynthesizer",
    "GaussianCopulaSynthesizer",
    "HMASynthesizer",
    "Metadata",
    "PARSynthesizer",
    "Scenario",
    "SingleTableSynthesizer",
    "TVAESynthesizer",
    "TimeGANSynthesizer",
    "TreesSynthesizer",
]

_HOMES = {
    "ARGNSynthesizer": "prefect_synth.synth.single",
    "AutoSynthesizer": "prefect_synth.synth.single",
    "CTGANSynthesizer": "prefect_synth.synth.single_gan",
    "ChildCount": "prefect_synth.synth.scenarios.scenario",
    "CopulaGANSynthesizer": "prefect_synth.synth.single_gan",
    "GANSynthesizer": "prefect_synth.synth.single_gan",
    "DoppelGANgerSynthesizer": "prefect_synth.synth.single_sequences",
    "GaussianCopulaSynthesizer": "prefect_synth.synth.single",
    "HMASynthesizer": "prefect_synth.synth.hierarchy.hma",
    "Metadata": "prefect_synth.synth.metadata",
    "PARSynthesizer": "prefect_synth.synth.single_sequences",
    "Scenario": "prefect_synth.synth.scenarios.scenario",
    "SingleTableSynthesizer": "prefect_synth.synth.single_table",
    "TVAESynthesizer": "prefect_synth.synth.single",
    "TimeGANSynthesizer": "prefect_synth.synth.single_sequences",
    "TreesSynthesizer": "prefect_synth.synth.single",
}


def __getattr__(name: str) -> Any:
    """Import a public class when it is first used: help and metadata need no SciPy."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
