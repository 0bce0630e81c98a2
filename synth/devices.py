"""Torch, loaded when it is first needed, and the device that it computes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Literal, get_args

from prefect_synth.synth.errors import MissingTorchError, SynthesisError

Device = Literal["auto", "cpu", "cuda", "mps"]
"""Where a network is trained: `auto` is CUDA where there is some, and else the processor."""


def load_torch() -> ModuleType:
    """The torch module.

    Raises:
        MissingTorchError: It is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingTorchError() from error
    return torch


def pick_device(torch: Any, wanted: Device = "auto") -> Any:
    """The device asked for; Apple's is never taken unasked, as small networks gain nothing there.

    Raises:
        SynthesisError: This machine has no such device.
    """
    if wanted not in get_args(Device):
        raise SynthesisError(
            f"The device '{wanted}' is not known. Use one of: {', '.join(get_args(Device))}."
        )
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there[wanted]:
        raise SynthesisError(
            f"The device '{wanted}' is asked for, but torch finds none here. Use 'auto' or 'cpu'."
        )
    return torch.device(wanted)


@contextmanager
def half_precision(torch: Any, device: Any, wanted: bool) -> Iterator[None]:
    """Products in bfloat16 where that pays: on a CUDA device that has it.

    Its exponent is that of float32, so losses need no scaling (Kalamkar et al. 2019).
    """
    pays = wanted and device.type == "cuda" and torch.cuda.is_bf16_supported()
    with torch.autocast("cuda", torch.bfloat16, enabled=True) if pays else _nothing():
        yield


@contextmanager
def _nothing() -> Iterator[None]:
    yield
