"""Values that nobody has: personal data by Faker, and stand-ins for opaque types.

Nothing here keeps a real value; only lengths are learned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.encoding.quantile import QuantileMarginal, fit_quantiles
from prefect_synth.synth.encoding.ticks import TickScale, fit_ticks
from prefect_synth.synth.generation.free_text import TextGenerator, WordGenerator, fit_text
from prefect_synth.synth.generation.pools import pool_of
from prefect_synth.synth.generation.text_lengths import declared_length, fit_length
from prefect_synth.synth.storage import stored

__all__ = [
    "DOMAINS",
    "BytesGenerator",
    "ConstantGenerator",
    "Generator",
    "PersonalGenerator",
    "RangeGenerator",
    "declared_length",
    "fit_bytes",
    "fit_length",
    "fit_range",
    "fit_text",
]

DOMAINS = ("example.com", "example.org", "example.net")


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

    def generate(self, count: int, rng: np.random.Generator, first: int = 0) -> pa.Array:
        """`count` texts, of the rows from `first` on."""
        if self.sdtype == "email":
            people = pc.binary_join_element_wise(
                self._drawn("first_name", count, rng), self._drawn("last_name", count, rng), "."
            )
            return self.emails(people, rng, first)
        values = self._drawn(self.sdtype, count, rng)
        return fit_length(values, self.max_length, unique=self.unique, first=first)

    def emails(self, people: pa.Array, rng: np.random.Generator, first: int = 0) -> pa.Array:
        """Addresses in reserved domains for `people` ("First.Last"), numbered by their rows."""
        number = pa.array((first + np.arange(1, len(people) + 1)).astype(str))
        domain = pa.array(np.array(DOMAINS)[rng.integers(0, len(DOMAINS), len(people))])
        local = pc.replace_substring_regex(pc.ascii_lower(people), r"[^a-z.]+", "")
        local = pc.ascii_trim(local, ".")
        local = pc.if_else(pc.equal(local, ""), "user", local)  # a name in another script
        if self.max_length is not None:
            longest = max(self.max_length - len("@example.com") - len(str(first + len(people))), 1)
            local = pc.utf8_slice_codeunits(local, 0, longest)
        return pc.binary_join_element_wise(local, number, "@", domain, "")

    def _drawn(self, sdtype: str, count: int, rng: np.random.Generator) -> pa.Array:
        pool = pool_of(sdtype, self.locale)
        return pool.take(pa.array(rng.integers(0, len(pool), count)))


@stored
@dataclass(frozen=True)
class BytesGenerator:
    """Binary stand-ins of like size, filled with zeros."""

    sizes: QuantileMarginal

    def generate(self, count: int, rng: np.random.Generator, first: int = 0) -> pa.Array:
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

    def generate(self, count: int, rng: np.random.Generator, first: int = 0) -> pa.Array:
        """`count` values."""
        return self.scale.from_ticks(
            rng.uniform(self.low, self.high, count), self.kind.field(0).type
        )


@stored
@dataclass(frozen=True)
class ConstantGenerator:
    """The same neutral text for every row: an empty JSON document, an empty list."""

    text: str

    def generate(self, count: int, rng: np.random.Generator, first: int = 0) -> pa.Array:
        """`count` times the text."""
        return pa.array([self.text]).take(pa.array(np.zeros(count, np.int64)))


Generator = (
    PersonalGenerator
    | TextGenerator
    | WordGenerator
    | BytesGenerator
    | RangeGenerator
    | ConstantGenerator
)


def fit_range(values: pa.Array, units: Ints | None = None) -> RangeGenerator:
    """Learn between which ends, extremes left out, the values of a personal column lie."""
    present = values.drop_null()
    scale = fit_ticks(present)
    ticks = scale.to_ticks(present)
    blur = scale.blur(ticks, values.type)
    owners = None if units is None else units[np.asarray(values.is_valid())]
    fitted = fit_quantiles(ticks, not scale.is_continuous, blur=blur, units=owners)
    kind = pa.schema([("v", values.type)])
    return RangeGenerator(scale, float(fitted.lows[0]), float(fitted.highs[-1]), kind)


def fit_bytes(values: pa.Array) -> BytesGenerator:
    """Learn the sizes of a binary column."""
    sizes = np.asarray(pc.binary_length(values.drop_null()), np.float64)
    return BytesGenerator(fit_quantiles(sizes, whole=True))
