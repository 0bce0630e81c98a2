"""The variational autoencoder as row model: what it learns, and that its bytes repeat."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth.encoding.columns import fit_category, fit_number
from prefect_synth.synth.encoding.layout import Encoded
from prefect_synth.synth.errors import MissingTorchError, SynthesisError
from prefect_synth.synth.row_models.argn_any_order import AnyOrderRowModel
from prefect_synth.synth.row_models.latent import fit_latent
from prefect_synth.synth.row_models.tvae import TVAERowModel
from prefect_synth.synth.single import TVAESynthesizer
from prefect_synth.synth.storage import fingerprint_of, load_state, save_state
from prefect_synth.synth.training_watch import checkpointing, listening

ROWS = 2000
EPOCHS = 25


def encoded(*columns):
    """Columns of numbers or texts, encoded side by side."""
    parts = []
    for values in columns:
        array = pa.array(values)
        encoder = fit_category(array) if pa.types.is_string(array.type) else fit_number(array)
        pieces, places = encoder.encode(array, np.random.default_rng(0))
        parts.append(Encoded(pieces[:, None], places[:, None], (encoder.layout,)))
    return Encoded.beside(parts, len(columns[0]))


def fitted(rows, context=None, **settings):
    """An autoencoder of few epochs."""
    context = Encoded.empty(len(rows)) if context is None else context
    model = TVAERowModel(**{"epochs": EPOCHS, **settings})
    return model.fit(rows, context, np.random.default_rng(1))


def drawn(model, rows, conditions=None, seed=2):
    """Rows without a context."""
    return model.sample(Encoded.empty(rows), np.random.default_rng(seed), conditions)


def middles(rows):
    """Middle of each value's interval of [0, 1], [n, d]."""
    return np.mean(rows.intervals(), axis=0)


@pytest.fixture(scope="module")
def coins():
    """Two coins, whether they differ, and a number with nulls that is greater where they do."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, (2, ROWS))
    x = 2 * (a ^ b) + rng.normal(size=ROWS)
    names = np.array(["no", "yes"])
    return encoded(names[a], names[b], names[a ^ b], pa.array(x, mask=rng.random(ROWS) < 0.2))


@pytest.fixture(scope="module")
def model(coins):
    """An autoencoder fitted on them."""
    return fitted(coins)


@pytest.mark.parametrize("numbers", ["scores", "modes"])
def test_an_interaction_is_learned(numbers, coins, model):
    """What no correlation shows is kept, between categories and between them and a number."""
    made = drawn(model if numbers == "scores" else fitted(coins, numbers="modes"), ROWS)
    first, second, third, _ = made.pieces.T
    assert np.mean((first ^ second) == third) > 0.75
    assert _apart(made) > _apart(coins) / 2


def _apart(rows):
    """How much greater the number is where the coins differ."""
    there = rows.pieces[:, 3] > 0
    differ = rows.pieces[:, 0] != rows.pieces[:, 1]
    number = middles(rows)[:, 3]
    return number[there & differ].mean() - number[there & ~differ].mean()


def test_shares_are_met(coins, model):
    """Each column's shares are the data's, nearly, nulls too; uncalibrated ones less so."""
    for made, off in (
        (drawn(model, ROWS), 0.012),
        (drawn(replace(model, calibrated=False), ROWS), 0.1),
    ):
        assert (made.pieces == 0).mean(axis=0) == pytest.approx(
            (coins.pieces == 0).mean(axis=0), abs=off
        )
        assert middles(made).mean(axis=0) == pytest.approx(middles(coins).mean(axis=0), abs=off)


def test_held_classes_bring_their_rows(coins, model):
    """Rows asked for of one class are like that class: all of them come, and no other."""
    for held in (0, 1):
        made, real = drawn(model, 300, {2: (held, 0.5)}), coins.pieces[:, 2] == held
        assert np.all(made.pieces[:, 2] == held)
        assert np.mean((made.pieces[:, 0] != made.pieces[:, 1]) == held) > 0.75
        assert middles(made)[:, 3].mean() == pytest.approx(middles(coins)[real, 3].mean(), abs=0.06)


def test_odds_follow_the_context(rng):
    """A context in which a class is likely gives its condition more odds."""
    group, value = rng.integers(0, 2, ROWS), rng.normal(size=ROWS)
    names = np.array(["a", "b"])
    rows = encoded(names[np.where(rng.random(ROWS) < 0.9, group, 1 - group)], rng.normal(size=ROWS))
    context = encoded(names[group], value)
    made, odds = fitted(rows, context).sample_held(context.take(np.arange(400)), rng, {0: (1, 0.5)})
    assert np.all(made.pieces[:, 0] == 1)
    assert odds[group[:400] == 1].mean() > 3 * odds[group[:400] == 0].mean()


def test_numbers_follow_their_context(rng):
    """The conditional mean of a number is the context's."""
    x = rng.normal(size=4000)
    y = 0.8 * x + 0.6 * rng.normal(size=4000)
    context, rows = encoded(x), encoded(y)
    made = fitted(rows, context).sample(context, rng)
    real, synthetic = middles(rows)[:, 0], middles(made)[:, 0]
    for low, high in ((-3, -1), (-0.5, 0.5), (1, 3)):
        inside = (x > low) & (x < high)
        assert synthetic[inside].mean() == pytest.approx(real[inside].mean(), abs=0.06)


def test_no_column_collapses(model):
    """Training says what it did, and raises no alarm."""
    history = model.history
    assert history.collapsed == ()
    assert history.losses[-1] < history.losses[0]
    assert (
        history.best == len(np.unique([v[0] for v in history.validation])) - 1 or history.best > 5
    )


def test_bytes_repeat_on_any_number_of_threads(coins):
    """Equal seeds give equal rows, whatever the number of threads; another seed others."""
    import torch

    before, one = torch.get_num_threads(), fitted(coins, epochs=3)
    torch.set_num_threads(2 if before == 1 else 1)
    again = fitted(coins, epochs=3)
    torch.set_num_threads(before)
    assert np.array_equal(drawn(again, 300).pieces, drawn(one, 300).pieces)
    assert np.array_equal(drawn(again, 300).places, drawn(one, 300).places)
    assert not np.array_equal(drawn(again, 300, seed=3).pieces, drawn(one, 300).pieces)


@pytest.mark.parametrize("n", [0, 1, 2, 19, 40])
def test_few_rows_are_fitted(n, rng):
    """From no row on there is a model; too few rows for a validation set train nothing."""
    layout = encoded(["a", "b", "c"] * 20).layouts[0]
    column = Encoded(np.arange(n)[:, None] % 3, np.full((n, 1), 0.5), (layout,))
    small = fitted(Encoded.beside([column, column], n), epochs=3)
    assert drawn(small, 7).pieces.shape == (7, 2)
    assert bool(small.history.losses) == (n > 20)


def test_no_columns_and_no_rows(model):
    """A table without columns, and a request for no rows, held or not."""
    assert drawn(fitted(Encoded.empty(30)), 4).pieces.shape == (4, 0)
    assert drawn(model, 0).pieces.shape == (0, 4)
    assert drawn(model, 0, {2: (1, 0.5)}).pieces.shape == (0, 4)


def test_more_rows_than_it_trains_on_are_thinned(coins):
    """Training takes no more rows than it is allowed."""
    small = fitted(coins, epochs=1, most_rows=100)
    assert len(drawn(small, 50)) == 50


def test_latent_vectors_are_drawn_where_rows_are(rng):
    """Two clusters of rows are two of vectors; a context moves them; few rows leave the prior."""
    cluster = rng.choice([-3.0, 3.0], 3000)
    context = rng.normal(size=(3000, 1))
    means = np.column_stack([cluster, context[:, 0], np.zeros(3000)])
    latent = fit_latent(means, np.log(np.full((3000, 3), [0.01, 0.01, 1.0])), context, rng)
    z = latent.draw(context, rng)
    assert np.abs(np.abs(z[:, 0]) - 3).max() < 0.7
    assert (z[:, 0] > 0).mean() == pytest.approx(0.5, abs=0.05)
    assert np.corrcoef(z[:, 1], context[:, 0])[0, 1] > 0.98
    assert z[:, 2].std() == pytest.approx(1, abs=0.05)
    few = fit_latent(means[:50], np.zeros((50, 3)), context[:50], rng).draw(context, rng)
    assert few.std(axis=0) == pytest.approx(np.ones(3), abs=0.06)


def test_a_fitted_autoencoder_draws_without_torch(model, tmp_path):
    """Read from disk and sampled in a process of its own, torch is never loaded."""
    save_state(tmp_path, "m", model)
    assert np.array_equal(drawn(load_state(tmp_path, "m"), 100).pieces, drawn(model, 100).pieces)
    code = (
        "import sys, pathlib, numpy as np\n"
        "import prefect_synth.synth.row_models.tvae\n"
        "from prefect_synth.synth.encoding.layout import Encoded\n"
        "from prefect_synth.synth.storage import load_state\n"
        "model = load_state(pathlib.Path(sys.argv[1]), 'm')\n"
        "model.sample(Encoded.empty(5), np.random.default_rng(0))\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


def test_a_saved_synthesizer_is_read_by_a_process_that_knows_no_class(tmp_path):
    """The general class finds the one that wrote the model."""
    table = pa.table({"size": ["S", "L"] * 30, "price": np.arange(60.0)})
    made = TVAESynthesizer(epochs=1).fit(table)
    made.save(tmp_path)
    code = (
        "import sys, pathlib\n"
        "from prefect_synth.synth import SingleTableSynthesizer\n"
        "model = SingleTableSynthesizer.load(pathlib.Path(sys.argv[1]))\n"
        "print(type(model).__name__, model.sample(5, seed=1).to_pylist())\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, text=True
    )
    assert said.stdout.strip() == f"TVAESynthesizer {made.sample(5, seed=1).to_pylist()}"


def test_without_torch_the_error_says_what_to_install(coins, monkeypatch):
    """Where torch is not installed, the remedy is named."""
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingTorchError, match=r"pip install \"prefect-synth\[torch\]\""):
        fitted(coins)


def test_settings_are_checked():
    """Epochs, minutes, rows, the device and the way of writing numbers."""
    for settings, message in (
        ({"epochs": 0}, r"epochs must be at least 1, got 0\."),
        ({"max_minutes": 0}, r"max_minutes must be above 0, got 0\."),
        ({"most_rows": 0}, r"most_rows must be at least 1, got 0\."),
        ({"device": "abacus"}, r"The device 'abacus' is not known"),
        ({"numbers": "roman"}, r"numbers must be 'scores' or 'modes', got 'roman'\."),
    ):
        with pytest.raises(SynthesisError, match=message):
            TVAESynthesizer(**settings)


@pytest.mark.parametrize("kind", [TVAERowModel, AnyOrderRowModel])
def test_a_killed_training_goes_on_where_it_was(kind, coins, tmp_path, monkeypatch):
    """The bytes are those of a training that was left in peace."""
    monkeypatch.setattr("prefect_synth.synth.checkpoints.EVERY", 0.0)

    def train():
        model = kind(epochs=5).fit(coins, Encoded.empty(ROWS), np.random.default_rng(1))
        return fingerprint_of(model)

    def stop(epoch):
        if epoch.done == 3:
            raise KeyboardInterrupt

    whole = train()
    with checkpointing(tmp_path), pytest.raises(KeyboardInterrupt), listening(stop):
        train()
    done = []
    with checkpointing(tmp_path), listening(lambda epoch: done.append(epoch.done)):
        assert train() == whole
    assert done[0] > 1
