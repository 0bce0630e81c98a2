"""Published schemas in a real PostgreSQL, with every constraint on."""

from __future__ import annotations

import pyarrow as pa
import pytest
from databases import DATA_SETS, database, load, reflected
from folders import read_folder
from places import SHARED

from prefect_synth.synth.extract import extract_rows
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


@pytest.mark.parametrize("name", DATA_SETS)
def test_every_extract_is_accepted(postgres_uri, name):
    """A few rows of each table, whoever is the root: no key dangles, cycles included."""
    real = read_folder(SHARED / "data" / name)
    metadata = reflected(postgres_uri, name, real)
    for rows, root in [(1, None), (20, None), (200, None), *((20, table) for table in real)]:
        found = extract_rows(metadata, real, rows, root=root)
        small = {table: real[table].take(pa.array(at)) for table, at in found.items()}
        with database(postgres_uri) as own:
            assert load(own, name, small) == [], (rows, root)
