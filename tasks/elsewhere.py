"""Tasks that run in another process or on another machine: what they find there.

Only the name of a task's function crosses, with references and small settings. What its process
would know of itself, had it stayed in the flow's, is set there: where error texts are kept, who
hears of progress, and that its sums run on one thread.
"""

from __future__ import annotations

import functools
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar, cast

from prefect.tasks import Task
from pydantic import BaseModel, ConfigDict

from prefect_synth import __version__
from prefect_synth.synth.row_models.threads import one_thread
from prefect_synth.tasks.private_folder import StagingError
from prefect_synth.tasks.progress import listening
from prefect_synth.tasks.progress_file import WrittenProgress
from prefect_synth.tasks.steps import private_errors

R = TypeVar("R")

_FOLDER = "workers"
_PRIVATE = 0o700


class StagingNotSharedError(StagingError):
    """A worker does not see the staging folder of the flow."""


class OtherVersionError(RuntimeError):
    """A worker has another version of this package than the flow."""


class Place(BaseModel):
    """Where a task finds what it needs, on whatever machine it runs.

    Args:
        meeting: A folder in staging that this refresh alone has; workers write progress there.
        errors: Where the texts of unknown errors are kept, in private staging.
        version: Of the package, which workers must have too.
    """

    model_config = ConfigDict(frozen=True)

    meeting: Path
    errors: Path | None = None
    version: str = __version__

    def check(self) -> None:
        """See whether this process can work for the flow.

        Raises:
            OtherVersionError: It has another version of this package.
            StagingNotSharedError: It does not see the flow's staging folder.
        """
        if self.version != __version__:
            raise OtherVersionError(
                f"A worker has prefect-synth {__version__}, and the refresh runs {self.version}. "
                "Install the same version on all workers."
            )
        if not self.meeting.is_dir():
            staging = self.meeting.parent.parent
            raise StagingNotSharedError(
                f"A worker does not see the staging folder '{staging}' of this refresh. Set "
                "staging.url to a folder that all workers mount at the same path, or run.runner "
                "to threads or processes."
            )

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Work here as if it were the flow's own process."""
        self.check()
        with (
            private_errors(self.errors),
            listening(WrittenProgress(self.meeting)),
            one_thread,
        ):
            yield


class Carried:
    """An argument on its way: Prefect looks for futures in everything that it knows the kind of.

    It would take a model whose field is called `keys` for a mapping; `quote`, which keeps it from
    looking, does not cross. Parts of the value can be named as those of the value itself.

    Args:
        value: The argument.
    """

    def __init__(self, value: Any) -> None:
        self.value = value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "value":  # not there yet, while it is unpickled
            raise AttributeError(name)
        return getattr(self.value, name)


def carried(arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments as they cross to another process; texts and numbers stay as they are."""
    return {
        name: value if isinstance(value, str | int) else Carried(value)
        for name, value in arguments.items()
    }


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Carried) else value


class Placed:
    """The function of a task, called in its place.

    It is pickled by name, so that code and what it refers to come from the worker's own package.

    Args:
        function: The function.
        place: Where it finds what it needs.
    """

    def __init__(self, function: Callable[..., Any], place: Place) -> None:
        functools.update_wrapper(self, function)
        self.function, self.place = function, place

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function as if this were the flow's own process."""
        plain = {name: _plain(value) for name, value in kwargs.items()}
        with self.place.entered():
            return self.function(*map(_plain, args), **plain)

    def __reduce__(self) -> tuple[Any, ...]:
        return _placed, (self.function.__module__, self.function.__qualname__, self.place)


def _placed(module: str, name: str, place: Place) -> Placed:
    task = cast(Task[..., Any], getattr(import_module(module), name))
    return Placed(task.fn, place)


def placed(task: Task[..., R], place: Place) -> Task[..., R]:
    """The same task, ready to run in another process.

    Args:
        task: A task that is defined at the top of its module.
        place: Where it finds what it needs.
    """
    ready = task.with_options()
    ready.fn = Placed(task.fn, place)
    return ready


@contextmanager
def meeting_folder(staging: Path) -> Iterator[Path]:
    """A folder in staging for one refresh, by which workers know that they see the same staging.

    Args:
        staging: The project's staging, which this process holds for itself.
    """
    folder = staging / _FOLDER / secrets.token_hex(8)
    shutil.rmtree(folder.parent, ignore_errors=True)  # of a refresh that was killed
    folder.mkdir(mode=_PRIVATE, parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder.parent, ignore_errors=True)
