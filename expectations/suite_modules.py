"""Import a user's own expectation classes, by whose names suites then know them."""

from __future__ import annotations

import importlib
import importlib.util
import os
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


def module_files(modules: Sequence[str], base: Path) -> list[Path]:
    """The code that expectation classes may be made of, as far as it is told by files.

    All of the project's folder, since a module may import any of it, but hidden folders and
    virtual environments; and a module from elsewhere, or all of its package.

    Args:
        modules: Their names.
        base: The project's folder.
    """
    if not modules:
        return []
    found = {file for folder in _folders(base) for file in folder.glob("*.py")}
    for name in modules:
        found |= set(_elsewhere(name.partition(".")[0], base))
    return sorted(found)


def _folders(base: Path) -> Iterator[Path]:
    for folder, below, files in os.walk(base):
        if "pyvenv.cfg" in files:
            below.clear()
            continue
        below[:] = [name for name in below if not name.startswith(".")]
        yield Path(folder)


def _elsewhere(package: str, base: Path) -> Iterator[Path]:
    """The files of a module, or of a package; one of `base` is there already."""
    try:
        with _IMPORTING, _found_first(base):
            spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):  # the refresh will say what is wrong with it
        return
    if spec is None or spec.origin is None:
        return
    for folder in spec.submodule_search_locations or ():
        yield from Path(folder).rglob("*.py")
    if not spec.submodule_search_locations and Path(spec.origin).is_file():
        yield Path(spec.origin)


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
