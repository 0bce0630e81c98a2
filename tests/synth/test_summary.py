"""What is told of a trained part: names and counts, and why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.hierarchy.summary import PartSummary, summarize
from prefect_synth.synth.metadata import Metadata, Relationship


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    """Two cities, one with a hundred visits, and what the visits cost."""
    rng = np.random.default_rng(0)
    net = rng.integers(1, 1000, 400)
    return {
        "cities": pa.table({"code": ["ULM", "BER", "KEL"], "people": [1.0, 2.0, 3.0]}),
        "visits": pa.table(
            {
                "visit_id": np.arange(400),
                "code": np.repeat(["ULM", "BER", "KEL"], [195, 195, 10]),
                "net": net,
                "tax": (tax := rng.integers(0, 99, 400)),
                "gross": net + tax,
            }
        ),
    }


def made(tables: dict[str, pa.Table], **options: object) -> dict[str, PartSummary]:
    """The summaries of a synthesizer's parts."""
    found = Metadata.from_tables(tables)
    found = found.with_table(replace(found.tables["cities"], primary_key=("code",)))
    to_cities = Relationship("visits", ("code",), "cities", ("code",))
    model = HMASynthesizer(found.with_relationships([to_cities]), **options).fit(tables)
    return {name: summarize(part) for name, part in model.parts_.items()}


def test_a_part_tells_its_model_and_rules(tables: dict[str, pa.Table]) -> None:
    """The rules stand as the project file has them, and cities with enough visits are counted."""
    told = made(tables)
    assert (told["visits"].row_model, told["visits"].rules) == ("trees", ("gross = net + tax",))
    assert (told["cities"].row_model, told["cities"].named_rows) == ("copula", 2)


def test_a_kept_table_has_no_model(tables: dict[str, pa.Table]) -> None:
    """Its real rows are published, and that is what is told."""
    assert made(tables, keep=["cities"])["cities"].row_model == "copy"
