"""Columns of lost keys: how often values repeat is learned, and no value is."""

from __future__ import annotations

from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth.encoding.choice import EncodingSettings, fit_column
from prefect_synth.synth.generation.keys import SharedKeys
from prefect_synth.synth.metadata import Column, Metadata, Table

FEW = {
    "text": pa.array(["ACME-0X"] * 700 + ["ZETA-9Q"] * 300),
    "one text": pa.array(["ACME-0X"] * 1000),
    "number": pa.array([4711] * 700 + [815] * 300),
    "uuid": pa.array([UUID(int=i % 3 << 90).bytes for i in range(1000)], pa.uuid()),
}


@pytest.mark.parametrize("name", FEW)
def test_no_frequent_value_of_a_lost_key_is_learned(name: str) -> None:
    """Not even where a handful of values make up all rows, nor as a constant form."""
    values, column = FEW[name], Column("code", "id", lost_key=True)
    encoder = fit_column("t", column, values, False, EncodingSettings())
    assert isinstance(encoder.generator, SharedKeys)
    drawn = encoder.decode(np.ones(1000, np.int64), np.zeros(1000), np.random.default_rng(1))
    real = {str(value) for value in values.to_pylist()}
    made = {str(value) for value in drawn.to_pylist()}
    assert drawn.type == values.type
    assert len(made) == len(real)
    assert not made & real
    assert not any(text in other for text in real for other in made)


@pytest.mark.parametrize(
    "values",
    [
        pa.array([[1, 2]] * 300),
        pa.array([b"secret"] * 300),
        pa.array(['{"a": 7}'] * 300, pa.json_()),
    ],
    ids=["list", "bytes", "JSON"],
)
def test_a_lost_key_of_another_type_is_made_up_as_well(values: pa.Array) -> None:
    """Where no key of its type can be made."""
    column = Column("code", "id", lost_key=True)
    encoder = fit_column("t", column, values, False, EncodingSettings())
    drawn = encoder.decode(np.ones(9, np.int64), np.zeros(9), np.random.default_rng(1))
    assert not set(map(str, drawn.to_pylist())) & set(map(str, values.to_pylist()))


def test_a_document_keeps_that_a_key_is_lost() -> None:
    """Models are judged and kept by it; it is not personal."""
    column = Column("code", "id", lost_key=True)
    metadata = Metadata({"t": Table("t", {"code": column})})
    assert Metadata.from_dict(metadata.to_dict()) == metadata
    assert (column.is_generated, column.is_personal) == (True, False)
