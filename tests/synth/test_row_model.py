"""The Gaussian copula row model, by what it is known to do in theory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from prefect_synth.synth.encoding.columns import fit_category, fit_number
from prefect_synth.synth.encoding.layout import Encoded
from prefect_synth.synth.registry import SYNTHESIZERS
from prefect_synth.synth.row_models.copula import (
    CopulaRowModel,
    calibrated,
    nearest_correlation,
    truncated,
)
from prefect_synth.synth.row_models.factory import MAKERS, make_row_model
from prefect_synth.synth.single import GaussianCopulaSynthesizer
from prefect_synth.synth.storage import stored

ROWS = 6000


def encoded(*columns):
    """Encode columns of numbers and texts side by side."""
    parts, encoders = [], []
    for values in columns:
        array = pa.array(values)
        is_text = pa.types.is_string(array.type)
        encoder = fit_category(array) if is_text else fit_number(array)
        pieces, places = encoder.encode(array, np.random.default_rng(0))
        parts.append(Encoded(pieces[:, None], places[:, None], (encoder.layout,)))
        encoders.append(encoder)
    return Encoded.beside(parts, len(columns[0])), encoders


def sampled(rows, encoders, seed=0, **settings):
    """Fit without a context, sample, decode."""
    nothing = Encoded.empty(len(rows))
    model = CopulaRowModel(**settings).fit(rows, nothing, np.random.default_rng(0))
    made = model.sample(nothing, np.random.default_rng(seed))
    return [
        np.array(e.decode(made.pieces[:, j], made.places[:, j], np.random.default_rng(0)))
        for j, e in enumerate(encoders)
    ]


def gaussians(rng, correlation, rows=ROWS):
    """Two standard normals of a given correlation."""
    z = rng.standard_normal((rows, 2))
    return z[:, 0], correlation * z[:, 0] + np.sqrt(1 - correlation**2) * z[:, 1]


@pytest.mark.parametrize("planted", [-0.9, -0.4, 0.0, 0.6, 0.95])
def test_a_correlation_of_numbers_is_recovered(rng, planted):
    """The correlation of two numbers comes back within sampling error, independence has none."""
    rows, encoders = encoded(*gaussians(rng, planted))
    together = np.corrcoef(*sampled(rows, encoders))[0, 1]
    apart = np.corrcoef(*sampled(rows, encoders, independent=True))[0, 1]
    assert together == pytest.approx(planted, abs=0.04)
    assert abs(apart) < 0.04


def test_rank_correlation_survives_any_marginal(rng):
    """A copula keeps rank correlation between a skewed and a whole-number column."""
    x, y = gaussians(rng, 0.7)
    real = np.exp(x), np.floor(3 * y)
    made = sampled(*encoded(*real))
    truth = stats.spearmanr(*real)[0]
    assert stats.spearmanr(*made)[0] == pytest.approx(truth, abs=0.03)
    for a, b in zip(real, made, strict=True):
        assert stats.ks_2samp(a, b).statistic < 0.02


def test_a_number_depends_on_a_category(rng):
    """Group means come back in order and size; drawn alone, there is no difference."""
    group = rng.choice(["a", "b", "c", "d"], ROWS, p=[0.4, 0.3, 0.2, 0.1])
    value = (
        rng.normal(size=ROWS) + np.array([3, 0, 1, 2])[np.searchsorted(["a", "b", "c", "d"], group)]
    )
    rows, encoders = encoded(group, value)
    made_group, made = sampled(rows, encoders)
    alone_group, alone = sampled(rows, encoders, independent=True)
    real_means = np.array([value[group == g].mean() for g in "abcd"])
    made_means = np.array([made[made_group == g].mean() for g in "abcd"])
    assert np.abs(made_means - real_means).max() < 0.5
    assert np.corrcoef(made_means, real_means)[0, 1] > 0.95
    assert np.ptp([alone[alone_group == g].mean() for g in "abcd"]) < 0.3


def test_categories_depend_on_each_other(rng):
    """Most of the association of two categories is kept, and their shares are exact."""
    first = rng.integers(0, 4, ROWS)
    second = np.where(rng.random(ROWS) < 0.7, first, rng.integers(0, 4, ROWS))
    names = np.array(["p", "q", "r", "s"])
    made = sampled(*encoded(names[first], names[second]))
    real_v, made_v = cramers_v(first, second), cramers_v(*(np.searchsorted(names, m) for m in made))
    assert made_v > 0.5 * real_v
    for real, drawn in zip((first, second), made, strict=True):
        shares = [(drawn == names[k]).mean() - (real == k).mean() for k in range(4)]
        assert np.abs(shares).max() < 1e-3


def cramers_v(a, b):
    """Cramer's V of two codings."""
    table = np.zeros((a.max() + 1, b.max() + 1), int)
    np.add.at(table, (a, b), 1)
    return stats.contingency.association(table)


def test_missing_values_go_together(rng):
    """Where a null tells of another column, its share and direction come back."""
    x = rng.normal(size=ROWS)
    missing = rng.random(ROWS) < np.where(x > 0.5, 0.6, 0.05)
    table = pa.table({"x": x, "y": pa.array(rng.normal(size=ROWS), mask=missing)})
    made = GaussianCopulaSynthesizer().fit(table).sample(ROWS)
    null = np.asarray(made["y"].is_null())
    assert null.mean() == pytest.approx(missing.mean(), abs=0.01)
    assert np.array(made["x"])[null].mean() > 0.3


def test_context_shifts_rows(rng):
    """Rows follow their context: the conditional mean of a Gaussian is rho times the context."""
    x, y = gaussians(rng, 0.8)
    (context, _), (rows, encoders) = encoded(x), encoded(y)
    model = CopulaRowModel().fit(rows, context, rng)
    made = model.sample(context, rng)
    drawn = np.array(encoders[0].decode(made.pieces[:, 0], made.places[:, 0], rng))
    for low, high in ((-3, -1), (-0.5, 0.5), (1, 3)):
        inside = (x > low) & (x < high)
        assert drawn[inside].mean() == pytest.approx(0.8 * x[inside].mean(), abs=0.1)


@pytest.mark.parametrize("rho", [-0.8, 0.5, 0.9])
def test_conditional_draws_have_the_gaussian_mean_and_spread(rng, rho):
    """Given x = 1, y is normal with mean rho and variance 1 - rho squared."""
    x, y = gaussians(rng, rho, 20_000)
    model = GaussianCopulaSynthesizer(default_marginal="norm").fit(pa.table({"x": x, "y": y}))
    made = np.array(model.sample(8000, conditions={"x": 1.0})["y"])
    assert made.mean() == pytest.approx(rho, abs=0.04)
    assert made.std() == pytest.approx(np.sqrt(1 - rho**2), abs=0.04)


def test_two_conditions_at_once(rng):
    """With two columns given, the third follows the regression on both."""
    a, b = rng.standard_normal((2, 20_000))
    c = 0.6 * a - 0.6 * b + np.sqrt(1 - 0.72) * rng.standard_normal(20_000)
    table = pa.table({"a": a, "b": b, "c": c})
    made = GaussianCopulaSynthesizer().fit(table).sample(5000, conditions={"a": 1.0, "b": -1.0})
    assert np.mean(np.array(made["c"])) == pytest.approx(1.2, abs=0.07)


def test_equal_seeds_draw_equal_rows(rng):
    """The same generator gives the same pieces and places, another one others."""
    rows, encoders = encoded(*gaussians(rng, 0.5, 500))
    first, second, other = (sampled(rows, encoders, seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_rank_calibration_is_a_stratified_uniform(rng):
    """Each of n equal strata holds one number, in the order of the scores."""
    z = rng.normal(size=200)
    u = calibrated(z, rng)
    assert np.array_equal(np.sort(np.floor(u * 200)), np.arange(200))
    assert np.array_equal(np.argsort(u), np.argsort(z))


def test_truncated_normals_stay_inside(rng):
    """Draws lie in their interval, with the mean of the truncated normal."""
    low, high = np.full((5000, 1), 0.7), np.full((5000, 1), 0.9)
    z = truncated(low, high, np.zeros((5000, 1)), np.ones(1), rng)
    a, b = stats.norm.ppf([0.7, 0.9])
    assert np.all((a <= z) & (z <= b))
    assert z.mean() == pytest.approx(stats.truncnorm(a, b).mean(), abs=0.01)


def test_the_nearest_correlation_can_be_drawn_from(rng):
    """An impossible matrix becomes positive definite with unit diagonal, a possible one stays."""
    impossible = np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1.0]])
    fixed = nearest_correlation(impossible)
    assert np.linalg.eigvalsh(fixed)[0] > 0
    np.testing.assert_allclose(np.diag(fixed), 1)
    assert nearest_correlation(np.eye(3)) is not None
    np.testing.assert_array_equal(nearest_correlation(np.eye(3)), np.eye(3))


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_tiny_tables_can_be_fitted(rows):
    """One to three rows give a model without correlations, not an error."""
    table = pa.table({"x": [1.5, 2.5, 3.5][:rows], "k": ["a", "b", "c"][:rows]})
    assert len(GaussianCopulaSynthesizer().fit(table).sample(7)) == 7


def test_every_name_of_the_registry_makes_a_row_model():
    """What a project file may name can be made, and nothing else."""
    assert set(SYNTHESIZERS.values()) == {"auto", *MAKERS}
    with pytest.raises(ValueError, match=r"'tree' is not known\. Use one of: copula"):
        make_row_model("tree")


@stored
@dataclass
class LastRow:
    """A row model of its own: every row is the last one."""

    row: Encoded | None = None

    def fit(self, rows, context, rng):
        """Remember."""
        self.row = rows.take(np.array([len(rows) - 1]))
        return self

    def sample(self, context, rng, conditions=None):
        """Repeat."""
        return self.row.take(np.zeros(len(context), int))


def test_a_further_row_model_is_one_line(monkeypatch, tmp_path):
    """Another model, added by its name, is fitted, saved, loaded and sampled by the frame."""
    monkeypatch.setitem(MAKERS, "copula", LastRow)
    table = pa.table({"k": ["a", "b"] * 30, "l": ["x", "x", "y"] * 20})
    GaussianCopulaSynthesizer().fit(table).save(tmp_path)
    made = GaussianCopulaSynthesizer.load(tmp_path).sample(7)
    assert made.to_pylist() == table.slice(59).to_pylist() * 7
