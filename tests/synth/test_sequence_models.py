"""Models of whole families: memory, lengths, kinds of columns, and tables of sequences."""

from __future__ import annotations

import doctest
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from prefect_synth.synth import single_sequences
from prefect_synth.synth.effort import Effort
from prefect_synth.synth.encoding.layout import Encoded, Layout
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.synth.row_models import family_codec, innovations, par_training
from prefect_synth.synth.row_models.factory import make_row_model
from prefect_synth.synth.row_models.families import Families
from prefect_synth.synth.row_models.family_codec import fit_family_codec
from prefect_synth.synth.row_models.innovations import Innovations, fit_innovations, last_known
from prefect_synth.synth.row_models.par_windows import shiftable_windows
from prefect_synth.synth.row_models.scores import SCORE_END, fit_scores, from_bins, to_bins
from prefect_synth.synth.row_models.settling import fit_settling
from prefect_synth.synth.row_models.traits import FamilyTraits
from prefect_synth.synth.single_sequences import (
    DoppelGANgerSynthesizer,
    PARSynthesizer,
    TimeGANSynthesizer,
)
from prefect_synth.synth.single_table import SingleTableSynthesizer

SYNTHESIZERS = [PARSynthesizer, TimeGANSynthesizer, DoppelGANgerSynthesizer]
RHO = 0.9
lengths_of_families = st.lists(st.integers(1, 30), min_size=1, max_size=12)


def patients(families=150, seed=0):
    """Visits of patients: a score that lasts, a kind that alternates, times at odd hours."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 16, families)
    who = np.repeat(np.arange(families), sizes)
    score, kind = rng.normal(size=len(who)), rng.integers(0, 2, len(who))
    for i in np.flatnonzero(np.diff(who, prepend=-1) == 0):
        score[i] = RHO * score[i - 1] + np.sqrt(1 - RHO**2) * score[i]
        kind[i] = 1 - kind[i - 1] if rng.random() < 0.95 else kind[i - 1]
    hours = np.cumsum(rng.integers(1, 60, len(who)))
    return pa.table(
        {
            "patient": pa.array([f"P{w:04d}" for w in who]),
            "sex": np.array(["f", "m"])[who % 2],
            "at": np.datetime64("2024-01-01", "s") + hours * np.timedelta64(3600, "s"),
            "score": pa.array(np.round(score, 3), mask=rng.random(len(who)) < 0.1),
            "kind": np.array(["in", "out"])[kind],
            "room": rng.integers(1, 5, len(who)),
        }
    )


def described(index="at"):
    """The schema of `patients`."""
    kinds = {"patient": "id", "at": "datetime", "score": "numerical", "room": "numerical"}
    names = ("patient", "sex", "at", "score", "kind", "room")
    columns = {c: Column(c, kinds.get(c, "categorical"), nullable=c == "score") for c in names}
    table = Table("visits", columns, sequence_key="patient", sequence_index=index)
    return Metadata({"visits": table})


def along(visits):
    """Scores and kinds of rows and of those before them, of one patient, where both are known."""
    who = visits["patient"].to_numpy()
    same = who[1:] == who[:-1]
    score, kind = visits["score"].to_numpy(), visits["kind"].to_numpy() == "in"
    known = same & ~np.isnan(score[1:]) & ~np.isnan(score[:-1])
    return score[:-1][known], score[1:][known], (kind[1:] != kind[:-1])[same].mean()


@pytest.fixture(scope="module", params=SYNTHESIZERS, ids=lambda c: c.row_model)
def fitted(request):
    """Each synthesizer, fitted on patients for a moment."""
    return request.param(described(), epochs=1, seed=2).fit(patients(60))


@pytest.fixture(scope="module")
def learned():
    """The autoregressive network, fitted on patients for as long as it takes."""
    return PARSynthesizer(described(), epochs=12, seed=2).fit(patients())


def test_rows_follow_the_rows_before(learned):
    """A score lasts and a kind alternates, as in the data."""
    real, made = patients(), learned.sample(1500, seed=1)
    (a, b, turns), (x, y, drawn) = along(real), along(made)
    assert np.corrcoef(x, y)[0, 1] == pytest.approx(np.corrcoef(a, b)[0, 1], abs=0.1)
    assert drawn == pytest.approx(turns, abs=0.15)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "epochs", "turning"),
    [(TimeGANSynthesizer, 40, 0.0), (DoppelGANgerSynthesizer, 150, 0.8)],
)
def test_generators_keep_memory_and_shares(make, epochs, turning):
    """Generators too, more roughly; what alternates is beyond TimeGAN's smooth latent space."""
    model = make(described(), epochs=epochs, seed=2).fit(patients())
    real, made = patients(), model.sample(1500, seed=1)
    (a, b, _), (x, y, turns) = along(real), along(made)
    assert np.corrcoef(x, y)[0, 1] == pytest.approx(np.corrcoef(a, b)[0, 1], abs=0.2)
    assert turns > turning
    for column, value in (("kind", "in"), ("room", 3)):
        shares = [np.mean(t[column].to_numpy() == value) for t in (real, made)]
        assert shares[1] == pytest.approx(shares[0], abs=0.1)
    assert made["score"].null_count / 1500 == pytest.approx(0.1, abs=0.06)


def test_sequences_are_whole(fitted):
    """Exact schema and number of rows; patients together, in order of time, of one sex each."""
    made = fitted.sample(700, seed=4)
    assert made.schema.equals(patients().schema)
    assert len(made) == 700
    who, at = made["patient"].to_numpy(), made["at"].to_numpy().astype(np.int64)
    same = who[1:] == who[:-1]
    assert (~same).sum() + 1 == len(set(who))
    assert (np.diff(at)[same] > 0).all()
    pairs = made.group_by(["patient", "sex"]).aggregate([])
    assert len(pairs) == len(set(who))
    assert not set(who) & set(patients(60)["patient"].to_pylist())


def test_kinds_nulls_and_lengths_are_those_of_the_data(learned):
    """Shares of null, of categories and of small numbers, and rows of a patient."""
    real, made = patients(), learned.sample(1500, seed=5)
    for column, value in (("kind", "in"), ("room", 3)):
        shares = [np.mean(t[column].to_numpy() == value) for t in (real, made)]
        assert shares[1] == pytest.approx(shares[0], abs=0.1)
    assert made["score"].null_count / 1500 == pytest.approx(0.1, abs=0.06)
    sizes = [np.unique(t["patient"].to_numpy(), return_counts=True)[1] for t in (real, made)]
    assert np.mean(sizes[1]) == pytest.approx(np.mean(sizes[0]), rel=0.15)
    assert sizes[1].max() <= 1.5 * sizes[0].max()


def test_a_stored_model_of_sequences_draws_the_same(fitted, tmp_path):
    """By its own class and by the general one, in batches too; so many sequences as asked for."""
    fitted.save(tmp_path)
    made = fitted.sample(300, seed=7)
    for cls in (type(fitted), SingleTableSynthesizer):
        assert cls.load(tmp_path).sample(300, seed=7).equals(made)
    batches = list(fitted.sample_batches(300, seed=7, rows_per_batch=70))
    assert [len(b) for b in batches] == [70, 70, 70, 70, 20]
    assert pa.concat_tables(batches).equals(made)
    assert len(set(fitted.sample_sequences(9, seed=1)["patient"].to_pylist())) == 9


def test_conditions_hold_for_whole_sequences(fitted):
    """What a sequence has as a whole can be held; what changes within it cannot."""
    made = fitted.sample(200, seed=3, conditions={"sex": "m"})
    assert (set(made["sex"].to_pylist()), len(made)) == ({"m"}, 200)
    with pytest.raises(SynthesisError, match=r"'kind' cannot be a condition.*: sex\."):
        fitted.sample(5, conditions={"kind": "in"})
    with pytest.raises(SynthesisError, match=r"sequences must be at least 1, got 0\."):
        fitted.sample_sequences(0)


@pytest.mark.parametrize("make", SYNTHESIZERS)
def test_rows_without_an_index_stand_in_the_order_of_the_file(make):
    """What alternates by position does so in the copy, and no column is added."""
    who = [f"P{i:03d}" for i in range(60) for _ in range(4)]
    table = pa.table({"patient": who, "step": ["a", "b", "a", "b"] * 60})
    columns = {"patient": Column("patient", "id"), "step": Column("step")}
    metadata = Metadata({"t": Table("t", columns, sequence_key="patient")})
    made = make(metadata, epochs=1).fit(table).sample(40)
    assert made.schema.equals(table.schema)
    with pytest.raises(SynthesisError, match=r"'t\.patient' names sequences and has 1 nulls"):
        make(metadata).fit(pa.table({"patient": [None, "P1"], "step": ["a", "b"]}))


def test_no_sequences_without_a_key(fitted):
    """A table whose metadata names no sequence is drawn row by row."""
    model = type(fitted)(epochs=1).fit(patients().drop_columns(["patient"]))
    assert len(model.sample(11)) == 11
    with pytest.raises(SynthesisError, match="has no sequences: its metadata names no sequence_k"):
        model.sample_sequences(2)


@pytest.mark.parametrize("make", SYNTHESIZERS)
def test_models_of_families_draw_children_in_their_order(make):
    """As row model of related tables: rows in order, seeds repeat; some have no parent."""
    visits = patients(60).drop_columns(["sex"])
    who = visits["patient"].to_pylist()
    visits = visits.set_column(0, "patient", pa.array([None, *who[1:]]))
    tables = {"patients": pa.table({"id": sorted(set(who))}), "visits": visits}
    found = described().tables["visits"]
    own = {c: found.columns[c] for c in visits.column_names}
    own["patient"] = replace(own["patient"], nullable=True)
    parent = Table("patients", {"id": Column("id", "id", nullable=False)}, ("id",))
    link = Relationship("visits", ("patient",), "patients", ("id",))
    metadata = Metadata({"patients": parent, "visits": replace(found, columns=own)}, (link,))
    model = HMASynthesizer(metadata, row_model=make.row_model, effort=Effort(epochs=1)).fit(tables)
    made = model.sample(1.0, seed=3)
    rows = made["visits"]
    at, names = rows["at"].to_numpy().astype(np.int64), np.array(rows["patient"].to_pylist(), str)
    same = (names[1:] == names[:-1]) & (names[1:] != "None")
    assert (np.diff(at)[same] > 0).all()
    assert set(rows["patient"].drop_null().to_pylist()) <= set(made["patients"]["id"].to_pylist())
    assert model.sample(1.0, seed=3)["visits"].equals(rows)


@settings(max_examples=40, deadline=None)
@given(lengths_of_families, st.integers(1, 12))
def test_windows_cover_every_row(lengths, most):
    """Windows stay inside families, are as long as can be, and leave no row out."""
    families = Families(np.array(lengths))
    starts, sizes = families.windows(most)
    seen = np.zeros(sum(lengths), bool)
    family = np.repeat(np.arange(len(lengths)), lengths)
    for start, size in zip(starts, sizes, strict=True):
        seen[start : start + size] = True
        assert len(set(family[start : start + size])) == 1
    assert seen.all()
    assert sizes.max() <= most
    steps = [rows for rows, _ in families.steps()]
    assert sorted(np.concatenate(steps).tolist()) == list(range(sum(lengths)))


@settings(max_examples=60, deadline=None)
@given(lengths_of_families, st.integers(1, 12), st.integers(0, 99))
def test_no_row_is_trained_on_that_is_held_back(lengths, most, seed):
    """Wherever windows are shifted, and where the last two of a family overlap; none is empty."""
    families = Families(np.array(lengths))
    windows = families.windows(most)
    part = np.random.default_rng(seed).integers(0, 3, len(windows[0]))
    held = [np.flatnonzero(part == p) for p in (1, 2)]
    starts, sizes, shifts = (w[part == 0] for w in shiftable_windows(windows, held, families))
    hidden = np.zeros(sum(lengths), bool)
    for start, size in zip(*(w[part > 0] for w in windows), strict=True):
        hidden[start : start + size] = True
    family, trained = np.repeat(np.arange(len(lengths)), lengths), hidden.copy()
    for start, size, shift in zip(starts, sizes, shifts, strict=True):
        assert (size > 0, shift >= 0) == (True, True)
        assert not hidden[start - shift : start + size].any()
        assert len(set(family[start - shift : start + size])) == 1
        trained[start : start + size] = True
    assert trained.all()  # what is not held back is trained on


def test_training_asks_for_no_row_that_is_held_back(monkeypatch):
    """The network itself: rows of its steps and rows of its looks at what is held back."""
    rows = {True: set(), False: set()}
    inner = par_training._Likelihood._loss

    def watched(learner, starts, sizes, *, dropout):
        at = [np.arange(a, a + n) for a, n in zip(starts, sizes, strict=True)]
        rows[dropout].update(np.concatenate(at).tolist())
        return inner(learner, starts, sizes, dropout=dropout)

    monkeypatch.setattr(par_training._Likelihood, "_loss", watched)
    layout = Layout(np.full(3, 1 / 3), np.zeros(3, bool), nominal=True, has_null=False)
    rng, lengths = np.random.default_rng(0), np.full(6, 1050)
    data = Encoded(rng.integers(0, 3, (6300, 1)), np.full((6300, 1), 0.5), (layout,))
    model = make_row_model("par", Effort(epochs=1))
    model.fit_families(data, Encoded.empty(6300), lengths, rng)
    assert min(len(seen) for seen in rows.values()) > 100
    assert not rows[True] & rows[False]


@settings(max_examples=40, deadline=None)
@given(lengths_of_families, st.integers(0, 99))
def test_innovations_sum_up_to_the_numbers(lengths, seed):
    """Numbers and back, but for their extremes; of those not there the last one is kept."""
    rng, families = np.random.default_rng(seed), Families(np.array(lengths))
    numbers = np.cumsum(rng.normal(size=(sum(lengths), 2)), axis=0) / 10
    there = rng.random(numbers.shape) < 0.8
    known = last_known(numbers, there, families)
    innovations, traits = fit_innovations(known, there, families)
    scores = innovations.of(known, there, traits, families)
    assert (np.abs(scores) <= SCORE_END).all()
    assert (scores[~there] == 0).all()
    inner = replace(innovations, later_scores=_wide(2), first_scores=_wide(2))
    scores = inner.of(known, there, traits, families)
    free = np.abs(scores).max(axis=0) < SCORE_END
    back = inner.summed(scores, there, traits, families)
    assert np.allclose(back[:, free], known[:, free], atol=1e-4)


def _wide(numbers):
    """Quantiles that cut nothing off."""
    return tuple(fit_scores(np.linspace(-40, 40, 100_001)) for _ in range(numbers))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), max_size=60), st.integers(2, 80))
def test_scores_protect_extremes_and_keep_order(values, bins):
    """No score leads to a number beyond the data; larger numbers have no smaller score."""
    numbers = np.sort(np.array(values, float))
    scores = fit_scores(numbers)
    found = scores.to_scores(numbers)
    assert (np.diff(found) >= -1e-9).all()
    if len(numbers):
        back = scores.from_scores(np.linspace(-9, 9, 50))
        assert numbers.min() <= back.min() <= back.max() <= numbers.max()
    codes = to_bins(found, bins)
    assert (to_bins(from_bins(codes, bins, np.random.default_rng(0)), bins) == codes).all()


@pytest.mark.parametrize("n", [1, 2, 19, 20, 29, 30, 41, 100, 257, 1000, 50_000])
def test_scores_keep_no_list_of_the_numbers(n):
    """Ten numbers or more are between two knots, and five beyond the outer ones."""
    numbers = np.random.default_rng(n).lognormal(size=n)
    scores = fit_scores(numbers)
    assert (np.diff(scores.chances) > 0).all()
    if n < 20:
        assert scores.knots.mean() == pytest.approx(numbers.mean())
        assert len(scores.knots) == 2
        return
    assert np.diff(scores.chances).min() * n >= 10 - 1e-6
    assert scores.chances[0] * n >= 5 - 1e-6
    assert scores.chances + scores.chances[::-1] == pytest.approx(1)
    assert len(scores.knots) >= min(n // 20, 100)


def test_settled_innovations_neither_drift_nor_swell():
    """However biased and wide they are drawn, they are normal scores around 0 in each family."""
    rng, families = np.random.default_rng(0), Families(np.full(30, 200))
    bias = families.spread(0.3 * rng.normal(size=(30, 1)))
    drawn = np.hstack([0.3 * rng.normal(size=(6000, 1)) + bias, rng.exponential(size=(6000, 1))])
    there = rng.random(drawn.shape) < 0.9
    settled = fit_settling(drawn, there, families).settled(drawn, there, families)
    means = families.sums(settled) / 200
    assert np.abs(means[:, 1]).max() < 0.35
    assert np.abs(means[:, 0]).max() < 0.2  # of a bias of up to two spreads
    assert np.std(settled, axis=0) == pytest.approx([1, 1], abs=0.05)


def test_families_of_no_rows_and_no_columns():
    """A codec of constant columns; drawing no family draws no row."""
    layout = Layout(np.ones(1), np.zeros(1, bool), nominal=True, has_null=False)
    rows = Encoded(np.zeros((6, 1), np.int64), np.full((6, 1), 0.5), (layout,))
    families, rng = Families(np.array([4, 2])), np.random.default_rng(0)
    codec = fit_family_codec(rows, Encoded.empty(6), families, rng)
    for make in SYNTHESIZERS:
        model = make_row_model(make.row_model, Effort(epochs=1))
        model.fit_families(rows, Encoded.empty(6), families.lengths, rng)
        made = model.sample_families(Encoded.empty(6), families.lengths, rng)
        assert (made.pieces == 0).all()
        nothing = model.sample_families(Encoded.empty(0), np.zeros(0, np.int64), rng)
        assert len(nothing) == 0
    assert codec.widths == [1]


@pytest.mark.parametrize("make", SYNTHESIZERS)
def test_tables_fitted_side_by_side_are_those_fitted_alone(make):
    """Weights come from the table's own seed: other threads, and torch's own draws, change none."""
    import torch

    def weights(seed):
        rng = np.random.default_rng(seed)
        families = np.full(12, 4)
        layout = Layout(np.full(3, 1 / 3), np.zeros(3, bool), nominal=True, has_null=False)
        rows = Encoded(rng.integers(0, 3, (48, 1)), np.full((48, 1), 0.5), (layout,))
        model = make_row_model(make.row_model, Effort(epochs=1))
        model.fit_families(rows, Encoded.empty(48), families, rng)
        return model.sample_families(Encoded.empty(48), families, rng).pieces

    before = torch.random.get_rng_state()
    alone = [weights(seed) for seed in range(4)]
    assert torch.equal(torch.random.get_rng_state(), before)
    with ThreadPoolExecutor(4) as pool:
        beside = list(pool.map(weights, range(4)))
    assert all(np.array_equal(a, b) for a, b in zip(alone, beside, strict=True))
    assert not np.array_equal(alone[0], alone[1])


@pytest.mark.parametrize("make", SYNTHESIZERS)
def test_products_of_families_run_on_one_thread(make, monkeypatch):
    """Those of traits and of autoregressions too, in fitting and in sampling."""
    seen = {}

    def watch(of, name):
        inner = getattr(of, name)

        def watched(*args):
            pools = [p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"]
            seen.setdefault(name, set()).update(pools)
            return inner(*args)

        monkeypatch.setattr(of, name, watched)

    watch(innovations, "_least_squares")
    watch(family_codec, "fit_traits")
    watch(Innovations, "number")
    watch(FamilyTraits, "traits")
    rows = patients(30).drop_columns(["sex", "kind", "room"])
    described_ = described().tables["visits"]
    columns = {c: described_.columns[c] for c in rows.column_names}
    metadata = Metadata({"visits": replace(described_, columns=columns)})
    with threadpool_limits(2, user_api="blas"):
        make(metadata, epochs=1).fit(rows).sample(40)
    assert len(seen) == 4
    assert set.union(*seen.values()) == {1}


def test_sequence_keys_may_be_dictionaries():
    """Arrow's dictionaries, as pandas writes categories: in the key and beside it."""
    table = patients(40)
    for column in ("patient", "sex", "kind"):
        at = table.column_names.index(column)
        table = table.set_column(at, column, table[column].dictionary_encode())
    made = PARSynthesizer(described(), epochs=1).fit(table).sample(60)
    assert made.schema.equals(table.schema)
    pairs = made.group_by(["patient", "sex"]).aggregate([])
    assert (len(made), len(pairs)) == (60, len(set(made["patient"].to_pylist())))


def test_the_examples_run():
    """Those of the docstrings."""
    assert doctest.testmod(single_sequences).failed == 0
