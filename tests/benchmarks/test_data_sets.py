"""Every shared data set, by every row model."""

from __future__ import annotations

import pytest
from folders import read_folder
from places import SHARED
from structure import broken_rules, violations

from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.registry import SYNTHESIZERS
from prefect_synth.synth.sdv import metadata_from_sdv

FOLDERS = sorted(f.parent for f in (SHARED / "data").glob("*/metadata.json"))
NOTHING = {"orphans": 0.0, "repeated keys": 0.0, "schema differences": 0.0}


@pytest.mark.slow
@pytest.mark.parametrize("row_model", sorted(set(SYNTHESIZERS.values())))
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_structure_holds(folder, row_model):
    """Foreign keys resolve, keys are unique, the schema is the real one, and rules hold."""
    metadata, real = metadata_from_sdv(folder / "metadata.json"), read_folder(folder)
    real = {name: real[name] for name in metadata.tables}
    model = HMASynthesizer(metadata, row_model=row_model).fit(real)
    made = model.sample()
    assert violations(metadata, real, made) == NOTHING
    assert broken_rules(model, made) == 0
