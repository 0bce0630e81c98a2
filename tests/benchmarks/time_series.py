"""Windows of sequences, and what a recurrent network makes of them: scores as TimeGAN's paper has.

Yoon, Jarrett and van der Schaar (2019), "Time-series Generative Adversarial Networks", section 5:
the discriminative score is how far the accuracy of a recurrent classifier of real and synthetic
windows is from a half; the predictive score is the mean absolute error, on real windows, of a
recurrent network that learned to predict the next value of the last column on synthetic ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

WINDOW = 24
STATE = 24
STEPS = 600
BATCH = 128
_HELD_BACK = 5

Floats = Any
Ints = Any


def windows(values: Floats, key: Ints) -> Floats:
    """Windows of 24 rows that do not overlap, none across two sequences: [w, 24, d].

    Args:
        values: Rows in the order of their sequences, [n, d]; no NaN.
        key: The sequence of each row, [n].
    """
    first = np.flatnonzero(np.diff(key, prepend=-1))
    sizes = np.diff(np.append(first, len(key)))
    starts = np.concatenate(
        [f + np.arange(0, s - WINDOW + 1, WINDOW) for f, s in zip(first, sizes, strict=True)]
    )
    return values[starts.astype(np.int64)[:, None] + np.arange(WINDOW)]


def scaled(real: Floats, made: Floats) -> tuple[Floats, Floats]:
    """Both sets of windows by the least and the largest real value of each column, to [0, 1]."""
    low, high = real.min((0, 1)), real.max((0, 1))
    wide = np.maximum(high - low, 1e-12)
    return (real - low) / wide, np.clip((made - low) / wide, -1, 2)


def moved(values: Floats) -> Floats:
    """Windows as changes: of prices the logarithm by the row before, of volume likewise.

    Each in units of its spread in its own window, so that no level or volatility tells.
    """
    changes = np.diff(np.log(np.maximum(values, 1e-6)), axis=1)  # [w, 23, d]
    within = np.log(np.maximum(values, 1e-6))[:, 1:]
    apart = within - within[:, :, 3:4]  # of the last price of the row
    return np.concatenate([changes, apart[:, :, :3]], axis=2) * 10


def discriminative(real: Floats, made: Floats, seed: int) -> float:
    """|accuracy - 0.5| of a recurrent classifier on windows held back; 0 is best."""
    size = min(len(real), len(made))
    rng = np.random.default_rng(seed)
    both = np.concatenate([rng.permutation(real)[:size], rng.permutation(made)[:size]])
    truth = np.repeat([1.0, 0.0], size)
    order = rng.permutation(len(both))
    held, kept = np.split(order, [len(order) // _HELD_BACK])
    run = _trained(both[kept], truth[kept], "classify", seed)
    with torch.no_grad():
        sure = run(torch.as_tensor(both[held], dtype=torch.float32))[:, -1, 0].numpy() > 0
    return float(abs((sure == (truth[held] > 0.5)).mean() - 0.5))


def predictive(real: Floats, made: Floats, seed: int) -> float:
    """Mean absolute error on real windows of what predicts the last column a step ahead."""
    run = _trained(made[:, :-1, :-1], made[:, 1:, -1:], "predict", seed)
    with torch.no_grad():
        said = run(torch.as_tensor(real[:, :-1, :-1], dtype=torch.float32)).sigmoid().numpy()
    return float(np.abs(said - real[:, 1:, -1:]).mean())


def _trained(seen: Floats, truth: Floats, task: str, seed: int) -> Any:
    """A recurrent network and a linear layer, trained on windows."""
    torch.manual_seed(seed)
    gru, top = torch.nn.GRU(seen.shape[2], STATE, 1, batch_first=True), torch.nn.Linear(STATE, 1)
    optimiser = torch.optim.Adam([*gru.parameters(), *top.parameters()], lr=3e-3)
    x, y = (torch.as_tensor(a, dtype=torch.float32) for a in (seen, truth))

    def run(windows: Any) -> Any:
        return top(gru(windows)[0])  # [b, t, 1]

    for _ in range(STEPS):
        some = torch.randint(len(x), (BATCH,))
        said = run(x[some])
        if task == "classify":
            loss = torch.nn.functional.binary_cross_entropy_with_logits(said[:, -1, 0], y[some])
        else:
            loss = (said.sigmoid() - y[some]).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return run
