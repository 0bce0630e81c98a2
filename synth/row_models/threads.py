"""One thread for sums, so that a model's bytes do not depend on the machine's number of cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ContextDecorator, contextmanager
from threading import Lock
from typing import Any

from threadpoolctl import threadpool_limits


class Shared(ContextDecorator):
    """A setting of the whole process, held as long as any of its threads needs it.

    Tables are fitted on threads side by side: the first one sets it, the last one sets it back.
    Decorates functions too.

    Args:
        hold: Sets it, and returns what sets it back.
    """

    def __init__(self, hold: Callable[[], Callable[[], object]]) -> None:
        self.hold, self.lock, self.users = hold, Lock(), 0
        self.release: Callable[[], object] = hold

    def __enter__(self) -> None:
        with self.lock:
            if not self.users:
                self.release = self.hold()
            self.users += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.users -= 1
            if not self.users:
                self.release()


def _hold_blas() -> Callable[[], object]:
    return threadpool_limits(1, user_api="blas").restore_original_limits


one_blas_thread = Shared(_hold_blas)
"""NumPy's products run on one thread."""


def _hold_all() -> Callable[[], object]:
    return threadpool_limits(1).restore_original_limits


one_thread = Shared(_hold_all)
"""NumPy's products and OpenMP's loops run on one thread: other processes have the other cores."""


def _hold_torch() -> Callable[[], object]:
    import torch

    threads = torch.get_num_threads()
    return lambda: torch.set_num_threads(threads)


_torch_threads = Shared(_hold_torch)


@contextmanager
def one_torch_thread(torch: Any) -> Iterator[None]:
    """Torch computes on one thread."""
    with _torch_threads:
        torch.set_num_threads(1)  # OpenMP has a number for each thread that asks
        yield
