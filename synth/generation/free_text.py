"""Free text that nobody wrote: the words and shapes that many rows share, in a new order.

A text is a chain of *symbols*: a word that enough rows have, or the *mask* of a rarer one (its
letters and digits as classes). A symbol is followed by one that follows it in enough rows, or by
any. No sentence is copied: at every fourth word the chain goes on with a word that never follows
the one before in any real text, so no six words in a row are those of a real text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import RARE, Ints
from prefect_synth.synth.encoding.quantile import QuantileMarginal, fit_quantiles
from prefect_synth.synth.encoding.units import holders
from prefect_synth.synth.generation.chains import Chain, draw, fit_chain, without_seen
from prefect_synth.synth.generation.pools import pool_of
from prefect_synth.synth.generation.text_lengths import fit_length
from prefect_synth.synth.generation.tokens import Tokens, masks_of, render, tokenize
from prefect_synth.synth.storage import stored

_MOST_WORDS = 4000
_MOST_MASKS = 500
_MOST_LETTERS = 3000
_MOST_ROWS = 50_000
_PERIOD = 4
_ANY = "aaaaaa"
_NOWHERE = "xxxx"
_UPPER = 0.8


class TextGenerator(Protocol):
    """What makes the texts of a column; a class marked `@stored`."""

    def generate(self, count: int, rng: np.random.Generator, first: int = 0) -> pa.Array:
        """`count` texts, of the rows from `first` on."""


TextMaker = Callable[[pa.Array, int | None, bool, Ints | None], TextGenerator]
"""Fits a generator: texts without nulls, longest length, whether unique, units of the rows."""


@stored
@dataclass(frozen=True)
class WordGenerator:
    """Free text by words and masks.

    Args:
        words: Words that enough rows have: the first symbols.
        masks: Masks that enough rows have: the other symbols.
        strangers: Words that are in no real text.
        chain: Which follows which.
        sizes: Distribution of the number of words.
        letters: Letters of scripts without case that enough rows have.
        max_length: Longest text allowed.
        unique: Whether no text may come twice.
    """

    words: pa.Array
    masks: pa.Array
    strangers: pa.Array
    chain: Chain
    sizes: QuantileMarginal
    letters: str
    max_length: int | None
    unique: bool

    def generate(self, count: int, rng: np.random.Generator, first: int = 0) -> pa.Array:
        """`count` texts, of the rows from `first` on."""
        if not count:
            return pa.array([], pa.string())
        symbols, offsets = self._symbols(self._sizes(count, rng), rng)
        texts = pc.binary_join(
            pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), self._written(symbols, rng)),
            " ",
        )
        texts = pc.replace_substring_regex(texts, " ?\n ?", "\n")
        return fit_length(texts, self.max_length, unique=self.unique, first=first)

    def _sizes(self, count: int, rng: np.random.Generator) -> Ints:
        edges = np.cumsum(self.sizes.weights)
        piece = np.minimum(np.searchsorted(edges, rng.random(count) * edges[-1]), len(edges) - 1)
        return np.maximum(self.sizes.value(piece, rng.random(count)), 1).astype(np.int64)

    def _symbols(self, sizes: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """The symbols of all texts, one after the other; -1 for a stranger."""
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        symbols = np.zeros(offsets[-1], np.int64)
        start = len(self.chain.shares)
        order = np.argsort(-sizes, kind="stable")
        longest_first = sizes[order]
        for place in range(int(sizes.max())):  # a place in all texts at once
            rows = order[: np.searchsorted(-longest_first, -place)]
            at = offsets[rows] + place
            before = symbols[at - 1] if place else np.full(len(rows), start)
            before = np.where(before < 0, start, before)
            if place % _PERIOD == _PERIOD - 1:
                symbols[at - 1] = self._as_word(before, rng)
                symbols[at] = self._jumped(symbols[at - 1], rng)
                continue
            symbols[at] = self.chain.after(before, rng)
            last = (sizes[rows] == place + 1) & (place > 0)
            symbols[at[last]] = draw(self.chain.ends, int(last.sum()), rng)
        return symbols, offsets

    def _as_word(self, symbols: Ints, rng: np.random.Generator) -> Ints:
        """The same words, and a word in place of each mask: a mask may turn out as any word."""
        count = len(self.words)
        if not count:
            return np.full(len(symbols), -1)
        return np.where(
            symbols < count, symbols, draw(self.chain.shares[:count], len(symbols), rng)
        )

    def _jumped(self, words: Ints, rng: np.random.Generator) -> Ints:
        known = words >= 0
        found = np.full(len(words), -1)
        found[known] = self.chain.jump(words[known], rng)
        return found

    def _written(self, symbols: Ints, rng: np.random.Generator) -> pa.Array:
        """The words of symbols."""
        texts = np.empty(len(symbols), object)
        count = len(self.words)
        strange, word = symbols < 0, (symbols >= 0) & (symbols < count)
        texts[word] = self.words.to_numpy(zero_copy_only=False)[symbols[word]]
        pool = self.strangers.to_numpy(zero_copy_only=False)
        texts[strange] = pool[rng.integers(0, len(pool), int(strange.sum()))]
        masked = np.flatnonzero(symbols >= count)
        for mask in np.unique(symbols[masked]):
            rows = masked[symbols[masked] == mask]
            texts[rows] = render(
                self.masks[int(mask) - count].as_py(), len(rows), self.letters, rng
            )
        return pa.array(texts, pa.string())


def fit_text(
    values: pa.Array,
    max_length: int | None,
    *,
    unique: bool,
    units: Ints | None = None,
    maker: str = "words",
) -> TextGenerator:
    """Learn to make the texts of a column.

    Args:
        values: The texts, nulls included.
        max_length: Longest text allowed.
        unique: Whether no text may come twice.
        units: The unit of each row, if known.
        maker: A name of `TEXT_MAKERS`.
    """
    every = np.flatnonzero(np.asarray(values.is_valid()))
    rows = every
    if len(rows) > _MOST_ROWS:
        rows = rows[np.linspace(0, len(rows) - 1, _MOST_ROWS).astype(np.int64)]
    texts = values.take(pa.array(rows)).cast(pa.string())
    owners = None if units is None else units[rows]
    made = TEXT_MAKERS[maker](texts, max_length, unique, owners)
    if len(every) > len(rows) and isinstance(made, WordGenerator):
        return _strange_to_all(made, values, every)
    return made


def fit_words(
    texts: pa.Array, max_length: int | None, unique: bool, units: Ints | None
) -> WordGenerator:
    """Learn words, masks, and which follows which; see `TextMaker`."""
    return _fit(texts, max_length, unique, units, _MOST_WORDS)


def fit_shapes(
    texts: pa.Array, max_length: int | None, unique: bool, units: Ints | None
) -> WordGenerator:
    """Learn masks and which follows which, but no word: for what names a person."""
    return _fit(texts, max_length, unique, units, 0)


def _fit(
    texts: pa.Array, max_length: int | None, unique: bool, units: Ints | None, most: int
) -> WordGenerator:
    tokens = tokenize(texts)
    owner = tokens.rows if units is None else units[tokens.rows]
    words = _common(tokens.codes, tokens.texts, owner, most)
    masks = masks_of(tokens.texts)
    rest = ~np.asarray(pc.is_in(tokens.texts, words))[tokens.codes]
    shape = masks.dictionary_encode()
    shapes = np.asarray(shape.indices)[tokens.codes]
    common = _common(shapes[rest], shape.dictionary, owner[rest], _MOST_MASKS)
    common = pa.concat_arrays([common.filter(pc.not_equal(common, _ANY)), pa.array([_ANY])])
    symbols = _symbols(tokens, words, masks, common)
    upper = bool(len(texts)) and pc.mean(pc.utf8_is_upper(texts).cast(pa.int8())).as_py() > _UPPER
    return WordGenerator(
        words,
        common,
        _strangers(tokens.texts, upper),
        fit_chain(symbols, tokens, owner, len(words), len(words) + len(common)),
        fit_quantiles(np.bincount(tokens.rows, minlength=len(texts)).astype(float), whole=True),
        _letters(texts, np.arange(len(texts)) if units is None else units),
        max_length,
        unique,
    )


TEXT_MAKERS: dict[str, TextMaker] = {"words": fit_words, "shapes": fit_shapes}
"""Makers of free text by name; a further one is registered here."""


def _strange_to_all(made: WordGenerator, values: pa.Array, rows: Ints) -> WordGenerator:
    """The same, without jumps and strangers that are in texts from which it was not fitted."""
    words, jumps, strangers = made.words, made.chain.jumps.copy(), made.strangers
    for start in range(0, len(rows), _MOST_ROWS):
        some = values.take(pa.array(rows[start : start + _MOST_ROWS])).cast(pa.string())
        tokens = tokenize(some)
        known = np.asarray(pc.index_in(tokens.texts, words).fill_null(-1)).astype(np.int64)
        jumps = without_seen(jumps, known[tokens.codes], tokens.rows)
        strangers = strangers.filter(pc.invert(pc.is_in(strangers, tokens.texts)))
    strangers = strangers if len(strangers) else pa.array([_NOWHERE])
    return replace(made, chain=replace(made.chain, jumps=jumps), strangers=strangers)


def _common(codes: Ints, texts: pa.Array, owner: Ints, most: int) -> pa.Array:
    """The texts that enough rows or units have, at most so many of the commonest, sorted."""
    counts = holders(codes, len(texts), owner)
    kept = np.argsort(-counts, kind="stable")[:most]
    kept = texts.take(pa.array(kept[counts[kept] >= RARE]))
    return kept.take(pc.sort_indices(kept))


def _symbols(tokens: Tokens, words: pa.Array, masks: pa.Array, common: pa.Array) -> Ints:
    """The symbol of each token."""
    word = pc.index_in(tokens.texts, words).fill_null(-1)
    mask = pc.index_in(masks, common).fill_null(len(common) - 1)
    by_text = np.where(np.asarray(word) >= 0, np.asarray(word), np.asarray(mask) + len(words))
    return np.asarray(by_text[tokens.codes].astype(np.int64))


def _strangers(texts: pa.Array, upper: bool) -> pa.Array:
    pool = pool_of("word", "en_US")
    pool = pc.utf8_upper(pool) if upper else pool
    strange = pool.filter(pc.invert(pc.is_in(pool, texts)))
    return strange if len(strange) else pa.array([_NOWHERE])


def _letters(texts: pa.Array, owner: Ints) -> str:
    """Letters of scripts without case that enough rows have."""
    others = pc.replace_substring_regex(texts, r"[^\p{Lo}]", "")
    points = np.frombuffer("".join(others.to_pylist()).encode("utf-32-le"), "<u4")
    if not len(points):
        return ""
    letters, codes = np.unique(points, return_inverse=True)
    counts = holders(codes, len(letters), np.repeat(owner, np.asarray(pc.utf8_length(others))))
    kept = np.sort(np.argsort(-counts, kind="stable")[:_MOST_LETTERS])
    return "".join(chr(c) for c in letters[kept[counts[kept] >= RARE]])
