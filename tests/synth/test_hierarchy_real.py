"""Real schemas, where their data lie beside the repository."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.inference import infer_metadata
from prefect_synth.synth.sdv import metadata_from_sdv
from prefect_synth.synth.single import GaussianCopulaSynthesizer

SHARED = Path(
    os.environ.get("PREFECT_SYNTH_SHARED", Path(__file__).resolve().parents[3] / "shared")
)
pytestmark = pytest.mark.skipif(
    not (SHARED / "data" / "chinook").exists(), reason="needs the data sets in ../shared/data"
)


def tables_of(name):
    """The tables of a data set."""
    return {p.stem: pq.read_table(p) for p in sorted((SHARED / "data" / name).glob("*.parquet"))}


@pytest.mark.parametrize("name", ["chinook", "sakila"])
@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
def test_published_schemas(audit, name, scale):
    """All tables and relations of a real schema, cycles included, hold at any scale."""
    metadata, tables = metadata_from_sdv(SHARED / "data" / name / "metadata.json"), tables_of(name)
    made = HMASynthesizer(metadata).fit(tables).sample(scale)
    audit(metadata, tables, made)


@pytest.mark.parametrize("name", ["chinook", "sakila"])
def test_inferred_schemas(audit, name):
    """What is inferred from the files alone is synthesized as well."""
    tables = tables_of(name)
    metadata = infer_metadata(tables)
    audit(metadata, tables, HMASynthesizer(metadata, seed=1).fit(tables).sample(0.5))


def test_adult_keeps_its_columns():
    """Means and shares of a census table come back within two hundredths."""
    table = tables_of("adult")["adult"]
    made = GaussianCopulaSynthesizer().fit(table).sample(len(table))
    assert made.schema.equals(table.schema, check_metadata=True)
    for name in ("age", "hours_per_week"):
        real, drawn = (np.asarray(t[name].combine_chunks(), float) for t in (table, made))
        assert abs(np.nanmean(drawn) - np.nanmean(real)) < 0.02 * np.nanstd(real)
