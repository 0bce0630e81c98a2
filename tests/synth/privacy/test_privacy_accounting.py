"""What noise costs: beside two other accountants, and by itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opacus.accountants.analysis import rdp

from prefect_synth.synth.privacy.accounting import (
    Spending,
    best_order,
    epsilon_of,
    noise_for,
    rho_for,
    sampled_gaussian,
    total,
)

ORDERS = np.arange(2, 65)
DELTA = 1e-6

SAMPLED = {
    (0.01, 1.1, 1000): 1.981435597916494,
    (0.03, 1.5, 600): 2.917812176366751,
    (0.2, 5.0, 300): 3.581405404983437,
}
"""By rate, noise and steps the epsilon of dp-accounting 0.6.0, RdpAccountant(range(2, 65)): its
PoissonSampledDpEvent of a GaussianDpEvent, at delta 1e-6."""

CONCENTRATED = {0.01: 0.6216971849738024, 0.05: 1.4716562679107283, 0.5: 5.2215396311544175}
"""By rho the epsilon of dp-accounting 0.6.0, RdpAccountant(): its ZCDpEvent, at delta 1e-6."""


@pytest.mark.parametrize(("step", "expected"), SAMPLED.items())
def test_steps_cost_what_dp_accounting_says(step, expected):
    """Epsilon of DP-SGD grows as Google's accountant says."""
    rate, noise, steps = step
    curve = steps * sampled_gaussian(rate, noise, ORDERS)
    assert epsilon_of(ORDERS, curve, DELTA) == pytest.approx(expected, rel=1e-9)


@pytest.mark.filterwarnings("ignore:Optimal order")
@pytest.mark.parametrize("steps", [1, 10, 100, 1000])
@pytest.mark.parametrize(("rate", "noise"), [(0.01, 1.1), (0.03, 1.5), (0.2, 5.0), (1.0, 4.0)])
def test_steps_cost_what_opacus_says(rate, noise, steps):
    """Epsilon of DP-SGD grows as Opacus' accountant says."""
    orders = [float(order) for order in ORDERS]
    theirs = rdp.compute_rdp(q=rate, noise_multiplier=noise, steps=steps, orders=orders)
    expected, _ = rdp.get_privacy_spent(orders=orders, rdp=theirs, delta=DELTA)
    curve = steps * sampled_gaussian(rate, noise, ORDERS)
    assert curve == pytest.approx(np.array(theirs), rel=1e-9)
    assert epsilon_of(ORDERS, curve, DELTA) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("rho", "expected"), CONCENTRATED.items())
def test_concentrated_costs_are_what_dp_accounting_says(rho, expected):
    """The conversion is the same, over orders that are closer to each other."""
    found = Spending(rho).epsilon(DELTA)
    assert found == pytest.approx(expected, rel=1e-3)
    assert found <= expected * (1 + 1e-9)


@given(st.floats(0.05, 8), st.sampled_from([1e-4, 1e-6, 1e-9]))
def test_the_largest_rho_costs_what_was_asked(epsilon, delta):
    """Never more than asked, and hardly less."""
    rho = rho_for(epsilon, delta)
    assert epsilon * 0.95 <= Spending(rho).epsilon(delta) <= epsilon * (1 + 1e-12)
    assert Spending(rho, best_order(rho, delta)).epsilon(delta) == pytest.approx(epsilon, rel=1e-6)


@given(st.floats(1e-5, 1), st.floats(1e-5, 1))
def test_two_releases_cost_more_than_one_and_less_than_the_sum(first, second):
    """Costs compose better than by adding up epsilons."""
    alone = [Spending(rho).epsilon(DELTA) for rho in (first, second)]
    together = total([Spending(first), Spending(second)]).epsilon(DELTA)
    assert max(alone) <= together <= sum(alone)


def test_a_spent_delta_leaves_none():
    """What is spent of delta is not there for converting, and more than all is infinite."""
    assert Spending(0.01, delta=5e-7).epsilon(1e-6) > Spending(0.01).epsilon(1e-6)
    assert Spending(0.01, delta=1e-6).epsilon(1e-6) == float("inf")


@given(st.floats(0.001, 0.3), st.integers(1, 2000))
@settings(max_examples=8, deadline=None)
def test_the_least_noise_costs_no_more_than_its_share_up_to_the_limit(rate, steps):
    """Steps with the noise found cost at most the rho, at every order up to the limit."""
    rho = rho_for(1.0, DELTA)
    limit = best_order(rho, DELTA)
    noise = noise_for(rho, limit, rate, steps)
    orders = np.arange(2, limit + 1)
    curve = steps * sampled_gaussian(rate, noise, orders)
    assert (curve <= rho * orders).all()
    assert epsilon_of(orders, curve, DELTA) <= 1.0
    assert not (steps * sampled_gaussian(rate, noise * 0.99, orders) <= rho * orders).all()
