"""Values that nobody has: stand-ins for opaque types, and all makers of made-up values.

Nothing here keeps a real value; only lengths and ranges are learned.
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
from prefect_synth.synth.generation.personal import PersonalGenerator, fit_personal
from prefect_synth.synth.generation.text_lengths import declared_length, fit_length
from prefect_synth.synth.storage import stored

__all__ = [
    "BytesGenerator",
    "ConstantGenerator",
    "Generator",
    "PersonalGenerator",
    "RangeGenerator",
    "declared_length",
    "fit_bytes",
    "fit_length",
    "fit_personal",
    "fit_range",
    "fit_text",
]


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
