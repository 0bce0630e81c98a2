"""Adversarial row models: what they are told, what they learn, and what they draw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

torch = pytest.importorskip("torch")

from prefect_synth.synth.collapse import collapsed  # noqa: E402 - torch is optional
from prefect_synth.synth.encoding.layout import Encoded, Layout  # noqa: E402
from prefect_synth.synth.errors import SynthesisError  # noqa: E402
from prefect_synth.synth.row_models.base import Among  # noqa: E402
from prefect_synth.synth.row_models.dense import fit_dense  # noqa: E402
from prefect_synth.synth.row_models.gan import GANRowModel  # noqa: E402
from prefect_synth.synth.row_models.gan_batches import Rows  # noqa: E402
from prefect_synth.synth.row_models.gan_conditions import (  # noqa: E402
    Conditions,
    TrainingBySampling,
    find_conditions,
)
from prefect_synth.synth.row_models.gan_judge import coded  # noqa: E402
from prefect_synth.synth.row_models.gan_label import find_label, renumbered  # noqa: E402
from prefect_synth.synth.row_models.gan_modules import folded, generated, scored  # noqa: E402
from prefect_synth.synth.row_models.gan_objectives import OBJECTIVES  # noqa: E402
from prefect_synth.synth.row_models.gan_training import Adversaries  # noqa: E402
from prefect_synth.synth.single_gan import CTGANSynthesizer, GANSynthesizer  # noqa: E402
from prefect_synth.synth.storage import fingerprint_of  # noqa: E402
from prefect_synth.synth.training import History, Training, Update, fit  # noqa: E402
from prefect_synth.synth.training_watch import checkpointing, listening  # noqa: E402

KIND = Layout(np.array([0.5, 0.3, 0.2]), np.zeros(3, bool), True, False, key=7)
PAID = Layout(np.array([0.7, 0.3]), np.zeros(2, bool), True, False, key=8)
PRICE = Layout(np.full(200, 1 / 200), np.ones(200, bool), False, False, key=9)


def shop(n, seed=0):
    """Rows of kind, paid and price; price and paid follow kind."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(3, n, p=KIND.probabilities)
    paid = (rng.random(n) < np.array([0.02, 0.3, 0.98])[kind]).astype(int)
    score = np.argsort(np.argsort(2 * kind + rng.standard_normal(n))) / n
    pieces = np.column_stack([kind, paid, (score * 200).astype(int)])
    places = np.column_stack([np.full((n, 2), 0.5), rng.random(n)])
    return Encoded(pieces, places, (KIND, PAID, PRICE))


def learner(objective, n=300, context=None, changes=None):
    """Both players, before they are trained."""
    rows, rng = shop(n), np.random.default_rng(0)
    chosen = replace(OBJECTIVES[objective], **(changes or {}))
    columns = fit_dense(rows, chosen.numbers, rng)
    modes, scalars = columns.encode(rows)
    told = np.zeros((n, 0), np.float32) if context is None else context
    conditions = find_conditions(columns)
    if chosen.label:
        conditions = Conditions(np.zeros(1, int), np.array([0, 3]), KIND.probabilities)
    elif not chosen.conditions:
        conditions = find_conditions(fit_dense(Encoded.empty(n), "scores", rng))
    asked = modes[:, conditions.columns]
    data = Rows(columns, modes, scalars, told, conditions, asked, True)
    splits = np.arange(n), np.arange(0)
    return Adversaries(torch, torch.device("cpu"), chosen, data, splits, rng)


def kinds(rows):
    """Share of each kind, of the paid of each kind, and mean rank of the price of each kind."""
    kind, paid, price = rows.pieces.T
    each = [kind == k for k in range(3)]
    return np.array([[m.mean(), paid[m].mean(), (price[m] / 200).mean()] for m in each])


def update(loss, optimiser):
    """One step without a loop."""
    Update(torch.nn.utils.clip_grad_norm_, None)(loss, optimiser)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_step_moves_both_players(objective):
    """The critic in each step, the generator in each so many-th, and nothing else's weights."""
    players = learner(objective)
    every = OBJECTIVES[objective].critics
    before = [p.detach().clone() for p in players.module.made]
    for step in range(1, every + 1):
        critic = [p.detach().clone() for p in players.module.critic]
        assert np.isfinite(players.step(torch.arange(100), update))
        assert not torch.equal(critic[0], players.module.critic[0])
        moved = not torch.equal(before[0], players.module.made[0])
        assert moved == (step == every)


def test_clipped_weights_stay_small():
    """The critic of WGAN has no weight beyond 0.01."""
    players = learner("wgan")
    players.step(torch.arange(100), update)
    assert max(float(p.detach().abs().max()) for p in players.module.critic) <= 0.01 + 1e-8


def test_every_batch_is_another_one():
    """No batch comes twice in an epoch, and another epoch has other batches."""
    players, seen = learner("wgan-gp"), []
    step = players.step
    players.step = lambda rows, update: (seen.append(tuple(rows.tolist())), step(rows, update))[1]
    fit(players, np.arange(300), Training(epochs=2, batch=100), np.random.default_rng(1))
    assert len(set(seen)) == 6
    assert sorted(sum(seen[:3], ())) == sorted(sum(seen[3:], ())) == list(range(300))


def test_the_critic_judges_a_row_by_itself():
    """Other rows of the batch do not matter, so that a slope is a row's own."""
    players = learner("wgan-gp")
    weights = players.module.critic
    x = torch.randn(20, weights[0].shape[0], generator=players.generator)
    whole = scored(torch, weights, x, 0.0, players.generator)
    alone = scored(torch, weights, x[:1], 0.0, players.generator)
    assert torch.allclose(whole[:1], alone, atol=1e-6)


def test_the_penalty_comes_at_every_fourth_step_four_times_as_strong(monkeypatch):
    """On average it weighs 10, as published."""
    found = []
    monkeypatch.setattr(
        "prefect_synth.synth.row_models.gan_training.slope_penalty",
        lambda *_: found.append(1) or torch.tensor(0.5),
    )
    players = learner("wgan-gp")
    losses = []
    monkeypatch.setattr(players, "_score", lambda packs, _: [torch.zeros(100, 1)] * len(packs))
    for step in range(8):
        players.module.steps.fill_(step)
        real = torch.zeros(100, players.rows.columns.width)
        losses.append(float(players._critic_loss(real, [real], torch.zeros(100, 0))))
    assert losses == [20.0, 0, 0, 0, 20.0, 0, 0, 0]
    assert len(found) == 2


def test_a_label_is_told_one_hot():
    """Generator and critic see a class as a vector with a single one."""
    players = learner("cgan")
    rows = torch.arange(3)
    assert players.batches.told(rows, torch.tensor([2, 0, 1])).tolist() == [
        [0, 0, 1],
        [1, 0, 0],
        [0, 1, 0],
    ]
    assert players.batches.told(rows, torch.tensor([-1, 0, -1])).tolist()[0] == [0, 0, 0]


def test_a_row_stands_in_as_many_packs_as_a_pack_has_rows():
    """Each pack is a row and those after it; the critic has a score for each."""
    players = learner("ctgan", changes={"pack": 3})
    packs = players._packed(torch.arange(4.0)[:, None])
    assert packs.tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 0], [3, 0, 1]]


def test_training_by_sampling_brings_rows_that_have_what_was_asked():
    """Values come by the logarithm of their frequency, each with any of its rows."""
    asked = np.array([[0, 0]] * 900 + [[0, 1]] * 90 + [[1, 1]] * 10)
    conditions = Conditions(np.array([4, 6]), np.array([0, 2, 4]), np.full(4, 0.5))
    rows = np.arange(0, 1000, 2)
    sampling = TrainingBySampling(torch, conditions, asked, rows, torch.device("cpu"))
    values, found = sampling.draw(20_000, torch.Generator().manual_seed(0))
    values, found = values.numpy(), found.numpy()
    first = values < 2
    assert (asked[found, np.where(first, 0, 1)] == np.where(first, values, values - 2)).all()
    assert first.mean() == pytest.approx(0.5, abs=0.02)
    rare = np.log1p(5) / (np.log1p(5) + np.log1p(495))
    assert (values[first] == 1).mean() == pytest.approx(rare, abs=0.02)
    assert set(found) <= set(rows)
    assert len(set(found[values == 1])) == 5


def test_at_sampling_values_come_as_often_as_in_the_data():
    """Any column, then its values by share; what was asked for is written into the row."""
    conditions = Conditions(
        np.array([4, 6]), np.array([0, 2, 5]), np.array([0.9, 0.1, 0.2, 0.3, 0.5])
    )
    values = conditions.draw(40_000, np.random.default_rng(0))
    assert np.bincount(values) / 20_000 == pytest.approx(
        np.array([0.9, 0.1, 0.2, 0.3, 0.5]), abs=0.02
    )
    modes = np.full((3, 8), 9)
    conditions.forced(modes, np.array([1, -1, 4]))
    assert modes[0, 4] == 1
    assert modes[2, 6] == 2
    assert (modes == 9).sum() == 3 * 8 - 2


def test_numpy_draws_what_torch_does():
    """Batch normalisation is folded away: same noise, same logits and scalars."""
    players = learner("ctgan")
    for _ in range(3):
        players.step(torch.arange(200), update)
    x = torch.randn(500, players.module.average[0].shape[0], generator=players.generator)
    with torch.no_grad():
        raw = generated(torch, players.module.average, x).numpy()
        made = folded(torch, players.module.average, x, players.rows.columns.widths)
    logits, scalars = made(x.numpy())
    cut = logits.shape[1]
    assert logits == pytest.approx(raw[:, :cut], abs=1e-4)
    assert scalars == pytest.approx(np.tanh(raw[:, cut:]), abs=1e-4)


ROWS = 2000
NOTHING = Encoded.empty(ROWS)


@pytest.fixture(scope="module")
def ctgan():
    """A CTGAN of the shop, trained for a few seconds."""
    return GANRowModel("ctgan", epochs=15).fit(shop(ROWS), NOTHING, np.random.default_rng(0))


def error(made, rows):
    """The worst of the figures of `kinds`."""
    return np.abs(kinds(made) - kinds(rows)).max()


def test_dependence_is_learned(ctgan):
    """Prices and payments of each kind are near those of the data, and no column collapsed."""
    assert error(ctgan.sample(NOTHING, np.random.default_rng(1)), shop(ROWS)) < 0.2
    assert ctgan.history.collapsed == ()


@pytest.mark.slow
@pytest.mark.parametrize("objective", [n for n in OBJECTIVES if n not in ("wgan", "ctgan")])
def test_dependence_is_learned_by_every_objective(objective):
    """With more time by all, but for the one that clips weights, which takes far longer."""
    model = GANRowModel(objective, epochs=60).fit(shop(ROWS), NOTHING, np.random.default_rng(0))
    assert error(model.sample(NOTHING, np.random.default_rng(1)), shop(ROWS)) < 0.2
    assert model.history.collapsed == ()


def test_margins_are_right_however_little_was_learned():
    """Calibration brings shares and ranks to those of the data after a single epoch."""
    rows, nothing = shop(2000), Encoded.empty(8000)
    model = GANRowModel("wgan-gp", epochs=1).fit(
        rows, Encoded.empty(2000), np.random.default_rng(0)
    )
    made = model.sample(nothing, np.random.default_rng(1))
    for column, classes in ((0, 3), (1, 2)):
        real = np.bincount(rows.pieces[:, column], minlength=classes) / 2000
        assert np.bincount(made.pieces[:, column]) / 8000 == pytest.approx(real, abs=0.03)
    v = np.sort((made.pieces[:, 2] + made.places[:, 2]) / 200)
    assert np.abs(v - np.linspace(0, 1, 8000)).max() < 0.03


@pytest.mark.parametrize(
    "objective", ["cgan", *(pytest.param(n, marks=pytest.mark.slow) for n in ("dragan", "ctgan"))]
)
def test_contexts_are_followed(objective):
    """Rows drawn for a context are those of such contexts; a label too."""
    rows = shop(ROWS)
    told, own = rows.columns(0, 1), rows.columns(1, 3)
    model = GANRowModel(objective, epochs=12).fit(own, told, np.random.default_rng(0))
    made = Encoded.beside([told, model.sample(told, np.random.default_rng(1))], ROWS)
    assert error(made, rows) < 0.2
    _, odds = model.sample_held(told, np.random.default_rng(1), {0: (1, 0.5)})
    by_kind = [odds[told.pieces[:, 0] == k].mean() for k in range(3)]
    assert by_kind == pytest.approx([0.02, 0.3, 0.98], abs=0.2)


def test_a_category_is_drawn_alone(ctgan):
    """Rows of one kind have its payments and prices, and the odds are its share."""
    rng = np.random.default_rng(1)
    made, odds = ctgan.sample_held(NOTHING, rng, {0: (2, 0.5)})
    assert set(made.pieces[:, 0]) == {2}
    assert made.pieces[:, 1].mean() > 0.7
    assert (made.pieces[:, 2] / 200).mean() > 0.65
    _, others = ctgan.sample_held(NOTHING, rng, {0: (0, 0.5)})
    assert odds[0] / others[0] == pytest.approx(0.2 / 0.5, rel=0.15)


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["cgan", "cwgan-gp"])
def test_a_class_is_drawn_alone(objective):
    """Rows of one label have its payments and prices, and the odds are its share."""
    model = GANRowModel(objective, epochs=30, label=7)
    model.fit(shop(ROWS), NOTHING, np.random.default_rng(0))
    test_a_category_is_drawn_alone(model)


def test_a_label_may_be_held_in_stretches():
    """Some of its classes, as frequent among each other as in the data."""
    model = GANRowModel("cgan", epochs=1, label=7)
    model.fit(shop(2000), Encoded.empty(2000), np.random.default_rng(0))
    among = Among(np.array([1, 2]), np.zeros(2), np.ones(2), np.ones(2))
    made = model.sample(Encoded.empty(2000), np.random.default_rng(1), {0: among})
    assert set(made.pieces[:, 0]) == {1, 2}
    assert (made.pieces[:, 0] == 1).mean() == pytest.approx(0.6, abs=0.05)


def test_the_label_is_found():
    """The one asked for; else the category of fewest values, the last of two; else few numbers."""
    number = Layout(np.full(2, 0.5), np.zeros(2, bool), False, False, key=11)
    assert find_label((KIND, PAID, PRICE), 7) == 0
    assert find_label((PAID, KIND, replace(PAID, key=1), PRICE)) == 2
    assert find_label((PRICE, number)) == 1
    assert find_label((PRICE,)) == -1
    with pytest.raises(SynthesisError, match="too many values"):
        find_label((KIND, PRICE), 9)
    with pytest.raises(SynthesisError, match="label is not modelled"):
        find_label((KIND, PRICE), 5)


def test_torchs_own_chance_is_left_alone():
    """Every draw has a seed of its own: torch's global generator neither decides nor moves."""
    rows, drawn = shop(300), []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        model = GANRowModel("ctgan", epochs=1)
        model.fit(rows, Encoded.empty(300), np.random.default_rng(0))
        assert torch.equal(before, torch.get_rng_state())
        drawn.append(model.sample(Encoded.empty(50), np.random.default_rng(1)))
    assert (drawn[0].pieces == drawn[1].pieces).all()
    assert (drawn[0].places == drawn[1].places).all()


def test_collapse_is_told_by_the_columns_of_the_row():
    """The label, which is not among the generator's columns, is counted."""
    history = History(collapsed=(0, 1, 2), looks=((1, (1,)),))
    assert renumbered(history, 1) == History(collapsed=(0, 2, 3), looks=((1, (2,)),))
    assert renumbered(history, -1) == history


def test_a_scalar_counts_only_where_its_mode_has_one():
    """Beside a spike whatever the generator says of the scalar is nobody's value."""
    spike = Layout(np.array([0.5, *[0.01] * 50]), np.arange(51) > 0, False, False)
    rng = np.random.default_rng(0)
    pieces = np.where(rng.random(400) < 0.5, 0, rng.integers(1, 51, 400))[:, None]
    columns = fit_dense(Encoded(pieces, rng.random((400, 1)), (spike,)), "scores", rng)
    real = columns.encode(Encoded(pieces, np.full((400, 1), 0.5), (spike,)))
    drawn = real[0], np.where(real[0] == 0, -0.9, real[1]).astype(np.float32)
    assert collapsed(coded(columns, drawn, real)) == ()
    always = np.full_like(real[0], 1), np.full_like(real[1], 0.1)
    assert collapsed(coded(columns, always, real)) == (0,)


def test_numbers_are_compared_by_where_they_lie():
    """Another mode at the same place is no loss; one of two heaps of values that is gone is one."""
    line = Layout(np.full(100, 0.01), np.ones(100, bool), False, False, 0, np.linspace(0, 100, 101))
    rng = np.random.default_rng(0)
    heaps = np.clip(rng.normal(np.repeat([20, 70], 300), 5), 0, 99.9)[:, None]
    rows = Encoded(heaps.astype(int), heaps % 1, (line,))
    columns = fit_dense(rows, "modes", rng)
    real = columns.encode(rows)
    assert len(set(real[0][:, 0])) > 1
    near = columns.encode(rows.take(rng.permutation(600)))
    noisy = near[0], near[1] + rng.normal(0, 0.02, near[1].shape)
    assert collapsed(coded(columns, noisy, real)) == ()
    one_heap = columns.encode(rows.take(np.arange(600) % 300))
    assert collapsed(coded(columns, one_heap, real)) == (0,)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"objective": "ctgan"}, "objective 'ctgan' is not known. Use one of: gan, cgan, wgan"),
        ({"objective": "wgan", "label": "x"}, "'wgan' takes no label, and got 'x'"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"most_rows": 0}, "most_rows must be at least 1, got 0"),
        ({"device": "abacus"}, "device 'abacus' is not known"),
    ],
)
def test_impossible_settings_are_refused(wrong, message):
    """With what was found and what is allowed."""
    with pytest.raises(SynthesisError, match=message):
        GANSynthesizer(**wrong)


def test_a_label_that_cannot_be_one_is_refused():
    """No such column; more values than classes."""
    table = pa.table({"size": ["S", "L"] * 100, "price": np.arange(200) / 7})
    for label, message in (("shoe", "'shoe' is no column"), ("price", "too many values")):
        with pytest.raises(SynthesisError, match=message):
            GANSynthesizer(objective="cgan", label=label, epochs=1).fit(table)


def test_the_label_is_one_by_name():
    """The column named is the one that rows are drawn for, wherever it stands."""
    rng = np.random.default_rng(0)
    table = pa.table({"a": rng.choice(["p", "q"], 100), "fraud": rng.integers(0, 2, 100)})
    made = GANSynthesizer(objective="cwgan-gp", label="fraud", epochs=1).fit(table)
    model = made.part_.row_model
    assert made.part_.codec.modelled[model.labelled] == "fraud"
    assert set(made.sample(20, conditions={"fraud": 1})["fraud"].to_pylist()) == {1}


def test_losses_and_collapse_are_told():
    """Each epoch has a loss, and a column that is always the same in training raises no alarm."""
    table = pa.table({"x": np.arange(300.0), "same": ["a"] * 300})
    model = CTGANSynthesizer(epochs=3).fit(table)
    assert model.get_loss_values()["epoch"].to_pylist() == [1, 2, 3]
    assert not any("same" in alarm for alarm in model.alarms)


def test_a_killed_training_goes_on_to_the_same_bytes(tmp_path, monkeypatch):
    """Weights, optimisers, averages and every source of chance are where they were."""
    monkeypatch.setattr("prefect_synth.synth.checkpoints.EVERY", 0.0)

    def trained():
        model = GANRowModel("ctgan", epochs=4)
        return model.fit(shop(300), Encoded.empty(300), np.random.default_rng(0))

    def killed(epoch):
        if epoch.done == 3:
            raise KeyboardInterrupt

    whole = trained()
    with checkpointing(tmp_path), listening(killed), pytest.raises(KeyboardInterrupt):
        trained()
    told = []
    with checkpointing(tmp_path), listening(lambda epoch: told.append(epoch.done)):
        again = trained()
    assert told == [3, 4]
    assert fingerprint_of(again) == fingerprint_of(whole)
