"""Noised steps: gradients are cut unit by unit, exactly, and what is learned is of use."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.synth.privacy.accounting import Spending, epsilon_of, sampled_gaussian
from prefect_synth.synth.privacy.argn import steps_for
from prefect_synth.synth.privacy.planning import table_costs
from prefect_synth.synth.privacy.settings import DifferentialPrivacy
from prefect_synth.synth.privacy.sgd import Steps, Trainer, by_unit
from prefect_synth.synth.row_models.argn_network import Shape
from prefect_synth.synth.single import ARGNSynthesizer, GaussianCopulaSynthesizer


@pytest.fixture(params=["one row a unit", "several rows a unit"])
def trainer(request):
    """A small network with a context column, in the midst of training."""
    rng = np.random.default_rng(3)
    sizes = (3, 4, 5, 2)
    codes = np.column_stack([rng.integers(0, k, 60) for k in sizes])
    units = np.arange(60) if request.param == "one row a unit" else rng.integers(0, 12, 60)
    shape = Shape(sizes, 1)
    tables = [rng.standard_normal((k, w)) for k, w in zip(sizes, shape.embedded, strict=True)]
    shares = [np.full(k, 1 / k) for k in sizes[1:]]
    steps = Steps(0.5, 4, 1.0, 0.7, len(np.unique(units)), 0.05)
    made = Trainer(torch, codes, units, shape, tables, shares, steps, rng)
    for _ in range(3):
        made.step()
    return made


def one_by_one(trainer):
    """Gradient of each unit by itself, before it is cut."""
    gradients = []
    for unit in range(len(trainer.rows)):
        rows = trainer.rows[unit][trainer.there[unit]]
        losses, _ = trainer._losses(trainer.codes[rows])
        gradients.append(torch.autograd.grad(losses.sum(), trainer.parameters))
    return gradients


def test_gradients_are_cut_as_if_each_unit_stood_alone(trainer):
    """The sum without single gradients is the sum of single gradients that were cut."""
    expected = [torch.zeros_like(p) for p in trainer.parameters]
    for gradient in one_by_one(trainer):
        norm = torch.sqrt(sum((g**2).sum() for g in gradient))
        for total, part in zip(expected, gradient, strict=True):
            total += part * (trainer.steps.clip / norm).clamp(max=1.0)
    actual = trainer.cut_gradients(torch.arange(len(trainer.rows)))
    for found, wanted in zip(actual, expected, strict=True):
        assert torch.allclose(found, wanted, atol=1e-5)


def test_no_unit_moves_the_sum_by_more_than_the_norm(trainer):
    """That is the sensitivity that the noise is made for, and some units reach it."""
    norms = []
    for unit in range(len(trainer.rows)):
        parts = trainer.cut_gradients(torch.tensor([unit]))
        norms.append(float(torch.sqrt(sum((p**2).sum() for p in parts))))
    assert max(norms) == pytest.approx(trainer.steps.clip, rel=1e-4)


def test_a_unit_whose_gradient_is_not_finite_takes_no_part(trainer):
    """Nobody could cut it: the sum is that of the others, and no others tell of it."""
    with torch.no_grad():
        trainer.tables[2][0] = torch.inf
    has = ((trainer.codes[trainer.rows][:, :, 2] == 0) & trainer.there).any(1)
    assert has.any()
    assert not has.all()
    found = trainer.cut_gradients(torch.arange(len(trainer.rows)))
    wanted = trainer.cut_gradients(torch.arange(len(trainer.rows))[~has])
    for one, other in zip(found, wanted, strict=True):
        assert one.isfinite().all()
        assert torch.equal(one, other)
    alone = trainer.cut_gradients(torch.arange(len(trainer.rows))[has])
    assert not any(part.any() for part in alone)


def test_noise_is_drawn_from_the_generator_given_and_lies_on_a_grid(trainer):
    """As wide as was planned; all of the generator's state decides it, not 32 bits of it."""
    state = trainer.rng.bit_generator.state
    noised = trainer._noised(torch.zeros(200, 200))
    trainer.rng.bit_generator.state = state
    assert torch.equal(noised, trainer._noised(torch.zeros(200, 200)))
    assert float(noised.std()) == pytest.approx(trainer.steps.noise * trainer.steps.clip, rel=0.02)
    assert torch.equal(noised * 2**11, (noised * 2**11).round())  # 0.7 is above 2**-1


def test_rows_are_gathered_by_unit():
    """Each row once, padded where a unit has fewer than others."""
    rows, there = by_unit(np.array([5, 2, 5, 9, 5]))
    assert [sorted(r[t]) for r, t in zip(rows, there, strict=True)] == [[1], [0, 2, 4], [3]]


def test_steps_cost_what_the_table_may_cost():
    """Up to the order at which the cost of the whole training converts best."""
    cost = Spending(0.016, 22.0)
    steps = steps_for(cost, 5000)
    orders = np.arange(2, 23)
    curve = steps.steps * sampled_gaussian(steps.rate, steps.noise, orders)
    assert (curve <= cost.rho * orders * (1 + 1e-9)).all()
    assert epsilon_of(orders, curve, 1e-6) <= cost.epsilon(1e-6)


def pairs(rows=1500):
    """Two columns that are the same, and one that is not."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, 3, rows)
    names = np.array(["a", "b", "c"])
    return pa.table(
        {"first": names[first], "second": names[first], "third": names[rng.integers(0, 3, rows)]}
    )


def test_what_columns_have_to_do_with_each_other_is_learned():
    """With much to spend, a column that another decides nearly is what it decides."""
    columns = {c: Column(c, nullable=False) for c in ("first", "second", "third")}
    metadata = Metadata({"t": Table("t", columns)})
    known = dict.fromkeys(columns, ("a", "b", "c"))
    privacy = DifferentialPrivacy(20.0, categories=known, noise_seed=1)
    fitted = ARGNSynthesizer(metadata, privacy=privacy).fit(pairs())
    made = fitted.sample(1500, seed=1).to_pandas()
    assert (made["first"] == made["second"]).mean() > 0.9
    assert (made["first"] == made["third"]).mean() < 0.5
    whole = table_costs(metadata, fitted._fitting("t"))["t"].whole
    assert whole.epsilon(privacy.delta) <= 20.0


@pytest.mark.parametrize("rows", [1, 4])
def test_a_handful_of_rows_is_learned_as_any_others(rows):
    """Steps in which nobody takes part are noise alone, and nobody can tell."""
    metadata = Metadata({"t": Table("t", {"a": Column("a", "numerical"), "b": Column("b")})})
    table = pa.table({"a": np.arange(rows), "b": ["x"] * rows})
    privacy = DifferentialPrivacy(1.0, bounds={"a": (0, 9)}, categories={"b": ("x", "y")})
    for made in (ARGNSynthesizer, GaussianCopulaSynthesizer):
        drawn = made(metadata, privacy=privacy).fit(table).sample(20, seed=1)
        assert drawn.schema.equals(table.schema)


def test_children_are_learned_with_their_parents():
    """A unit's rows in a table below are cut together, and keep what they have of the parent."""
    rng = np.random.default_rng(1)
    kind = rng.integers(0, 2, 800)
    owner = np.repeat(np.arange(800), 1 + 2 * kind)
    whole = {"nullable": False}
    metadata = Metadata(
        {
            "p": Table(
                "p", {"id": Column("id", "id", **whole), "kind": Column("kind", **whole)}, ("id",)
            ),
            "c": Table("c", {"p": Column("p", "id", **whole), "what": Column("what", **whole)}),
        },
        (Relationship("c", ("p",), "p", ("id",)),),
    )
    tables = {
        "p": pa.table({"id": np.arange(800), "kind": np.array(["x", "y"])[kind]}),
        "c": pa.table({"p": owner, "what": np.array(["u", "v"])[kind[owner]]}),
    }
    known = {"p.kind": ("x", "y"), "c.what": ("u", "v")}
    privacy = DifferentialPrivacy(30.0, rows_per_unit=3, categories=known, noise_seed=1)
    made = HMASynthesizer(metadata, row_model="argn", privacy=privacy).fit(tables).sample(seed=2)
    both = made["c"].to_pandas().merge(made["p"].to_pandas(), left_on="p", right_on="id")
    same = (both["what"] == "u") == (both["kind"] == "x")
    assert same.mean() > 0.8
