"""The oracle's cases, and what SDMetrics says about them."""

import json
import runpy
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pytest

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table

ORACLE = Path(__file__).parents[2] / "oracle" / "sdmetrics_scores.py"
RECORDED = json.loads(ORACLE.with_suffix(".json").read_text())


class OracleCase(NamedTuple):
    """Tables, and what SDMetrics found."""

    real: dict
    synthetic: dict
    metadata: Metadata
    recorded: dict


@pytest.fixture(scope="session")
def oracle_tables():
    """The oracle's tables, made anew."""
    return runpy.run_path(str(ORACLE))["cases"]()


@pytest.fixture(params=RECORDED)
def oracle_case(request, oracle_tables):
    """A case of the oracle; the keys that foreign keys refer to are primary keys."""
    real, synthetic, sdtypes, relationships = oracle_tables[request.param]
    keys = {parent: tuple(columns) for _, _, parent, columns in relationships}
    tables = {
        name: Table(
            name, {c: Column(c, sdtype) for c, sdtype in columns.items()}, keys.get(name, ())
        )
        for name, columns in sdtypes.items()
    }
    links = (Relationship(c, tuple(cc), p, tuple(pc)) for c, cc, p, pc in relationships)
    left = {name: pa.table(columns) for name, columns in real.items()}
    right = {name: pa.table(columns, left[name].schema) for name, columns in synthetic.items()}
    return OracleCase(left, right, Metadata(tables, tuple(links)), RECORDED[request.param])
