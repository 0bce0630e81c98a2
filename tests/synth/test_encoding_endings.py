"""Endings, hours, tails and caps of numbers are those of the real ones."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_synth.synth.encoding.columns import NumberEncoder, fit_number
from prefect_synth.synth.encoding.layout import from_uniform
from prefect_synth.synth.encoding.quantile import fit_quantiles
from prefect_synth.synth.encoding.rhythm import Rhythm


def drawn(encoder: NumberEncoder, rows: int = 20_000) -> pa.Array:
    """Values at evenly spread places."""
    piece, place = from_uniform(encoder.layout, (np.arange(rows) + 0.5) / rows)
    return encoder.decode(piece, place, np.random.default_rng(0))


def round_trip(encoder: NumberEncoder, values: pa.Array) -> pa.Array:
    """Encode and decode."""
    pieces, places = encoder.encode(values, np.random.default_rng(0))
    return encoder.decode(pieces, places, np.random.default_rng(1))


@pytest.fixture(scope="module")
def prices() -> np.ndarray:
    """Four thousand prices over a wide range, most of which end in 99 cents."""
    rng = np.random.default_rng(1)
    euros = np.floor(rng.gamma(2, 400, 4000))
    return euros + rng.choice([0.99, 0.5, 0.0], 4000, p=[0.7, 0.2, 0.1])


def cents(values: object) -> np.ndarray:
    """The last two digits."""
    return np.rint(np.asarray(values) * 100).astype(int) % 100


def test_prices_end_as_they_did(prices):
    """Prices that mostly end in 99 cents do so, in the same shares, and no new ending is common."""
    made = cents(drawn(fit_number(pa.array(prices))))
    for ending, share in ((99, 0.7), (50, 0.2), (0, 0.1)):
        assert (made == ending).mean() == pytest.approx(share, abs=0.03)


def test_prices_come_back(prices):
    """An ending is part of the place in a range: decoding returns the very price."""
    encoder = fit_number(pa.array(prices))
    back = np.asarray(round_trip(encoder, pa.array(prices)))
    assert (np.abs(back - prices) < 1e-9).mean() > 0.995  # all but the ends


def test_hours_of_the_day_are_kept():
    """Timestamps to the second fall into the hours that they fell into, however many days."""
    rng = np.random.default_rng(2)
    hours = rng.choice([8, 9, 12, 18], 5000, p=[0.4, 0.3, 0.2, 0.1])
    seconds = rng.integers(0, 900, 5000) * 86_400 + hours * 3600 + rng.integers(0, 3600, 5000)
    values = pa.array(1_600_041_600 + seconds, pa.timestamp("s"))
    made = np.asarray(drawn(fit_number(values)).cast(pa.int64())) % 86_400 // 3600
    for hour, share in ((8, 0.4), (9, 0.3), (12, 0.2), (18, 0.1)):
        assert (made == hour).mean() == pytest.approx(share, abs=0.03)
    assert np.isin(made, [8, 9, 12, 18]).mean() > 0.98


def test_days_of_the_week_are_kept():
    """Dates of working days stay working days."""
    days = [dt.date(2000, 1, 1) + dt.timedelta(d) for d in range(9000)]
    values = pa.array([d for d in days if d.weekday() < 5])
    made = drawn(fit_number(values)).to_pylist()
    assert np.mean([d.weekday() < 5 for d in made]) > 0.99


def test_heavy_tails_keep_their_shape():
    """Between the last two knots values crowd as they did: means and far quantiles agree."""
    rng = np.random.default_rng(3)
    real = np.round(rng.pareto(1.3, 20_000) * 100, 2)
    made = np.asarray(drawn(fit_number(pa.array(real))))
    capped = np.minimum(real, np.sort(real)[-5])
    assert made.mean() == pytest.approx(capped.mean(), rel=0.03)
    cuts = [0.5, 0.99, 0.999, 0.9995]
    np.testing.assert_allclose(np.quantile(made, cuts), np.quantile(capped, cuts), rtol=0.08)
    assert made.max() < np.sort(real)[-4]


def test_a_cap_is_a_spike():
    """Values that were cut at a cap stay at the cap, in their share."""
    real = np.minimum(np.random.default_rng(4).exponential(300, 8000).round(1), 999.0)
    made = np.asarray(drawn(fit_number(pa.array(real))))
    assert (made == 999.0).mean() == pytest.approx((real == 999.0).mean(), abs=1e-3)
    assert made.max() == 999.0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.001, 1), min_size=1, max_size=24),
    st.integers(1, 60),
    st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=20),
)
def test_a_rhythm_is_a_measure(weights, block, ticks):
    """Mass and tick are inverse, and mass rises."""
    shares = np.array(weights) / sum(weights)
    rhythm = Rhythm(block * len(shares), block, shares)
    at = np.sort(np.array(ticks, float)) + 0.5
    mass = rhythm.mass(at - at[0])
    assert np.all(np.diff(mass) >= 0)
    np.testing.assert_allclose(rhythm.tick(mass), at - at[0], rtol=1e-9, atol=1e-3)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 999), st.integers(2, 60))
def test_extremes_are_those_of_the_fifth_unit(seed, size):
    """No draw is beyond the value that four units reach, however many rows they have."""
    rng = np.random.default_rng(seed)
    units = np.repeat(np.arange(60), size)
    ticks = np.round(rng.normal(size=60).repeat(size) * 1000 + rng.normal(size=60 * size) * 10)
    fitted = fit_quantiles(ticks, whole=True, units=units)
    highest = sorted((ticks[units == u].max() for u in range(60)), reverse=True)
    lowest = sorted(ticks[units == u].min() for u in range(60))
    assert fitted.highs.max() <= highest[4]
    assert fitted.lows.min() >= lowest[4]
