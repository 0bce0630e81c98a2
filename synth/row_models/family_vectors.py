"""Rows of families as vectors that generators draw: softmax blocks of modes, then innovations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from prefect_synth.synth.collapse import Pair
from prefect_synth.synth.encoding.layout import Floats, Ints
from prefect_synth.synth.row_models.families import Families, padded
from prefect_synth.synth.row_models.family_codec import FamilyCodec, Steps
from prefect_synth.synth.row_models.raking import inverse, probabilities
from prefect_synth.synth.row_models.scores import SCORE_END, to_bins

_LOOKED_AT = 16

Tensor = Any


def drawn(codec: FamilyCodec, raw: Floats, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """Modes [m, d] and innovations [m, s] of what a network's last layer says, [m, w]."""
    modes, at = np.zeros((len(raw), len(codec.widths)), np.int64), 0
    for j, width in enumerate(codec.widths):
        if width > 1:
            modes[:, j] = inverse(probabilities(raw[:, at : at + width]), rng.random(len(raw)))
        at += width
    return modes, np.tanh(raw[:, at:]).astype(np.float64) * SCORE_END


def spoken(torch: Any, raw: Tensor, widths: Sequence[int]) -> Tensor:
    """What a last layer says, as softmax blocks and numbers in [-1, 1]: [..., w]."""
    *blocks, numbers = raw.split([*widths, raw.shape[-1] - sum(widths)], -1)
    return torch.cat([*(b.softmax(-1) for b in blocks), numbers.tanh()], -1)


@dataclass(frozen=True)
class Batch:
    """Windows of families.

    Args:
        vectors: Their rows, 0 beyond their end, [b, t, w].
        told: What the rows are told, [b, t, c].
        there: Whether there is a row, as 1 and 0, [b, t, 1].
        families: Whose they are, [b].
    """

    vectors: Tensor
    told: Tensor
    there: Tensor
    families: Tensor


class Windows:
    """Windows of families on a device.

    Args:
        torch: The torch module.
        device: Where they are.
        codec: How families are written.
        steps: The families' rows.
        families: Where they are.
        length: Rows of a window at most.
    """

    def __init__(
        self,
        torch: Any,
        device: Any,
        codec: FamilyCodec,
        steps: Steps,
        families: Families,
        length: int,
    ) -> None:
        self.torch, self.device, self.codec, self.steps = torch, device, codec, steps
        self.length = min(length, int(families.lengths.max()))
        self.starts, self.sizes = families.windows(self.length)
        self.family = np.searchsorted(families.starts, self.starts, side="right") - 1
        self.first = families.starts[self.family]
        vectors = codec.dense.matrix(steps.modes, steps.scores / SCORE_END)
        self.vectors = torch.as_tensor(vectors, device=device)  # [n, w]
        self.told = torch.as_tensor(steps.told, device=device)  # [n, c]

    def __len__(self) -> int:
        return len(self.starts)

    def batch(self, windows: Tensor, generator: Any) -> Batch:
        """Windows by number, each moved towards the start of its family at random."""
        torch, at = self.torch, windows.cpu().numpy()
        u = torch.rand(len(at), generator=generator).numpy()
        back = np.minimum(self.starts[at] - self.first[at], (u * self.length).astype(np.int64))
        rows, there = padded(self.starts[at] - back, self.sizes[at], self.length)  # [b, t]
        index = torch.as_tensor(rows, device=self.device)
        mask = torch.as_tensor(there, dtype=torch.float32, device=self.device).unsqueeze(2)
        family = torch.as_tensor(self.family[at], device=self.device)
        return Batch(self.vectors[index] * mask, self.told[index], mask, family)

    def codes(self, batch: Batch, made: Tensor, rng: np.random.Generator) -> list[Pair]:
        """For each column codes of generated rows, and of the real ones in their place.

        Args:
            batch: The real windows.
            made: Generated vectors, [b, t, w].
            rng: Draws modes by their probabilities.
        """
        inside = batch.there[:, :, 0] > 0
        blocks = sum(self.codec.widths)
        pairs = [made[inside].detach().cpu().numpy(), batch.vectors[inside].cpu().numpy()]
        codes = []
        for side in pairs:
            logs = np.log(np.clip(side[:, :blocks], 1e-9, None))
            scores = np.arctanh(np.clip(side[:, blocks:], -0.9999, 0.9999))
            modes, numbers = drawn(self.codec, np.hstack([logs, scores]), rng)
            codes.append(_coded(self.codec, modes, numbers))
        return [(a, b) for a, b in zip(codes[0].T, codes[1].T, strict=True)]


def _coded(codec: FamilyCodec, modes: Ints, scores: Floats) -> Ints:
    """One code for each column: the mode, and where there is a number its bin, [n, d]."""
    codes, there = modes * _LOOKED_AT, codec.there(modes)
    for k, j in enumerate(codec.dense.scalars):
        codes[:, j] += np.where(there[:, k], to_bins(scores[:, k], _LOOKED_AT), 0)
    return codes
