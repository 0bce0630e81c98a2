"""Checkpoints of a training: safetensors and JSON, written whole or not at all, without pickle."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError

if TYPE_CHECKING:
    from prefect_synth.synth.training import Learner

EVERY = 30.0
"""Seconds between two checkpoints at least."""


@dataclass
class Checkpoint:
    """How far a training is, but for the weights, which its learner has.

    Args:
        epoch: Epochs that are done.
        waited: Epochs since the best one.
        best: The best epoch.
        best_losses: Losses on held-back rows in it; empty without any.
        best_weights: Weights of it; None without held-back rows.
        losses: Mean loss of each epoch.
        validation: Losses on held-back rows by epoch.
        looks: Columns found collapsed, by epoch.
        seconds: On the clock until then.
    """

    epoch: int = 0
    waited: int = 0
    best: int = 0
    best_losses: tuple[float, ...] = ()
    best_weights: dict[str, Any] | None = None
    losses: list[float] = field(default_factory=list)
    validation: list[tuple[float, ...]] = field(default_factory=list)
    looks: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    seconds: float = 0.0


class Checkpoints:
    """A folder of checkpoints: trainings are told apart by their order and their first weights.

    Args:
        folder: Where they are kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.number = folder, 0

    def next(self, learner: Learner, rng: np.random.Generator) -> Keeper:
        """The keeper of the training that begins now."""
        self.number += 1
        return Keeper(self.folder / f"training-{self.number}", learner, rng)


class Keeper:
    """Writes and reads the checkpoint of one training.

    Args:
        path: The files' path without their endings.
        learner: The network, as it begins.
        rng: Source of the order of rows.
    """

    def __init__(self, path: Path, learner: Learner, rng: np.random.Generator) -> None:
        self.path, self.learner, self.rng = path, learner, rng
        self.begins, self.saved = _fingerprint(learner, rng), perf_counter()

    def maybe_save(self, torch: Any, state: Checkpoint) -> None:
        """Save, where the last time is long ago."""
        if perf_counter() - self.saved >= EVERY:
            self.save(torch, state)
            self.saved = perf_counter()

    def save(self, torch: Any, state: Checkpoint) -> None:
        """Write weights, optimisers, and the state of both sources of chance."""
        from safetensors.torch import save_file

        tensors = {f"module.{k}": v for k, v in self.learner.module.state_dict().items()}
        tensors |= {f"best.{k}": v for k, v in (state.best_weights or {}).items()}
        tensors["generator"] = self.learner.generator.get_state()
        plain = []
        for number, optimiser in enumerate(self.learner.optimisers):
            slots, rest = _parts(torch, optimiser.state_dict())
            tensors |= {f"optimiser.{number}.{k}": v for k, v in slots.items()}
            plain.append(rest)
        document = {
            "begins": self.begins, "epoch": state.epoch, "waited": state.waited,
            "best": state.best, "best_losses": state.best_losses, "losses": state.losses,
            "validation": state.validation, "looks": state.looks, "optimisers": plain,
            "seconds": state.seconds, "rng": _plain(self.rng.bit_generator.state),
        }  # fmt: skip
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_suffix(".unfinished")
        whole = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        save_file(whole, unfinished, {"state": json.dumps(document)})
        os.replace(unfinished, self.path.with_suffix(".safetensors"))

    def resume(self, torch: Any) -> Checkpoint | None:
        """Put the learner where the checkpoint left it; None where this training has none."""
        from safetensors import safe_open

        file = self.path.with_suffix(".safetensors")
        if not file.exists():
            return None
        try:
            with safe_open(file, "pt") as opened:
                document = json.loads(opened.metadata()["state"])
                tensors = {k: opened.get_tensor(k) for k in opened.keys()}  # noqa: SIM118
        except (SafetensorError, KeyError, ValueError):  # damaged: train from the beginning
            return None
        if document["begins"] != self.begins:
            return None
        self._restore(document, tensors)
        return Checkpoint(
            document["epoch"], document["waited"], document["best"],
            tuple(document["best_losses"]), _named(tensors, "best.") or None,
            document["losses"], [tuple(v) for v in document["validation"]],
            [(e, tuple(c)) for e, c in document["looks"]], document["seconds"],
        )  # fmt: skip

    def _restore(self, document: dict[str, Any], tensors: dict[str, Any]) -> None:
        self.learner.module.load_state_dict(_named(tensors, "module."))
        self.learner.generator.set_state(tensors["generator"])
        self.rng.bit_generator.state = _arrays(document["rng"])
        for number, optimiser in enumerate(self.learner.optimisers):
            slots = _named(tensors, f"optimiser.{number}.")
            optimiser.load_state_dict(_whole(slots, document["optimisers"][number]))


def _fingerprint(learner: Learner, rng: np.random.Generator) -> str:
    """A hash of the first weights and of where chance stands."""
    digest = hashlib.sha256(json.dumps(_plain(rng.bit_generator.state)).encode())
    for name, tensor in learner.module.state_dict().items():
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _named(tensors: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _parts(torch: Any, state: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """An optimiser's tensors by `parameter.name`, and all that is no tensor."""
    tensors, rest = {}, []
    for parameter, slots in state["state"].items():
        for name, value in slots.items():
            if torch.is_tensor(value):
                tensors[f"{parameter}.{name}"] = value
            else:
                rest.append([parameter, name, value])
    return tensors, {"slots": rest, "groups": state["param_groups"]}


def _whole(tensors: dict[str, Any], plain: dict[str, Any]) -> dict[str, Any]:
    """An optimiser's state, put together again."""
    slots: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        parameter, name = key.split(".", 1)
        slots.setdefault(int(parameter), {})[name] = tensor
    for parameter, name, value in plain["slots"]:
        slots.setdefault(parameter, {})[name] = value
    return {"state": slots, "param_groups": plain["groups"]}


def _plain(state: Any) -> Any:
    """A generator's state as JSON."""
    if isinstance(state, dict):
        return {k: _plain(v) for k, v in state.items()}
    return {"$ints": [int(i) for i in state]} if isinstance(state, np.ndarray) else state


def _arrays(state: Any) -> Any:
    if not isinstance(state, dict):
        return state
    if "$ints" in state:
        return np.array(state["$ints"], np.uint64)
    return {k: _arrays(v) for k, v in state.items()}
