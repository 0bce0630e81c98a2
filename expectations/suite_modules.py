"""Import a user's own expectation classes, by whose names suites then know them."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from prefect_synth.expectations.engine import great_expectations
from prefect_synth.expectations.verdict import Check

_IMPORTING = threading.Lock()


def import_modules(modules: Sequence[str], base: Path) -> list[Check]:
    """Import modules with expectation classes.

    Args:
        modules: Their names.
        base: The project's folder, in which they are looked for first.

    Returns:
        A crashed check for each module that could not be imported, by the kind of its error.
    """
    if not modules:
        return []
    great_expectations()  # quietly, before a module does it with a warning
    with _IMPORTING, _found_first(base):
        return [check for name in modules for check in _imported(name)]


def _imported(name: str) -> Iterator[Check]:
    try:
        importlib.import_module(name)
    except Exception as error:
        detail = f"the module itself broke ({type(error).__name__}); the data may be good"
        required = f"the module {name} of suites.modules is imported"
        yield Check("suite module", None, None, "expectation", None, required, "crashed", detail)


@contextmanager
def _found_first(base: Path) -> Iterator[None]:
    sys.path.insert(0, str(base))
    try:
        yield
    finally:
        sys.path.remove(str(base))
