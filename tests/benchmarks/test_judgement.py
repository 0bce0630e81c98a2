"""The judgement on real data: honest rows pass, every planted fault is stopped."""

import pytest
from faults import FAULTS
from judgement import FOLDERS, ROOTS, find, honest

HONEST = [(folder, root) for folder in FOLDERS for root in ROOTS.get(folder.name, (None,))]

pytestmark = pytest.mark.skipif(not FOLDERS, reason="the shared data sets are not here")


@pytest.mark.parametrize("name", ["swapped dependence", "child resampled independently"])
def test_lost_dependence_is_stopped(name, tmp_path):
    """Each column looks right, and the check that looks at them together names the place."""
    found, _ = find(FAULTS[name], tmp_path)
    assert found is not None


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_stopped(name, tmp_path):
    """By the check that is made for it, which names table and column."""
    found, _ = find(FAULTS[name], tmp_path)
    assert found is not None


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("folder", "root"), HONEST, ids=lambda value: getattr(value, "name", value)
)
def test_honest_data_pass_every_default_gate(folder, root, seed):
    """Rows that no model saw, in the synthetic tables' place."""
    assert honest(folder, seed, root).verdict.failures == ()
