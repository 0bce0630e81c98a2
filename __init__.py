"""prefect-synth: nightly synthetic copies of production tables.

import prefect_synth

orders = prefect_synth.snapshots("s3://test-data/shop").latest().table("orders")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefect_synth.tasks.snapshots.reading import snapshots

__version__ = "0.1.0"

__all__ = ["__version__", "snapshots"]

_HOMES = {"snapshots": "prefect_synth.tasks.snapshots.reading"}


def __getattr__(name: str) -> Any:
    """Import the reader when it is first used: help needs no Arrow."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """What there is, also what was not used yet: notebooks complete names by it."""
    return sorted({*globals(), *_HOMES})
