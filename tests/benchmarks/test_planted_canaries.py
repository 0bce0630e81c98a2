"""No planted canary gets out, by any row model."""

from __future__ import annotations

import pytest
from canaries import CANARIES, in_model, in_output, planted_canaries

from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.registry import SYNTHESIZERS
from prefect_synth.synth.row_models.factory import LIBRARIES

SLOW = {name for name, library in LIBRARIES.items() if library == "torch"}
ROW_MODELS = [
    pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
    for name in sorted(set(SYNTHESIZERS.values()))
]


@pytest.fixture(scope="module")
def people():
    """Tables with a canary in each type of column, and their schema."""
    return planted_canaries()


@pytest.mark.parametrize("row_model", ROW_MODELS)
def test_a_canary_gets_nowhere(people, row_model, tmp_path):
    """Singletons, exact extremes and e-mails stand neither in the copy nor in the model."""
    tables, metadata = people
    model = HMASynthesizer(metadata, row_model=row_model).fit(tables)
    model.save(tmp_path)
    assert in_output(model.sample(2.0), tables) == []
    assert in_model(tmp_path) == []


def test_the_search_finds_canaries(people, tmp_path):
    """In the real tables, and in a model that keeps them, every column's canaries are found."""
    tables, metadata = people
    columns = {*CANARIES, "email", "mail"}
    assert {what.split(":")[0] for what in in_output(tables, tables)} == columns
    HMASynthesizer(metadata, keep=("people", "orders")).fit(tables).save(tmp_path)
    assert {what.split(":")[0] for what in in_model(tmp_path)} == {*CANARIES, "text"}
