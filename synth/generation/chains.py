"""Which word follows which, as far as enough rows say so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prefect_synth.synth.encoding.layout import RARE, Floats, Ints
from prefect_synth.synth.encoding.units import holders
from prefect_synth.synth.generation.tokens import Tokens
from prefect_synth.synth.storage import stored

_JUMPS = 8
_TRIES = 24


@stored
@dataclass(frozen=True)
class Chain:
    """Which symbol follows which, where enough rows say so.

    Args:
        starts: Where the followers of each symbol begin, [S + 2]; the last symbol is the start.
        followers: Symbols, [K].
        mass: Running sum of how often they follow, [K + 1].
        totals: How often each symbol is followed by any, [S + 1].
        shares: Share of each symbol among all, [S].
        ends: Share of each symbol among the last ones, [S].
        jumps: For each word, words that never follow it; -1 where there are none, [W, J].
    """

    starts: Ints
    followers: Ints
    mass: Floats
    totals: Floats
    shares: Floats
    ends: Floats
    jumps: Ints

    def after(self, symbols: Ints, rng: np.random.Generator) -> Ints:
        """A follower of each symbol; any symbol where none follows often enough."""
        at = self.mass[self.starts[symbols]] + rng.random(len(symbols)) * self.totals[symbols]
        last = self.mass[self.starts[symbols + 1]]
        found = np.searchsorted(self.mass, at, side="right") - 1
        known = self.followers[np.clip(found, 0, max(len(self.followers) - 1, 0))] if len(
            self.followers) else np.zeros(len(symbols), np.int64)  # fmt: skip
        return np.where(at < last, known, draw(self.shares, len(symbols), rng))

    def jump(self, symbols: Ints, rng: np.random.Generator) -> Ints:
        """A word that never follows each word; -1 where there is none."""
        if not len(self.jumps):
            return np.full(len(symbols), -1)
        return np.asarray(self.jumps[symbols, rng.integers(0, self.jumps.shape[1], len(symbols))])


def fit_chain(symbols: Ints, tokens: Tokens, owner: Ints, words: int, count: int) -> Chain:
    """Learn which symbol follows which.

    Args:
        symbols: The symbol of each token, [m].
        tokens: The tokens.
        owner: The row, or unit, of each token, [m].
        words: The first so many symbols are words.
        count: Number of symbols.
    """
    first = np.diff(tokens.rows, prepend=-1) != 0
    before = np.where(first, count, np.concatenate([[count], symbols[:-1]])[: len(symbols)])
    pairs, code, often = np.unique(
        before * (count + 1) + symbols, return_inverse=True, return_counts=True
    )
    kept = holders(code, len(pairs), owner) >= RARE
    source, target = pairs // (count + 1), pairs % (count + 1)
    starts = np.searchsorted(source[kept], np.arange(count + 2))
    last = np.append(first[1:], True) if len(first) else first
    return Chain(
        starts,
        target[kept],
        np.concatenate([[0.0], np.cumsum(often[kept])]),
        np.bincount(before, minlength=count + 1).astype(float),
        _shares(symbols, count),
        _shares(symbols[last], count),
        _jumps(pairs, words, count, _shares(symbols, count)),
    )


def without_seen(jumps: Ints, words: Ints, rows: Ints) -> Ints:
    """Jumps without the pairs of words that do follow each other in further texts.

    Args:
        jumps: As in `Chain`, [W, J].
        words: The word of each token, -1 for any other, [m].
        rows: The text of each token, [m].
    """
    if not jumps.size or len(words) < 2:
        return jumps
    beside = (rows[1:] == rows[:-1]) & (words[1:] >= 0) & (words[:-1] >= 0)
    seen = np.unique(words[:-1][beside] * len(jumps) + words[1:][beside])
    pairs = np.arange(len(jumps))[:, None] * len(jumps) + jumps
    return np.where(np.isin(pairs, seen), -1, jumps)


def _jumps(pairs: Ints, words: int, count: int, shares: Floats) -> Ints:
    """Words that never follow a word in any text, drawn by how common they are."""
    if not words:
        return np.zeros((0, _JUMPS), np.int64)
    rng = np.random.default_rng(0)
    jumps = np.full((words, _JUMPS), -1)
    found = np.zeros(words, np.int64)
    for _ in range(_TRIES):
        tried = draw(shares[:words], words, rng)
        key = np.arange(words) * (count + 1) + tried
        at = np.minimum(np.searchsorted(pairs, key), len(pairs) - 1)
        good = np.flatnonzero((pairs[at] != key) & (found < _JUMPS))
        jumps[good, found[good]] = tried[good]
        found[good] += 1
    some = np.maximum(found, 1)  # where fewer were found they come again
    return np.asarray(jumps[np.arange(words)[:, None], np.arange(_JUMPS)[None, :] % some[:, None]])


def _shares(symbols: Ints, count: int) -> Floats:
    counts = np.bincount(symbols, minlength=count).astype(float)
    return counts / counts.sum() if counts.sum() else np.eye(1, count, count - 1)[0]


def draw(shares: Floats, count: int, rng: np.random.Generator) -> Ints:
    """`count` numbers by their shares; the last one where all are zero."""
    edges = np.cumsum(shares)
    if not edges[-1] > 0:
        return np.full(count, len(shares) - 1)
    return np.minimum(np.searchsorted(edges, rng.random(count) * edges[-1], side="right"),
                      len(shares) - 1)  # fmt: skip
