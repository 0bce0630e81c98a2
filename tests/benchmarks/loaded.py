"""How a pytest that tests start finds the plugin: by itself where it is installed, else by name."""

from __future__ import annotations

import importlib.metadata

MODULE = "prefect_synth.flows.pytest_plugin"

INSTALLED = any(
    point.value == MODULE for point in importlib.metadata.entry_points(group="pytest11")
)

LOADED = () if INSTALLED else ("-p", MODULE)
"""Options for pytest."""
