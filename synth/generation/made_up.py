"""Values that nobody has: personal data by Faker, free text, and stand-ins for opaque types.

Nothing here keeps a real value; only lengths, and the number of words, are learned.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.quantile import QuantileMarginal, fit_quantiles
from prefect_synth.synth.encoding.ticks import TickScale, fit_ticks
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.storage import stored

_POOL = 3000
DOMAINS = ("example.com", "example.org", "example.net")
_PROVIDERS = {
    "ipv4_address": "ipv4",
    "ipv6_address": "ipv6",
    "address": "address",
}


@stored
@dataclass(frozen=True)
class PersonalGenerator:
    """Personal data of one sdtype, from Faker's lists of a locale.

    Args:
        sdtype: One of `PII_SDTYPES`.
        locale: Faker's locale, as `de_DE`.
        max_length: Longest text allowed; None where there is no limit.
        unique: Whether no value may come twice.
    """

    sdtype: str
    locale: str
    max_length: int | None
    unique: bool

    def generate(self, count: int, rng: np.random.Generator) -> pa.Array:
        """`count` texts."""
        if self.sdtype == "email":
            people = pc.binary_join_element_wise(
                self._drawn("first_name", count, rng), self._drawn("last_name", count, rng), "."
            )
            return self.emails(people, rng)
        values = self._drawn(self.sdtype, count, rng)
        return fit_length(values, self.max_length, unique=self.unique)

    def emails(self, people: pa.Array, rng: np.random.Generator) -> pa.Array:
        """Numbered addresses in reserved domains for `people` ("First.Last")."""
        number = pa.array(np.arange(1, len(people) + 1).astype(str))
        domain = pa.array(np.array(DOMAINS)[rng.integers(0, len(DOMAINS), len(people))])
        local = pc.replace_substring_regex(pc.ascii_lower(people), r"[^a-z0-9.]+", "")
        local = pc.ascii_trim(local, ".")
        local = pc.if_else(pc.equal(local, ""), "user", local)  # a name in another script
        if self.max_length is not None:
            longest = max(self.max_length - len("@example.com") - len(str(len(people))), 1)
            local = pc.utf8_slice_codeunits(local, 0, longest)
        return pc.binary_join_element_wise(local, number, "@", domain, "")

    def _drawn(self, sdtype: str, count: int, rng: np.random.Generator) -> pa.Array:
        pool = _pool(sdtype, self.locale)
        return pool.take(pa.array(rng.integers(0, len(pool), count)))


@stored
@dataclass(frozen=True)
class TextGenerator:
    """Free text: common words, as many as the real texts have, in their letter case.

    Args:
        words: Distribution of the number of words.
        upper: Whether texts are in capitals.
        max_length: Longest text allowed.
        unique: Whether no value may come twice.
    """

    words: QuantileMarginal
    upper: bool
    max_length: int | None
    unique: bool

    def generate(self, count: int, rng: np.random.Generator) -> pa.Array:
        """`count` texts."""
        u = rng.random(count)
        edges = np.cumsum(self.words.weights)
        piece = np.minimum(np.searchsorted(edges, u * edges[-1]), len(edges) - 1)
        sizes = np.maximum(self.words.value(piece, rng.random(count)), 1).astype(np.int64)
        pool = _pool("word", "en_US")
        flat = pool.take(pa.array(rng.integers(0, len(pool), int(sizes.sum()))))
        offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]), pa.int32())
        texts = pc.binary_join(pa.ListArray.from_arrays(offsets, flat), " ")
        texts = pc.utf8_upper(texts) if self.upper else pc.utf8_capitalize(texts)
        return fit_length(texts, self.max_length, unique=self.unique)


@stored
@dataclass(frozen=True)
class BytesGenerator:
    """Binary stand-ins of like size, filled with zeros."""

    sizes: QuantileMarginal

    def generate(self, count: int, rng: np.random.Generator) -> pa.Array:
        """`count` byte strings."""
        edges = np.cumsum(self.sizes.weights)
        piece = np.minimum(np.searchsorted(edges, rng.random(count)), len(edges) - 1)
        sizes = np.maximum(self.sizes.value(piece, rng.random(count)), 0).astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        return pa.LargeBinaryArray.from_buffers(
            pa.large_binary(),
            count,
            [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(bytes(int(offsets[-1])))],
        )


@stored
@dataclass(frozen=True)
class RangeGenerator:
    """Numbers or dates anywhere between two ends, which are not the real ones.

    Args:
        scale: Ticks of the column.
        low: Smallest tick.
        high: Largest tick.
        kind: Schema with one field of the column's type.
    """

    scale: TickScale
    low: float
    high: float
    kind: pa.Schema

    def generate(self, count: int, rng: np.random.Generator) -> pa.Array:
        """`count` values."""
        return self.scale.from_ticks(
            rng.uniform(self.low, self.high, count), self.kind.field(0).type
        )


@stored
@dataclass(frozen=True)
class ConstantGenerator:
    """The same neutral text for every row: an empty JSON document, an empty list."""

    text: str

    def generate(self, count: int, rng: np.random.Generator) -> pa.Array:
        """`count` times the text."""
        return pa.array([self.text]).take(pa.array(np.zeros(count, np.int64)))


Generator = PersonalGenerator | TextGenerator | BytesGenerator | RangeGenerator | ConstantGenerator


def fit_text(values: pa.Array, max_length: int | None, *, unique: bool) -> TextGenerator:
    """Learn how many words the texts of a column have."""
    present = values.drop_null()
    spaces = pc.count_substring(present, " ")
    words = np.asarray(spaces.to_numpy(zero_copy_only=False), np.float64) + 1
    upper = bool(len(present)) and pc.mean(pc.utf8_is_upper(present).cast(pa.int8())).as_py() > 0.8
    return TextGenerator(fit_quantiles(words, whole=True), upper, max_length, unique)


def fit_range(values: pa.Array) -> RangeGenerator:
    """Learn between which ends, extremes left out, the values of a personal column lie."""
    present = values.drop_null()
    scale = fit_ticks(present)
    ticks = scale.to_ticks(present)
    blur = scale.blur(ticks, values.type)
    fitted = fit_quantiles(ticks, not scale.is_continuous, blur=blur)
    kind = pa.schema([("v", values.type)])
    return RangeGenerator(scale, float(fitted.lows[0]), float(fitted.highs[-1]), kind)


def fit_bytes(values: pa.Array) -> BytesGenerator:
    """Learn the sizes of a binary column."""
    sizes = np.asarray(pc.binary_length(values.drop_null()), np.float64)
    return BytesGenerator(fit_quantiles(sizes, whole=True))


def fit_length(texts: pa.Array, max_length: int | None, *, unique: bool) -> pa.Array:
    """Cut texts to `max_length`, and number those that come again where they must be unique."""
    if max_length is not None:
        texts = pc.utf8_rtrim_whitespace(pc.utf8_slice_codeunits(texts, 0, max_length))
    if not unique:
        return texts
    codes = np.asarray(texts.dictionary_encode().indices)
    first = np.unique(codes, return_index=True)[1]
    open_ = np.setdiff1d(np.arange(len(codes)), first)
    taken, number = texts.take(pa.array(first)), 1
    while len(open_):  # a numbered text may meet one that is there already
        made = _numbered(texts.take(pa.array(open_)), number, max_length)
        new = ~np.asarray(pc.is_in(made, taken))
        new[np.setdiff1d(np.arange(len(made)), _firsts(made))] = False
        mask = np.zeros(len(codes), bool)
        mask[open_[new]] = True
        made = made.filter(pa.array(new))
        texts = pc.replace_with_mask(texts, pa.array(mask), made)
        taken = pa.concat_arrays([taken, made])
        open_, number = open_[~new], number + len(open_)
    return texts


def _firsts(texts: pa.Array) -> np.ndarray:
    return np.unique(np.asarray(texts.dictionary_encode().indices), return_index=True)[1]


def _numbered(stems: pa.Array, start: int, max_length: int | None) -> pa.Array:
    """The stems with rising hexadecimal numbers, cut so that the number has room."""
    numbers = pa.array(np.char.mod("%x", np.arange(start, start + len(stems))))
    if max_length is None:
        return pc.binary_join_element_wise(stems, numbers, "-")
    digits = len(f"{start + len(stems) - 1:x}")
    if digits > max_length:
        raise SynthesisError(
            f"There are not {len(stems)} more different texts of at most {max_length} characters. "
            "Ask for fewer rows, or widen the column."
        )
    stems = pc.utf8_slice_codeunits(stems, 0, max(max_length - digits - 1, 0))
    return pc.binary_join_element_wise(stems, numbers, "-" if max_length > digits else "")


def declared_length(source_type: str | None) -> int | None:
    """The n of VARCHAR(n) or CHAR(n), or None."""
    found = re.search(r"char\w*(?:\s+varying)?\s*\((\d+)\)", source_type or "", re.IGNORECASE)
    return int(found.group(1)) if found else None


@lru_cache(maxsize=64)
def _pool(sdtype: str, locale: str) -> pa.Array:
    """Values of one kind, always the same ones: which of them a row gets is the caller's draw."""
    from faker import Faker

    fake = Faker(locale)
    method = getattr(fake, _PROVIDERS.get(sdtype, sdtype), None)
    if method is None:  # not every locale has every list
        fake = Faker("en_US")
        method = getattr(fake, _PROVIDERS.get(sdtype, sdtype))
    fake.seed_instance(0)
    values = [str(method()).replace("\n", ", ") for _ in range(_POOL)]
    return pa.array(list(dict.fromkeys(values)), pa.string())
