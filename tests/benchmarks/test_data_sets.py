"""Every shared data set, by every row model."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from folders import read_folder
from places import SHARED
from structure import broken_rules, violations

from prefect_synth.synth.effort import Effort
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.registry import SYNTHESIZERS
from prefect_synth.synth.row_models.factory import LIBRARIES
from prefect_synth.synth.sdv import metadata_from_sdv

FOLDERS = sorted(f.parent for f in (SHARED / "data").glob("*/metadata.json"))
ROW_MODELS = sorted(set(SYNTHESIZERS.values()))
NETWORKS = {name for name in ROW_MODELS if LIBRARIES.get(name) == "torch"}
MOST_ROWS = 50_000  # of a data set: a network takes minutes for more
EPOCHS = 3  # keys, types and rules must hold however little a network learned


def rows(folder: Path) -> int:
    """Rows of all tables of a data set."""
    return sum(pq.read_metadata(file).num_rows for file in folder.glob("*.parquet"))


CASES = [
    pytest.param(folder, name, id=f"{folder.name}-{name}")
    for folder in FOLDERS
    for name in ROW_MODELS
    if name not in NETWORKS or rows(folder) <= MOST_ROWS
]
NOTHING = {"orphans": 0.0, "repeated keys": 0.0, "schema differences": 0.0}


@pytest.mark.slow
@pytest.mark.parametrize(("folder", "row_model"), CASES)
def test_structure_holds(folder, row_model):
    """Foreign keys resolve, keys are unique, the schema is the real one, and rules hold."""
    metadata, real = metadata_from_sdv(folder / "metadata.json"), read_folder(folder)
    real = {name: real[name] for name in metadata.tables}
    effort = Effort(epochs=EPOCHS) if row_model in NETWORKS else None
    model = HMASynthesizer(metadata, row_model=row_model, effort=effort).fit(real)
    made = model.sample()
    assert violations(metadata, real, made) == NOTHING
    assert broken_rules(model, made) == 0
