"""Items of lists: a distribution of their own, from which as many are drawn as are needed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.choice import EncodingSettings
from prefect_synth.synth.encoding.codec import TableCodec
from prefect_synth.synth.encoding.layout import Encoded, Ints, from_uniform
from prefect_synth.synth.encoding.shapes import describe_leaf
from prefect_synth.synth.randomness import stream
from prefect_synth.synth.row_models.copula import CopulaRowModel
from prefect_synth.synth.storage import stored

_ITEM = "item"
_MOST_ITEMS = 100_000


@stored
@dataclass(frozen=True)
class Bag:
    """The items of a list column.

    Args:
        codec: Encoders of the items, which may be nested again.
        row_model: Joins the leaves of one item; None where there is only one.
    """

    codec: TableCodec
    row_model: CopulaRowModel | None

    def draw(self, count: int, rng: np.random.Generator) -> pa.Array:
        """`count` items."""
        layouts = self.codec.layouts
        if self.row_model is not None and count:
            rows = self.row_model.sample(Encoded.empty(count), rng)
        else:
            drawn = [from_uniform(layout, rng.random(count)) for layout in layouts]
            parts = [Encoded(p[:, None], w[:, None], (layout,))
                     for (p, w), layout in zip(drawn, layouts, strict=True)]  # fmt: skip
            rows = Encoded.beside(parts, count)
        return self.codec.decode(rows, rng)[_ITEM]


def fit_bag(
    name: str, items: pa.Array, settings: EncodingSettings, units: Ints | None = None
) -> Bag:
    """Learn the items of column `name`.

    Args:
        name: The column, for messages and for what the items mean.
        items: The items of all rows.
        settings: Locale and marginals.
        units: The unit that each item belongs to, if known.
    """
    # a list may hold lists: fitting a table and fitting its bags need each other
    from prefect_synth.synth.encoding.table import fit_codec

    if len(items) > _MOST_ITEMS:
        some = np.linspace(0, len(items) - 1, _MOST_ITEMS).astype(np.int64)
        items, units = items.take(pa.array(some)), None if units is None else units[some]
    meaning = describe_leaf(name, items)
    column = type(meaning)(_ITEM, meaning.sdtype, pii=meaning.pii)
    table, rng = pa.table({_ITEM: items}), stream(0, "bag", name)
    codec = fit_codec(name, table, [column], (), settings, units)
    if len(codec.layouts) < 2 or not len(items):
        return Bag(codec, None)
    rows = codec.encode(table, rng)
    return Bag(codec, CopulaRowModel().fit(rows, Encoded.empty(len(rows)), rng))


def first_distinct(group: Ints, wanted: Ints, codes: Ints) -> Ints:
    """Of items in groups, the first different ones of each group, in order.

    Args:
        group: Group of each item, ascending, [m].
        wanted: Items that each group should have, [g].
        codes: Equal for equal items, [m].

    Returns:
        Numbers of the items that stay; at most as many a group as wanted.
    """
    size = int(codes.max(initial=0)) + 1
    first = np.sort(np.unique(group * size + codes, return_index=True)[1])
    starts = np.searchsorted(group[first], np.arange(len(wanted)))
    rank = np.arange(len(first)) - starts[group[first]]
    return np.asarray(first[rank < wanted[group[first]]])
