"""What a run was made by: its seed, its fingerprints, and the versions of what computed it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = (
    "prefect-synth",
    "prefect",
    "great-expectations",
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "scipy",
)


def run_identity(seed: int, fingerprints: Mapping[str, str] | None = None) -> dict[str, str]:
    """Name all that decides a snapshot.

    Args:
        seed: The seed of the run.
        fingerprints: Fingerprints by what they are of: the schema, the project file, each model.

    Returns:
        Texts by name, in the order in which they are shown.
    """
    versions = {name: _version(name) for name in _PACKAGES}
    return {
        "seed": str(seed),
        **(fingerprints or {}),
        "Python": platform.python_version(),
        **{name: found for name, found in versions.items() if found},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
