"""The autoregressive network as row model: what it learns, and that its bytes repeat."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from prefect_synth.synth.encoding.columns import fit_category, fit_number
from prefect_synth.synth.encoding.layout import Encoded, Layout
from prefect_synth.synth.errors import MissingTorchError
from prefect_synth.synth.row_models.argn import ARGNRowModel, splits
from prefect_synth.synth.row_models.argn_codes import MOST_CODES, fit_codes
from prefect_synth.synth.row_models.raking import probabilities, raked, stratified
from prefect_synth.synth.storage import load_state, save_state

ROWS = 1500


def column(values):
    """One encoded column of numbers or texts."""
    array = pa.array(values)
    encoder = fit_category(array) if pa.types.is_string(array.type) else fit_number(array)
    pieces, places = encoder.encode(array, np.random.default_rng(0))
    return Encoded(pieces[:, None], places[:, None], (encoder.layout,))


def rows_of(*columns):
    """Encoded columns side by side."""
    return Encoded.beside([column(c) for c in columns], len(columns[0]))


def fitted(rows, context=None, epochs=8):
    """A network of few epochs."""
    context = Encoded.empty(len(rows)) if context is None else context
    return ARGNRowModel(epochs=epochs).fit(rows, context, np.random.default_rng(1))


def drawn(model, rows, conditions=None, seed=2):
    """Rows without a context."""
    return model.sample(Encoded.empty(rows), np.random.default_rng(seed), conditions)


@pytest.fixture(scope="module")
def exclusive():
    """Three columns; the third is decided by the first two together, and by neither alone."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, (2, ROWS))
    return rows_of(*(np.array(["no", "yes"])[v] for v in (a, b, a ^ b)))


@pytest.fixture(scope="module")
def model(exclusive):
    """A network fitted on them."""
    return fitted(exclusive, epochs=30)


def test_an_interaction_is_learned(exclusive, model):
    """What no correlation shows is kept: the third column is the first two's exclusive or."""
    first, second, third = drawn(model, 1000).pieces.T
    assert (
        np.mean((first ^ second) == (third if third[first == second].mean() < 0.5 else 1 - third))
        > 0.97
    )


def test_shares_are_met(exclusive, model):
    """Without conditions each column's shares are the data's, nearly."""
    made = drawn(model, ROWS)
    assert made.pieces.mean(axis=0) == pytest.approx(exclusive.pieces.mean(axis=0), abs=0.012)


def test_what_is_held_moves_what_stands_before(model):
    """With the last two columns held the first one follows: it can only be one thing."""
    both = drawn(model, 400, {1: (1, 0.5), 2: (1, 0.5)})
    other = drawn(model, 400, {1: (1, 0.5), 2: (0, 0.5)})
    assert np.all(both.pieces[:, 1:] == 1)
    assert abs(both.pieces[:, 0].mean() - other.pieces[:, 0].mean()) > 0.95


def test_numbers_follow_their_context(rng):
    """The conditional mean of a number is the context's, inside bins of many pieces."""
    x = rng.normal(size=4000)
    y = 0.8 * x + 0.6 * rng.normal(size=4000)
    context, rows = rows_of(x), rows_of(y)
    made = fitted(rows, context, 15).sample(context, rng)
    real, synthetic = (np.hstack(e.intervals()).mean(axis=1) for e in (rows, made))
    for low, high in ((-3, -1), (-0.5, 0.5), (1, 3)):
        inside = (x > low) & (x < high)
        assert synthetic[inside].mean() == pytest.approx(real[inside].mean(), abs=0.06)
    assert np.abs(np.quantile(synthetic, [0.1, 0.5, 0.9]) - [0.1, 0.5, 0.9]).max() < 0.02


def test_bytes_repeat_on_any_number_of_threads(exclusive, model):
    """Equal seeds give equal rows, whatever the number of threads; torch keeps its own."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2 if before == 1 else 1)
    again = fitted(exclusive, epochs=30)
    assert torch.get_num_threads() == (2 if before == 1 else 1)
    torch.set_num_threads(before)
    assert np.array_equal(drawn(again, 300).pieces, drawn(model, 300).pieces)
    assert np.array_equal(drawn(again, 300).places, drawn(model, 300).places)


def test_a_stored_network_draws_the_same(model, tmp_path):
    """Saved and read, it draws the same rows."""
    save_state(tmp_path, "m", model)
    again = load_state(tmp_path, "m")
    assert np.array_equal(drawn(again, 100).pieces, drawn(model, 100).pieces)


@pytest.mark.parametrize("n", [0, 1, 2, 19, 25])
def test_few_rows_are_fitted(n):
    """From no row on there is a model; too few rows for a validation set train nothing."""
    column = Encoded(np.arange(n)[:, None] % 3, np.full((n, 1), 0.5), (LAYOUT,))
    made = drawn(fitted(Encoded.beside([column, column], n)), 7)
    assert made.pieces.shape == (7, 2)


def test_no_columns_and_no_rows():
    """A table without columns, and a request for no rows."""
    assert drawn(fitted(Encoded.empty(30)), 4).pieces.shape == (4, 0)
    assert drawn(fitted(rows_of(["a", "b"] * 20)), 0).pieces.shape == (0, 1)


def test_more_rows_than_it_trains_on_are_thinned(exclusive):
    """Training takes no more rows than it is allowed."""
    small = ARGNRowModel(epochs=1, most_rows=100)
    small.fit(exclusive, Encoded.empty(ROWS), np.random.default_rng(0))
    assert len(drawn(small, 50)) == 50


def test_without_torch_the_error_says_what_to_install(exclusive, monkeypatch):
    """Where torch is not installed, the remedy is named."""
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingTorchError, match=r"pip install \"prefect-synth\[torch\]\""):
        fitted(exclusive)


def test_a_fitted_network_draws_without_torch(model, tmp_path):
    """Importing the package, and sampling from a stored network, load no torch."""
    save_state(tmp_path, "m", model)
    code = (
        "import sys, pathlib, numpy as np\n"
        "import prefect_synth.synth.row_models.argn\n"
        "from prefect_synth.synth.encoding.layout import Encoded\n"
        "from prefect_synth.synth.storage import load_state\n"
        "model = load_state(pathlib.Path(sys.argv[1]), 'm')\n"
        "model.sample(Encoded.empty(5), np.random.default_rng(0))\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


LAYOUT = Layout(np.array([0.2, 0.3, 0.5]), np.zeros(3, bool), False, False)
weights = st.lists(st.floats(0, 1), min_size=1, max_size=400).filter(lambda w: sum(w) > 0.1)


def spread_layout(parts, nominal, has_null):
    """A layout whose pieces have the given weights; every third is a range."""
    shares = np.array(parts) / np.sum(parts)
    return Layout(shares, np.arange(len(shares)) % 3 == 1, nominal, has_null)


@settings(max_examples=60, deadline=None)
@given(weights, st.booleans(), st.booleans())
def test_codes_are_runs_of_pieces(parts, nominal, has_null):
    """Codes cover all pieces in order, are few, keep null apart, and their draws are inside."""
    layout = spread_layout(parts, nominal, has_null)
    pieces = np.arange(len(parts))
    codes = fit_codes(Encoded(pieces[:, None], np.full((len(parts), 1), 0.5), (layout,)))
    found = codes.of(pieces)
    assert np.array_equal(np.unique(found), np.arange(len(codes)))
    assert len(codes) <= 4 * MOST_CODES
    assert codes.shares.sum() == pytest.approx(1)
    assert codes.shares.min() > 0
    assert not has_null or (found == 0).sum() == 1
    inside, places = codes.draw(layout, found, np.random.default_rng(0))
    assert np.array_equal(codes.of(inside), found)
    assert np.all((places >= 0) & (places <= 1))
    total = [
        sum(codes.share_inside(layout, p) for p in np.flatnonzero(found == c))
        for c in range(len(codes))
    ]
    assert total == pytest.approx(np.ones(len(codes)))


def test_inside_a_bin_the_layout_decides(rng):
    """Codes drawn by their shares give each piece its own share."""
    layout = spread_layout(rng.random(300), False, False)
    pieces = rng.choice(300, 50_000, p=layout.probabilities)
    codes = fit_codes(Encoded(pieces[:, None], np.full((50_000, 1), 0.5), (layout,)))
    made, _ = codes.draw(layout, rng.choice(len(codes), 200_000, p=codes.shares), rng)
    got = np.bincount(made, minlength=300) / 200_000
    assert np.abs(got - layout.probabilities).max() < 2e-3


logit_rows = arrays.arrays(np.float64, (40, 4), elements=st.floats(-3, 3))


@settings(max_examples=40, deadline=None)
@given(logit_rows, arrays.arrays(np.float64, 4, elements=st.floats(0.1, 1)))
def test_raking_meets_the_margin(logits, shares):
    """The mean over the rows is what was wanted, and every row stays a distribution."""
    wanted = shares / shares.sum()
    odds = raked(probabilities(logits), wanted)
    assert odds.sum(axis=1) == pytest.approx(np.ones(40))
    assert odds.mean(axis=0) == pytest.approx(wanted, abs=0.05)


def test_stratified_draws_are_hardly_random(rng):
    """Each row has its own odds, and the total comes out within a row or two."""
    p = rng.random(1000)
    odds = np.column_stack([1 - p, p])
    totals = [stratified(odds, rng).sum() for _ in range(20)]
    assert np.abs(np.array(totals) - p.sum()).max() < 12  # independent draws: 13 in one sd
    likely = np.mean([stratified(odds, rng)[p > 0.9].mean() for _ in range(20)])
    assert likely == pytest.approx(p[p > 0.9].mean(), abs=0.03)


def test_whole_parents_and_single_rows_are_held_out(rng):
    """No row is in two sets, and no parent of the third set has a row to train on."""
    parent = np.repeat(np.arange(200), 10)
    context = Encoded(parent[:, None], np.full((2000, 1), 0.5), (LAYOUT,))
    training, rows, parents = splits(context, rng)
    assert np.array_equal(np.sort(np.concatenate([training, rows, parents])), np.arange(2000))
    assert not set(parent[parents]) & set(parent[training])
    assert len(set(parent[rows]) & set(parent[training])) > 50
    assert 100 < len(rows) < 300
    assert 100 < len(parents) < 400
