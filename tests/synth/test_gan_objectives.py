"""The objectives of adversarial training, against what is known of them by hand."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from prefect_synth.synth.row_models.gan_objectives import (  # noqa: E402 - torch is optional
    OBJECTIVES,
    distance,
    penalised,
    slope_penalty,
    softplus,
)

GENERATOR = torch.Generator()


@pytest.fixture
def scores():
    """Scores of three real and three generated rows, twice."""
    GENERATOR.manual_seed(1)
    return [torch.randn(3, 1, generator=GENERATOR) for _ in range(3)]


@pytest.mark.parametrize("name", ["gan", "cgan", "dragan"])
def test_the_first_gan_tells_real_from_generated(name, scores):
    """Its losses are cross-entropies of a sigmoid, as torch has them."""
    real, fake, other = scores
    entropy = torch.nn.functional.binary_cross_entropy_with_logits
    ones, zeros = torch.ones_like(real), torch.zeros_like(fake)
    objective = OBJECTIVES[name]
    told = entropy(real, ones) + entropy(fake, zeros)
    assert objective.critic_loss(real, fake, other) == pytest.approx(told.item())
    assert objective.generator_loss(real, fake, other) == pytest.approx(entropy(fake, ones).item())


def test_a_great_logit_has_a_finite_loss():
    """No exponential overflows."""
    x = torch.tensor([-1e4, 0.0, 1e4])
    assert softplus(x).tolist() == pytest.approx([0, np.log(2), 1e4])


@pytest.mark.parametrize("name", ["wgan", "wgan-gp", "cwgan-gp", "ctgan", "copula-gan"])
def test_wasserstein_is_a_difference_of_means(name, scores):
    """The critic widens the gap, the generator closes it."""
    real, fake, other = scores
    objective = OBJECTIVES[name]
    gap = fake.mean() - real.mean()
    assert objective.critic_loss(real, fake, other) == pytest.approx(gap.item())
    assert objective.generator_loss(real, fake, other) == pytest.approx(-fake.mean().item())


def test_cramer_is_the_energy_distance():
    """Its generator's loss is in the mean the energy distance without the real rows' constant."""
    GENERATOR.manual_seed(2)
    real, fake, other = (torch.randn(40_000, 3, generator=GENERATOR) + s for s in (0.0, 0.5, 0.5))
    again = torch.randn(40_000, 3, generator=GENERATOR)
    found = OBJECTIVES["cramer-gan"].generator_loss(real, fake, other)
    constant = distance(real, again).mean()
    assert found - constant == pytest.approx(_energy(0.5), abs=0.02)
    same = OBJECTIVES["cramer-gan"].generator_loss(real, again, again.flip(0))
    assert same - constant == pytest.approx(0, abs=0.02)


def _energy(shift):
    """Energy distance of two standard normals in space, a shift apart in each axis; sampled."""
    rng = np.random.default_rng(0)
    a, b, c, d = rng.standard_normal((4, 200_000, 3))
    norm = np.linalg.norm
    between = norm(a - b - shift, axis=1).mean()
    return 2 * between - norm(a - c, axis=1).mean() - norm(b - d, axis=1).mean()


def test_the_critic_of_cramer_maps_to_space():
    """A row has a vector of scores there, and one number elsewhere."""
    assert {n: o.scores for n, o in OBJECTIVES.items() if o.scores > 1} == {"cramer-gan": 64}


def test_the_slope_is_taken_row_by_row():
    """Rows whose slopes have norms 1 and 3 are penalised 0 and 4, not by the norm of all."""
    points = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    slopes = torch.tensor([[0.6, 0.8], [3.0, 0.0]])
    penalty = slope_penalty(torch, lambda x: (x * slopes).sum(1), points)
    assert penalty.item() == pytest.approx((0 + 4) / 2)


def test_a_slope_of_one_is_free():
    """A critic of slope 1 everywhere pays nothing, one of slope 2 pays 1."""
    points = torch.randn(50, 4, generator=GENERATOR)
    unit = torch.tensor([0.5, 0.5, 0.5, 0.5])
    assert slope_penalty(torch, lambda x: x @ unit, points).item() == pytest.approx(0, abs=1e-6)
    assert slope_penalty(torch, lambda x: x @ (2 * unit), points).item() == pytest.approx(1)


def test_a_penalty_can_be_learned_from():
    """Its gradient reaches the critic's weights, though it is of a gradient itself."""
    weight = torch.full((3, 1), 2.0, requires_grad=True)
    slope_penalty(torch, lambda x: (x @ weight)[:, 0], torch.ones(5, 3)).backward()
    assert (weight.grad > 0).all()


def test_where_penalties_are_taken():
    """Between: on the line of each pair, a place of its own; around: beside real rows alone."""
    real, fake = torch.zeros(200, 2), torch.ones(200, 2)
    between = penalised(torch, "between", real, fake, GENERATOR)
    assert (between[:, 0] == between[:, 1]).all()
    assert between[:, 0].unique().numel() > 190
    assert 0 <= between.min() <= between.max() <= 1
    spread = torch.randn(4000, 2, generator=GENERATOR) * torch.tensor([1.0, 10.0])
    around = penalised(torch, "around", spread, None, GENERATOR) - spread
    assert around.min() >= 0
    assert around.max(dim=0).values.tolist() == pytest.approx([0.5, 5.0], rel=0.05)


def test_who_has_a_label_and_who_conditions():
    """Each variant is what its name says."""
    assert [n for n, o in OBJECTIVES.items() if o.label] == ["cgan", "cwgan-gp"]
    assert [n for n, o in OBJECTIVES.items() if o.conditions] == ["ctgan", "copula-gan"]
    assert [n for n, o in OBJECTIVES.items() if o.clip] == ["wgan"]
    assert {n: o.penalty for n, o in OBJECTIVES.items() if o.penalty} == {
        "wgan-gp": "between", "cwgan-gp": "between", "dragan": "around",
        "cramer-gan": "between", "ctgan": "between", "copula-gan": "between",
    }  # fmt: skip
