"""Many tables, many columns, any depth."""

from __future__ import annotations

import pytest
from chain import hierarchy
from drive import folder_bytes
from structure import violations

from prefect_synth.synth.hierarchy.hma import HMASynthesizer

NOTHING = {"orphans": 0.0, "repeated keys": 0.0, "schema differences": 0.0}


@pytest.mark.parametrize("shape", [(12, 6), (40, 5)])
def test_many_tables(shape):
    """Twelve tables in six levels, and forty in five, are fitted and sampled as they are."""
    tables, metadata = hierarchy(*shape, columns=5, roots=20)
    made = HMASynthesizer(metadata).fit(tables).sample()
    assert violations(metadata, tables, made) == NOTHING
    assert {n: t.num_rows for n, t in made.items()} == {n: t.num_rows for n, t in tables.items()}


def test_a_model_grows_with_the_columns(tmp_path):
    """Twice as many columns make it at most 1.3 times as large for each column, at depth six."""
    size = {}
    for columns in (10, 20):
        tables, metadata = hierarchy(6, 6, columns, roots=20)
        HMASynthesizer(metadata).fit(tables).save(tmp_path / str(columns))
        size[columns] = folder_bytes(tmp_path / str(columns))
    assert size[20] <= 2 * 1.3 * size[10]
