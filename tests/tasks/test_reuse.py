"""Models that a later refresh draws with: when it can, and what stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefect_synth.tasks.references import ExtensionsRef
from prefect_synth.tasks.reuse import Trained, read_trained

DEPENDS = {"the schema": "1", "the holdout": "2"}
ROWS = {"orders": 1000, "people": 100}


def trained(folder: Path, *stages: dict[str, float]) -> Trained:
    """Models of two tables, of 1,000 and of 100 rows."""
    path = folder / "extensions"
    path.mkdir(exist_ok=True)
    extensions = ExtensionsRef(path=path, fingerprint="f", parts={}, rows=ROWS)
    return Trained(
        run_id="r", depends_on=DEPENDS, extensions=extensions, models=(), rows=ROWS, stages=stages
    )


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (DEPENDS, None),
        (DEPENDS | {"the schema": "3"}, "the schema changed since they were trained"),
        (DEPENDS | {"new": "3"}, "new changed since they were trained"),
        ({"the schema": "1"}, "what they depend on changed since they were trained"),
    ],
)
def test_a_reason_is_given(tmp_path: Path, now: dict[str, str], reason: str | None) -> None:
    """Models are used as long as nothing changes that they depend on."""
    assert trained(tmp_path).obstacle(now, ROWS) == reason


def test_models_that_are_gone_are_not_used(tmp_path: Path) -> None:
    """What was purged from staging is trained again."""
    found = trained(tmp_path)
    (tmp_path / "extensions").rmdir()
    assert found.obstacle(DEPENDS, ROWS) == "they are no longer in private staging"


def test_a_table_that_had_no_row_is_trained(tmp_path: Path) -> None:
    """Models of an empty table draw nothing: its first rows are learned; an empty one may stay."""
    found = trained(tmp_path)
    assert found.obstacle(DEPENDS, ROWS | {"notes": 0}) is None
    reason = "there was no row of notes when they were trained"
    assert found.obstacle(DEPENDS, ROWS | {"notes": 50}) == reason


@pytest.mark.parametrize(
    ("asked", "stages"),
    [
        ({"orders": 1.005, "people": 1.0}, 1),
        ({"orders": 1.02, "people": 1.0}, 2),
        ({"orders": 1.0, "people": 1.02}, 1),
        ({"orders": 1.0, "people": 1.05}, 2),
        ({"orders": 0.9, "people": 1.0}, 2),
    ],
)
def test_enough_rows_become_a_stage(tmp_path: Path, asked: dict[str, float], stages: int) -> None:
    """A per cent of all rows, or three of a table's, stay from now on; and so does a loss."""
    found = trained(tmp_path, {"orders": 1.0, "people": 1.0}).sampled(asked)
    assert len(found.stages) == stages
    assert found.stages[-1] == (asked if stages == 2 else {"orders": 1.0, "people": 1.0})


def test_a_first_sample_is_a_stage(tmp_path: Path) -> None:
    """What a snapshot was first drawn at is where growth begins."""
    assert trained(tmp_path).sampled({"orders": 1.2}).stages == ({"orders": 1.2},)


def test_a_table_that_lost_little_keeps_its_rows(tmp_path: Path) -> None:
    """Up to a hundredth fewer rows change nothing; more of them do."""
    found = trained(tmp_path, {"orders": 1.2, "people": 1.0})
    assert found.asked({"orders": 1.19, "people": 0.9}) == {"orders": 1.2, "people": 0.9}


def test_they_are_read_as_they_were_written(tmp_path: Path) -> None:
    """What is remembered is found again, to the last digit of a scale."""
    found = trained(tmp_path, {"orders": 1 / 3, "people": 10 / 7})
    found.save(tmp_path)
    assert read_trained(tmp_path) == found


def test_nothing_remembered_is_no_error(tmp_path: Path) -> None:
    """A folder without the file, or with another version's, has no models."""
    assert read_trained(tmp_path) is None
    (tmp_path / "models.json").write_text('{"run_id": 1}')
    assert read_trained(tmp_path) is None
