"""Published schemas in a real PostgreSQL, with every constraint on."""

from __future__ import annotations

import pytest
from databases import DATA_SETS, database, load, reflected
from folders import read_folder
from places import SHARED

from prefect_synth.synth.hierarchy.hma import HMASynthesizer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (SHARED / "data" / "chinook").exists(), reason="needs the data sets in ../shared/data"
    ),
]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", DATA_SETS)
def test_every_row_is_accepted(postgres_uri, name, seed):
    """A tenth, as many and ten times as many rows load without a single one refused."""
    real = read_folder(SHARED / "data" / name)
    metadata = reflected(postgres_uri, name, real)
    model = HMASynthesizer(metadata, seed=seed).fit(real)
    for scale in (0.1, 1.0, 10.0):
        with database(postgres_uri) as own:
            assert load(own, name, model.sample(scale)) == []
