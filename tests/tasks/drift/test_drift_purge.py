"""What a purge leaves of drift: the catalogue's names, and nothing that samples showed."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefect_synth.tasks.drift.baseline import read_facts, write_facts
from prefect_synth.tasks.drift.facts import ColumnFacts, TableFacts
from prefect_synth.tasks.purge import purge_parts, purge_subject
from prefect_synth.tasks.staging import Staging

FACTS = {"people": TableFacts(columns=(ColumnFacts(name="id", type="integer"),))}


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    """Staging in which a refresh and a look at samples left something."""
    made = Staging(tmp_path / "staging")
    write_facts(made.first_catalogue, FACTS)
    made.sketches.mkdir()
    (made.sketches / "people.json").write_text("{}")
    return made


@pytest.mark.parametrize("part", ["runs", "everything"])
def test_a_purge_forgets_samples_and_keeps_the_catalogue(part: str, staging: Staging) -> None:
    """Otherwise the next refresh would take every new column for an accepted one."""
    purge_parts(staging, [part])
    assert (staging.sketches.exists(), read_facts(staging.first_catalogue)) == (False, FACTS)


def test_the_purge_of_a_subject_forgets_all_samples(staging: Staging) -> None:
    """Nobody can tell whether the subject was in one."""
    purge_subject(staging, "people", ("1",))
    assert not staging.sketches.exists()
