"""Parametric marginals."""

from __future__ import annotations

import numpy as np
import pytest

from prefect_synth.synth.encoding.parametric import fit_parametric
from prefect_synth.synth.marginal_names import FAMILIES

ROWS = 4000
DRAWS = {
    "norm": lambda rng: rng.normal(40, 7, ROWS),
    "truncnorm": lambda rng: np.abs(rng.normal(0, 3, ROWS)),
    "beta": lambda rng: rng.beta(2, 5, ROWS),
    "gamma": lambda rng: rng.gamma(3, 2, ROWS),
    "student_t": lambda rng: 5 + 2 * rng.standard_t(8, ROWS),
    "uniform": lambda rng: rng.uniform(-3, 9, ROWS),
    "gaussian_kde": lambda rng: np.concatenate(
        [rng.normal(-4, 1, ROWS // 2), rng.normal(4, 1, ROWS // 2)]
    ),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_recovers_its_own_moments(family, rng):
    """Mean, spread and quartiles of draws are those of the sample."""
    real = DRAWS[family](rng)
    fitted = fit_parametric(family, real, whole=False)
    drawn = fitted.value(np.zeros(ROWS, int), (np.arange(ROWS) + 0.5) / ROWS)
    spread = real.std()
    assert drawn.mean() == pytest.approx(real.mean(), abs=0.05 * spread)
    assert drawn.std() == pytest.approx(spread, rel=0.1)
    quartiles = [np.quantile(x, [0.25, 0.5, 0.75]) for x in (drawn, real)]
    np.testing.assert_allclose(*quartiles, atol=0.1 * spread)


@pytest.mark.parametrize("family", FAMILIES)
def test_cdf_and_quantile_function_are_inverse(family, rng):
    """A value's place leads back to the value."""
    real = DRAWS[family](rng)
    fitted = fit_parametric(family, real, whole=False)
    inside = np.clip(np.sort(real)[50:-50], fitted.low, fitted.high)
    piece, place = fitted.locate(inside)
    np.testing.assert_allclose(fitted.value(piece, place), inside, atol=2e-3 * real.std())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("values", [[5.0], [5.0] * 30, [0.0, 1.0], [-1e9, 0.0, 1e9]])
def test_any_sample_can_be_fitted(family, values):
    """One value, a constant and a few far ones give finite draws."""
    fitted = fit_parametric(family, np.array(values), whole=False)
    drawn = fitted.value(np.zeros(50, int), np.linspace(0, 1, 50))
    assert np.all(np.isfinite(drawn))


@pytest.mark.parametrize("family", FAMILIES)
def test_whole_numbers_stay_whole(family, rng):
    """A family on whole ticks draws whole ticks, inside the fifth smallest and largest."""
    ticks = np.rint(rng.gamma(2, 30, 1000))
    drawn = fit_parametric(family, ticks, whole=True).value(np.zeros(99, int), rng.random(99))
    assert np.array_equal(drawn, np.rint(drawn))
    assert np.sort(ticks)[4] <= drawn.min()
    assert drawn.max() <= np.sort(ticks)[-5]


def test_unknown_families_are_refused():
    """The message lists what can be chosen."""
    with pytest.raises(ValueError, match=r"'cauchy' is not known. Use quantile or one of: norm"):
        fit_parametric("cauchy", np.arange(9.0), whole=False)
