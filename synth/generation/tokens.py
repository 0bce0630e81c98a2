"""Words of texts, their masks, and words that fit a mask."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.generation.pools import pool_of

_LONGEST = 40
_CLASSES = {
    "9": np.array(list("0123456789")),
    "a": np.array(list("abcdefghijklmnopqrstuvwxyz")),
    "A": np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ")),
}
_CORE = re.compile(r"^([^aA9ω]*)([aA9ω].*[aA9ω]|[aA9ω])([^aA9ω]*)$")


@dataclass(frozen=True)
class Tokens:
    """The words of texts, in order.

    Args:
        rows: The text of each word, ascending, [m].
        codes: Which of `texts` each word is, [m].
        texts: The different words.
    """

    rows: Ints
    codes: Ints
    texts: pa.Array


def tokenize(texts: pa.Array) -> Tokens:
    """Texts as words between spaces; a line break is a word."""
    spaced = pc.replace_substring_regex(texts, r"\r?\n", " \n ")
    lists = pc.split_pattern_regex(spaced, r"[ \t]+")
    flat = lists.flatten()
    rows = np.repeat(np.arange(len(lists)), np.diff(np.asarray(lists.offsets)))
    there = np.asarray(pc.not_equal(flat, ""))
    coded = flat.filter(pa.array(there)).dictionary_encode()
    return Tokens(rows[there], np.asarray(coded.indices).astype(np.int64), coded.dictionary)


def masks_of(texts: pa.Array) -> pa.Array:
    """The mask of each word: 9 for a digit, A and a for letters, ω for letters without case."""
    masks = pc.utf8_slice_codeunits(texts, 0, _LONGEST)
    for pattern, mark in ((r"\p{Nd}", "9"), (r"\p{Lu}", "A"), (r"\p{Ll}", "a"), (r"\p{Lo}", "ω")):
        masks = pc.replace_substring_regex(masks, pattern, mark)
    return masks


def render(mask: str, count: int, letters: str, rng: np.random.Generator) -> np.ndarray:
    """`count` words that fit a mask.

    Args:
        mask: As `masks_of` makes it.
        count: How many.
        letters: Letters without case to choose from.
        rng: Source of the draws.

    Returns:
        Texts, [count] of object.
    """
    parts = _CORE.match(mask)
    if parts is None:
        return np.full(count, mask, object)
    before, core, after = parts.groups()
    style = next((s for s, p in _STYLES if re.fullmatch(p, core)), None)
    if style is None or len(core) == 1:
        made = _spelled(core, count, letters, rng)
    else:
        pool = _of_length(len(core), style)
        made = pool[rng.integers(0, len(pool), count)]
    return np.char.add(np.char.add(before, made.astype(str)), after).astype(object)


_STYLES = (("lower", "a+"), ("upper", "A+"), ("title", "Aa+"))


def _spelled(core: str, count: int, letters: str, rng: np.random.Generator) -> np.ndarray:
    """Characters at random for each class; all else stays."""
    others = np.array(list(letters)) if letters else _CLASSES["a"]
    places = []
    for mark in core:
        choice = others if mark == "ω" else _CLASSES.get(mark)
        fixed = np.full(count, mark)
        places.append(fixed if choice is None else choice[rng.integers(0, len(choice), count)])
    text = np.ascontiguousarray(np.column_stack(places)).astype("U1")
    return np.asarray(text.view(f"U{len(core)}")[:, 0].astype(object))


@lru_cache(maxsize=256)
def _of_length(length: int, style: str) -> np.ndarray:
    """Words of about a length, in a letter case."""
    pool = pool_of("word", "en_US")
    away = np.abs(np.asarray(pc.utf8_length(pool)).astype(int) - length)
    near = pool.filter(pa.array(away <= max(int(away.min()), 1)))
    case = {"lower": pc.utf8_lower, "upper": pc.utf8_upper, "title": pc.utf8_capitalize}[style]
    return np.asarray(case(near).to_numpy(zero_copy_only=False))
