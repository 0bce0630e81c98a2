"""The gates of a project file."""

import pytest
from pydantic import ValidationError

from prefect_synth.expectations.settings import Gates


def test_every_gate_has_a_default() -> None:
    """An empty section is a complete one, and survives JSON."""
    assert Gates.model_validate_json(Gates().model_dump_json()) == Gates()


def test_an_unknown_gate_is_refused() -> None:
    """A misspelt key does not silently open a gate."""
    with pytest.raises(ValidationError, match="qualty"):
        Gates.model_validate({"qualty": {"min": 0.9}})


def test_a_share_above_one_is_refused() -> None:
    """Scores and shares go from 0 to 1."""
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        Gates.model_validate({"quality": {"min": 85}})
