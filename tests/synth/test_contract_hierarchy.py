"""What every synthesizer of the registry promises as row model of related tables."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth.effort import Effort
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.synth.registry import SYNTHESIZERS

SHORT = Effort(epochs=1)


@pytest.fixture(scope="module")
def club():
    """People who brought each other in, shops, and visits of the former to the latter."""
    rng, people, visits = np.random.default_rng(0), 80, 240
    return {
        "people": pa.table(
            {
                "id": range(people),
                "age": rng.integers(18, 90, people),
                "brought_by": [None] * 20 + [int(i) for i in rng.integers(0, 20, people - 20)],
            }
        ),
        "shops": pa.table({"id": range(12), "city": rng.choice(["Ulm", "Kiel"], 12)}),
        "visits": pa.table(
            {
                "id": range(visits),
                "person_id": rng.integers(0, people, visits),
                "shop_id": pa.array(rng.integers(0, 12, visits), mask=rng.random(visits) < 0.1),
                "spent": rng.gamma(2, 10, visits).round(2),
                "day": [
                    dt.date(2026, 1, 1) + dt.timedelta(int(d)) for d in rng.integers(0, 90, visits)
                ],
            }
        ),
    }


@pytest.fixture(scope="module")
def metadata(club):
    """Their schema."""
    found = Metadata.from_tables(club)
    for name in club:
        found = found.with_table(replace(found.tables[name], primary_key=("id",)))
    return found.with_relationships(
        [
            Relationship("people", ("brought_by",), "people", ("id",)),
            Relationship("visits", ("person_id",), "people", ("id",)),
            Relationship("visits", ("shop_id",), "shops", ("id",)),
        ]
    )


@pytest.mark.parametrize("name", sorted(SYNTHESIZERS))
def test_keys_and_types_hold_whatever_the_row_model(name, audit, club, metadata, tmp_path):
    """Keys refer, types are exact, seeds repeat, and a saved model draws the same."""
    model = HMASynthesizer(metadata, row_model=name, effort=SHORT).fit(club)
    made = model.sample(1.5, seed=4)
    audit(metadata, club, made)
    model.save(tmp_path)
    again = HMASynthesizer.load(tmp_path).sample(1.5, seed=4)
    assert {t: rows.equals(again[t]) for t, rows in made.items()} == dict.fromkeys(made, True)
