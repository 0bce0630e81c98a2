"""Correlations at the ends of what a float can hold."""

from __future__ import annotations

import numpy as np
import pytest

from prefect_synth.synth.metrics.correlation import correlations


@pytest.mark.parametrize("size", [1.1e-308, 1e-200, 1.0, 1e200, 1.7e308])
def test_numbers_of_any_size_correlate(size: float) -> None:
    """Neither vanishing nor enormous numbers divide by zero or overflow."""
    numbers = np.array([0.0, 1.0, 0.5, 0.25]) * size
    assert correlations([numbers, numbers])[0, 1] == pytest.approx(1.0)
