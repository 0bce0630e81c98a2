"""Training of the variational autoencoder: the only place of it that needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from prefect_synth.synth.collapse import Pair
from prefect_synth.synth.devices import load_torch, pick_device
from prefect_synth.synth.encoding.layout import Floats, Ints
from prefect_synth.synth.row_models.dense import DenseColumns
from prefect_synth.synth.row_models.mixtures import REACH
from prefect_synth.synth.row_models.perceptron import Perceptron, first_layers
from prefect_synth.synth.row_models.raking import inverse, probabilities
from prefect_synth.synth.row_models.threads import one_torch_thread
from prefect_synth.synth.training import History, Training, Update, fit

HIDDEN = (128, 128)
"""Hidden units of the encoder and of the decoder."""
LATENT = 128
"""Dimensions of the latent space."""
RATE = 2e-3
"""Learning rate of Adam (Kingma and Ba 2015)."""
_DECAY = 1e-5
_RECONSTRUCTION = 2.0
_SPREAD = 0.1
_CERTAIN = -2.0  # first log variances: below the prior's, so that the decoder sees something
_NARROWEST, _WIDEST = 0.005, 1.0
_LOOKED_AT = 1000
_TRACE = 1e-30


@dataclass(frozen=True)
class Autoencoder:
    """A trained autoencoder, as arrays.

    Args:
        encoder: From a row and its context to means and log variances, [x + c] to [2 z].
        decoder: From the latent space and the context to logits and scalars, [z + c] to [x].
        spreads: Standard deviation of each scalar around the decoder's, [s].
    """

    encoder: Perceptron
    decoder: Perceptron
    spreads: Floats


def train(
    form: DenseColumns,
    modes: Ints,
    scalars: Floats,
    context: Floats,
    splits: list[Ints],
    settings: Training,
    rng: np.random.Generator,
) -> tuple[Autoencoder, History]:
    """Fit an autoencoder by its evidence lower bound.

    Args:
        form: How rows are written.
        modes: Mode of each column, [n, d].
        scalars: Scalars of the columns that have one, [n, s].
        context: Contexts as numbers, [n, c].
        splits: Rows of the training set, then of each validation set. Training stops when any
            validation set no longer improves; without one the decoder stays at the shares.
        settings: How to train.
        rng: Source of initial weights, order of rows and noise.
    """
    torch = load_torch()
    with one_torch_thread(torch):
        device = pick_device(torch, settings.device)
        learner = _EvidenceBound(torch, device, form, modes, scalars, context, splits, rng)
        history = fit(learner, splits[0] if splits[1:] else splits[0][:0], settings, rng)
        return learner.autoencoder(), history


class _EvidenceBound:
    """Kingma and Welling (2014), for rows of softmax blocks and scalars."""

    def __init__(
        self,
        torch: Any,
        device: Any,
        form: DenseColumns,
        modes: Ints,
        scalars: Floats,
        context: Floats,
        splits: list[Ints],
        rng: np.random.Generator,
    ) -> None:
        self.torch, self.device, self.form = torch, device, form
        self.modes = torch.as_tensor(modes, device=device)  # [n, d]
        inputs = form.matrix(modes, REACH * scalars)
        self.rows = torch.as_tensor(inputs, device=device)  # [n, x]
        self.scalars = torch.as_tensor(scalars, device=device)  # [n, s]
        self.context = torch.as_tensor(context, dtype=torch.float32, device=device)  # [n, c]
        blocks = np.repeat(np.eye(len(form.widths), dtype=np.float32), form.widths, 0)  # [w, d]
        self.blocks = torch.as_tensor(blocks, device=device)
        firsts = np.array([form.columns[j].first for j in form.scalars], np.int64)
        counts = modes[:, form.scalars] >= firsts
        self.counts = torch.as_tensor(counts, dtype=torch.float32, device=device)  # [n, s]
        self.training, *self.held_back = (torch.as_tensor(s, device=device) for s in splits)
        self.generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        self.seed = int(rng.integers(2**63))  # of what is the same at every look
        frozen = np.random.default_rng(self.seed)
        self.noise = [self._noise(len(rows), frozen) for rows in self.held_back]
        inside, outside = form.width + context.shape[1], LATENT + context.shape[1]
        encoder = first_layers((inside, *HIDDEN, 2 * LATENT), rng)
        encoder.biases[-1][LATENT:] = _CERTAIN
        decoder = first_layers((outside, *HIDDEN, form.width), rng, gain=0.1)
        shares = np.concatenate([np.log(c.shares) for c in form.columns])
        decoder.biases[-1][: len(shares)] = shares
        self.encoder, self.decoder = self._layers(encoder), self._layers(decoder)
        spreads = np.full(len(form.scalars), np.log(_SPREAD))
        [self.log_spreads] = self._weights([spreads])
        self.module = torch.nn.ParameterList([*self.encoder, *self.decoder, self.log_spreads])
        self.optimisers: Sequence[Any] = [
            torch.optim.Adam(self.module, lr=RATE, weight_decay=_DECAY, fused=device.type != "mps")
        ]

    def step(self, rows: Any, update: Update) -> float:
        """One step up the evidence lower bound."""
        noise = self.torch.randn((len(rows), LATENT), generator=self.generator).to(self.device)
        loss = self._loss(rows, noise)
        update(loss, self.optimisers[0])
        return float(loss.detach())

    def validate(self) -> Sequence[float]:
        """The negative bound on each validation set, always with the same noise."""
        return [
            float(self._loss(rows, noise))
            for rows, noise in zip(self.held_back, self.noise, strict=True)
        ]

    def codes(self) -> Sequence[Pair]:
        """Modes drawn for the latent vectors of some rows, beside the modes that these have."""
        rows, frozen = self.training[:_LOOKED_AT], np.random.default_rng(self.seed)
        with self.torch.no_grad():
            context = self.context[rows]
            means, log_variances = self._encode(self.rows[rows], context)
            z = means + self._noise(len(rows), frozen) * (0.5 * log_variances).exp()
            blocks, _ = self._split(self._decode(z, context))
        odds = [probabilities(_array(block)) for block in blocks]
        drawn = [inverse(o, frozen.random(len(rows))) for o in odds]
        return list(zip(drawn, _array(self.modes[rows]).T, strict=True))

    def autoencoder(self) -> Autoencoder:
        """The weights as arrays."""
        spreads = _array(self.log_spreads.exp().clamp(_NARROWEST, _WIDEST))
        return Autoencoder(_arrays(self.encoder), _arrays(self.decoder), spreads)

    def _loss(self, rows: Any, noise: Any) -> Any:
        x, context = self.rows[rows], self.context[rows]
        means, log_variances = self._encode(x, context)
        z = means + noise * (0.5 * log_variances).exp()  # [b, z]
        divergence = 0.5 * (means**2 + log_variances.exp() - 1 - log_variances).sum(1).mean()
        return _RECONSTRUCTION * self._surprise(rows, x, self._decode(z, context)) + divergence

    def _surprise(self, rows: Any, x: Any, decoded: Any) -> Any:
        """Mean negative log likelihood of rows; a scalar counts in modes that have one."""
        logits, scalars = decoded.split([len(self.blocks), len(self.form.scalars)], 1)
        greatest = logits.detach().amax(1, keepdim=True)  # [b, 1]
        sums = (logits - greatest).exp() @ self.blocks + _TRACE  # [b, d]
        surprise = sums.log().sum(1) + greatest[:, 0] * sums.shape[1]  # cross entropies of all
        surprise = surprise - (logits * x[:, : logits.shape[1]]).sum(1)  # softmax blocks at once
        spreads = self.log_spreads.exp().clamp(_NARROWEST, _WIDEST)  # [s]
        off = (self.scalars[rows] - scalars.tanh()) / spreads  # [b, s]
        return (surprise + ((off**2 / 2 + spreads.log()) * self.counts[rows]).sum(1)).mean()

    def _encode(self, x: Any, context: Any) -> Any:
        both = self.torch.cat([x, context], 1)  # [b, x + c]
        means, log_variances = self._apply(self.encoder, both).split(LATENT, 1)
        return means, log_variances.clamp(-10, 10)

    def _decode(self, z: Any, context: Any) -> Any:
        return self._apply(self.decoder, self.torch.cat([z, context], 1))  # [b, x]

    def _split(self, decoded: Any) -> tuple[Sequence[Any], Any]:
        *blocks, scalars = decoded.split([*self.form.widths, len(self.form.scalars)], 1)
        return blocks, scalars

    def _apply(self, layers: list[Any], x: Any) -> Any:
        for weights, biases in zip(layers[:-2:2], layers[1:-2:2], strict=True):
            x = self.torch.addmm(biases, x, weights).relu()
        return self.torch.addmm(layers[-1], x, layers[-2])

    def _layers(self, first: Perceptron) -> list[Any]:
        """Weights and biases in turn."""
        pairs = zip(first.weights, first.biases, strict=True)
        return self._weights([array for pair in pairs for array in pair])

    def _weights(self, arrays: Sequence[Floats]) -> list[Any]:
        torch = self.torch
        tensors = [torch.as_tensor(a, dtype=torch.float32, device=self.device) for a in arrays]
        return [torch.nn.Parameter(t) for t in tensors]

    def _noise(self, rows: int, rng: np.random.Generator) -> Any:
        noise = rng.standard_normal((rows, LATENT), np.float32)
        return self.torch.as_tensor(noise, device=self.device)


def _arrays(layers: list[Any]) -> Perceptron:
    arrays = [_array(layer) for layer in layers]
    return Perceptron(tuple(arrays[::2]), tuple(arrays[1::2]))


def _array(tensor: Any) -> Floats:
    """A copy, as the optimiser writes in place."""
    return np.array(tensor.detach().cpu().numpy())
