"""Training of the autoregressive network for sequences, on windows: the only part needing torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from prefect_synth.synth.collapse import Pair
from prefect_synth.synth.devices import load_torch, pick_device
from prefect_synth.synth.encoding.layout import Floats, Ints
from prefect_synth.synth.row_models.families import Families, padded
from prefect_synth.synth.row_models.family_codec import FamilyCodec, Steps
from prefect_synth.synth.row_models.par import BINS, WINDOW, PARNetwork
from prefect_synth.synth.row_models.par_windows import shiftable_windows, split_windows
from prefect_synth.synth.row_models.recurrent import array_of, first_weights, gru_of
from prefect_synth.synth.row_models.threads import one_torch_thread
from prefect_synth.synth.training import SMALLEST_BATCH, History, Training, Update, fit

STATE = 64
"""Units of the history."""
RATE = 3e-3
"""First learning rate of AdamW (Loshchilov and Hutter 2019)."""
_WEIGHT_DECAY = 0.01
_FORGET = 0.15


def train(
    codes: Ints,
    columns: tuple[int, ...],
    codec: FamilyCodec,
    steps: Steps,
    families: Families,
    settings: Training,
    rng: np.random.Generator,
) -> tuple[PARNetwork, History]:
    """Fit the network by maximum likelihood.

    Args:
        codes: Codes of all rows, [n, q]; one beyond the last where an innovation is not there.
        columns: What each code is of.
        codec: How families are written.
        steps: The rows.
        families: Where they are.
        settings: How to train.
        rng: Source of initial weights, windows and dropout.
    """
    torch = load_torch()
    windows = families.windows(WINDOW)
    parts = split_windows(windows, families, rng)
    with one_torch_thread(torch):
        device = pick_device(torch, settings.device)
        held = parts[1:]
        learner = _Likelihood(torch, device, codes, columns, codec, steps, families, held, rng)
        few = -(-settings.steps * SMALLEST_BATCH // max(len(parts[0]), 1))
        rows = np.tile(parts[0], few)  # an epoch has some steps, however few the windows are
        history = fit(learner, rows if held else rows[:0], settings, rng)
        return learner.network(), history


class _Likelihood:
    """Negative log likelihood of a row given those before it in its window, all heads at once."""

    def __init__(
        self,
        torch: Any,
        device: Any,
        codes: Ints,
        columns: tuple[int, ...],
        codec: FamilyCodec,
        steps: Steps,
        families: Families,
        held: list[Ints],
        rng: np.random.Generator,
    ) -> None:
        self.torch, self.device, self.columns, self.held = torch, device, columns, held
        self.windows, self.rng = families.windows(WINDOW), rng
        self.shiftable = shiftable_windows(self.windows, held, families)
        self.data = torch.as_tensor(codes, device=device)  # [n, q]
        self.told = torch.as_tensor(
            np.hstack([steps.before.astype(np.float32), steps.told]), device=device
        )  # [n, s + c]
        self.heads_of_families = torch.as_tensor(families.positions == 0, device=device)
        self.generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        self.parents = steps.before.shape[1] + np.arange(codec.context.width)  # of what is told
        self._build(codes, codec)

    def _build(self, codes: Ints, codec: FamilyCodec) -> None:
        """First weights: tables of cosines, heads at the shares of the codes."""
        torch, rng = self.torch, self.rng
        self.sizes = [codec.widths[c] if c >= 0 else BINS for c in self.columns]
        extra = [int(c < 0) for c in self.columns]
        embedded = [min(k, max(4, round(2 * k**0.25))) for k in self.sizes]
        self.hidden = [8 * round(np.log(k)) + 16 for k in self.sizes]
        tables = [
            _first_table(k, more, width, rng)
            for k, more, width in zip(self.sizes, extra, embedded, strict=True)
        ]
        told = sum(embedded) + self.told.shape[1]  # of each row
        width, ends = STATE + told + sum(embedded), STATE + told + np.cumsum([0, *embedded])
        self.inputs = [int(e) for e in ends[:-1]]  # first dimension that a head may not see
        seen = np.repeat(self.inputs, self.hidden)
        mask = np.arange(width)[:, None] < seen  # [h + i + e, H]
        self.mask = torch.as_tensor(mask, dtype=torch.float32, device=self.device)
        scale = np.sqrt(2 / np.maximum(seen, 1))
        self.tables = self._weights(tables)
        [self.weights] = self._weights([rng.standard_normal(mask.shape) * scale * mask])
        [self.biases] = self._weights([np.zeros(sum(self.hidden))])
        pairs = zip(self.hidden, self.sizes, strict=True)
        self.heads = self._weights([rng.standard_normal((h, k)) * 0.1 / h**0.5 for h, k in pairs])
        counts = [np.bincount(codes[:, i], minlength=k)[:k] for i, k in enumerate(self.sizes)]
        self.marginals = self._weights([np.log((c + 1) / (c + 1).sum()) for c in counts])
        self.history = first_weights(
            torch, lambda: torch.nn.GRU(told, STATE, batch_first=True), self.generator, self.device
        )
        own = [*self.tables, self.weights, self.biases, *self.heads, *self.marginals]
        self.module = torch.nn.ModuleList([self.history, torch.nn.ParameterList(own)])
        parameters = self.module.parameters()
        optimiser = torch.optim.AdamW(parameters, lr=RATE, weight_decay=_WEIGHT_DECAY)
        self.optimisers: Sequence[Any] = [optimiser]

    def step(self, rows: Any, update: Update) -> float:
        """One step of maximum likelihood on windows, shifted along their families."""
        windows = rows.cpu().numpy()
        starts, sizes, most = (some[windows] for some in self.shiftable)
        drawn = self.torch.rand(len(windows), generator=self.generator).numpy()
        shift = np.minimum(most, (drawn * WINDOW).astype(np.int64))
        loss = self._loss(starts - shift, sizes, dropout=True)
        update(loss, self.optimisers[0])
        return float(loss.detach())

    def validate(self) -> Sequence[float]:
        """Mean negative log likelihood of a row, on each set of windows held back."""
        found = []
        for windows in self.held:
            parts = np.array_split(windows, -(-len(windows) // 64))
            starts, sizes = self.windows
            losses = [self._loss(starts[p], sizes[p], dropout=False).item() for p in parts]
            found.append(float(np.average(losses, weights=[sizes[p].sum() for p in parts])))
        return found

    def codes(self) -> Sequence[Pair]:
        """None: likelihood itself tells of a mode that was lost."""
        return ()

    def network(self) -> PARNetwork:
        """The weights as arrays."""
        ends = np.cumsum(self.hidden)[:-1]
        weights = np.split(array_of(self.weights * self.mask), ends, 1)
        return PARNetwork(
            self.columns,
            tuple(array_of(t) for t in self.tables),
            gru_of(self.history),
            tuple(w[:i].copy() for w, i in zip(weights, self.inputs, strict=True)),
            tuple(np.split(array_of(self.biases), ends)),
            tuple(array_of(h) for h in self.heads),
            tuple(array_of(m) for m in self.marginals),
        )

    def _loss(self, starts: Ints, sizes: Ints, *, dropout: bool) -> Any:
        torch, functional = self.torch, self.torch.nn.functional
        rows, there = padded(starts, sizes, int(sizes.max()))  # [b, t]
        at = torch.as_tensor(rows, device=self.device)
        before = self._embed((at - 1).clamp(min=0))  # [b, t, e]
        before = before * ~self.heads_of_families[at].unsqueeze(2)
        told = self._dropped(self.told[at]) if dropout else self.told[at]  # [b, t, s + c]
        seen = torch.cat([before, told], 2)  # [b, t, i]
        state, _ = self.history(seen)  # [b, t, h]
        inside = torch.as_tensor(there, device=self.device)
        own = at[inside]  # [m]
        known = torch.cat([state[inside], seen[inside], self._embed(own)], 1)  # [m, h + i + e]
        hidden = torch.addmm(self.biases, known, self.weights * self.mask).relu()  # [m, H]
        targets, total = self.data[own], known.new_zeros(())
        parts = torch.split(hidden, self.hidden, 1)
        for i, (part, head, m) in enumerate(zip(parts, self.heads, self.marginals, strict=True)):
            logits = torch.addmm(m, part, head)  # [m, K]
            total = total + functional.cross_entropy(
                logits, targets[:, i], ignore_index=BINS if self.columns[i] < 0 else -100,
                reduction="sum",
            )  # fmt: skip
        return total / len(known)

    def _embed(self, at: Any) -> Any:
        codes, functional = self.data[at], self.torch.nn.functional
        parts = [functional.embedding(codes[..., i], t) for i, t in enumerate(self.tables)]
        return self.torch.cat(parts, -1)

    def _dropped(self, told: Any) -> Any:
        """Some windows are told nothing of their parents (Srivastava et al. 2014)."""
        keep = self.torch.rand((len(told), 1, 1), generator=self.generator) >= _FORGET
        mask = self.torch.ones_like(told)
        mask[:, :, self.parents] = keep.to(self.device, told.dtype)
        return told * mask

    def _weights(self, arrays: Sequence[Floats]) -> list[Any]:
        torch = self.torch
        tensors = [torch.as_tensor(a, dtype=torch.float32, device=self.device) for a in arrays]
        return [torch.nn.Parameter(t) for t in tensors]


def _first_table(codes: int, extra: int, width: int, rng: np.random.Generator) -> Floats:
    """Where embeddings start, [K, e]: bins as cosines of their rank; so neighbours are near."""
    noise = rng.standard_normal((codes + extra, width))
    if not extra:
        return np.asarray(0.5 * noise)
    middle = (np.arange(codes) + 0.5) / codes
    waves = np.sqrt(2) * np.cos(np.pi * middle[:, None] * np.arange(1, width + 1))
    return np.asarray(0.5 * (np.vstack([waves, np.zeros((1, width))]) + 0.1 * noise))
