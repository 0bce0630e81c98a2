"""Columns are drawn from streams of their own: what comes or goes moves nothing beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Encoded, Layout
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.row_models.streams import Streams
from prefect_synth.synth.row_models.trees import TreesRowModel


def layout(key):
    """Four equal pieces of a column with this key."""
    return Layout(np.full(4, 0.25), np.zeros(4, bool), nominal=True, has_null=False, key=key)


def independent(keys, rng):
    """Rows of columns that have nothing to do with one another."""
    pieces = np.column_stack([np.random.default_rng(key).integers(0, 4, 900) for key in keys])
    return Encoded(pieces, np.full(pieces.shape, 0.5), tuple(layout(key) for key in keys))


def test_a_stream_is_the_keys_own():
    """The stream of a key is the same at any place, and of no key that of the place."""
    first, second = (
        Streams([layout(k) for k in keys], np.random.default_rng(1)) for keys in ((7, 8), (8, 0))
    )
    assert first.of(1).random() == second.of(0).random()
    assert first.of(0).random() != first.of(1).random()


def test_a_column_that_goes_moves_no_other(rng):
    """Trees draw the other columns as before, where these are not told by it."""
    both = [independent(keys, rng) for keys in ((1, 2, 3), (1, 3))]
    nothing = Encoded.empty(500)
    drawn = [
        TreesRowModel()
        .fit(rows, Encoded.empty(len(rows)), np.random.default_rng(5))
        .sample(nothing, np.random.default_rng(6))
        for rows in both
    ]
    assert (drawn[0].pieces[:, [0, 2]] == drawn[1].pieces).all()


def test_texts_stay_when_a_text_before_them_goes(schema_of, rng):
    """Made-up texts are keyed by their column's name too."""
    words = np.array(["red", "green", "blue", "small", "large", "round"])
    texts = [" ".join(rng.choice(words, 9)) for _ in range(400)]
    whole = pa.table({"id": range(400), "note": texts[::-1], "remark": texts})
    made = []
    for table in (whole, whole.drop_columns(["note"])):
        metadata = schema_of({"t": "id"}, {"t": table}, [])
        as_text = {
            n: replace(c, sdtype="text") if n in ("note", "remark") else c
            for n, c in metadata.tables["t"].columns.items()
        }
        tables = {"t": replace(metadata.tables["t"], columns=as_text)}
        model = HMASynthesizer(replace(metadata, tables=tables), rules="none")
        made.append(model.fit({"t": table}).sample()["t"]["remark"])
    assert made[0] == made[1]


def test_a_table_that_goes_moves_no_table_without_ties(schema_of, rng):
    """Tables that no foreign key ties to one another are drawn apart."""
    tables = {
        name: pa.table({"id": range(300), "x": rng.normal(size=300), "y": rng.integers(0, 9, 300)})
        for name in ("a", "b")
    }
    less = {"b": tables["b"]}
    whole, alone = (
        HMASynthesizer(schema_of(dict.fromkeys(t, "id"), t, [])).fit(t).sample()
        for t in (tables, less)
    )
    assert whole["b"] == alone["b"]
