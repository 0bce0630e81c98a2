"""Models that an earlier version saved: they are read, and draw what they drew."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from prefect_synth.synth.hierarchy.hma import HMASynthesizer

GOLDEN = Path(__file__).parent / "golden"
sys.path.insert(0, str(GOLDEN))
from make import NETWORKS, ROWS, SEED  # noqa: E402


@pytest.mark.parametrize("name", NETWORKS)
def test_models_of_earlier_versions_are_read(name):
    """Without torch's help; text and keys to the letter, numbers but for the last digits."""
    folder = GOLDEN / name
    assert folder.exists(), f"There is no golden model: python tests/synth/golden/make.py {name}"
    drawn, expected = (
        HMASynthesizer.load(folder).sample(seed=SEED)["orders"],
        pq.read_table(folder / ROWS),
    )
    assert drawn.schema.equals(expected.schema)
    same = [np.mean(np.asarray(drawn[c]) == np.asarray(expected[c])) for c in drawn.column_names]
    assert min(same) > 0.99, dict(zip(drawn.column_names, same, strict=True))
