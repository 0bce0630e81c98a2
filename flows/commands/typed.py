"""Commands as they can be typed where the person is, whether or not the environment is active."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

HERE = Path()


def typed(command: str, project: Path = HERE) -> str:
    """`prefect-synth COMMAND`, with the project where it is not in the current folder."""
    option = "" if project == HERE else f" --project {project}"
    return f"{program('prefect-synth')} {command}{option}"


def program(name: str) -> str:
    """The name of a program of this environment, or its path where the shell would not find it."""
    own = Path(sys.executable).with_name(name)
    found = shutil.which(name)
    if (found is not None and Path(found).absolute() == own) or not own.exists():
        return name
    near = os.path.relpath(own)
    return str(own) if near.startswith("..") else near
