"""What a parent row knows of its children: their number, and what siblings share.

The published idea of hierarchical modelling is to put the children's parameters into the parent's
row (Patki, Wedge and Veeramachaneni 2016, The Synthetic Data Vault). Here the parameters are a
handful of random effects: variance components by the method of moments (Searle, Casella and
McCulloch 1992, chapter 3), each effect shrunken towards 0 as its parent has fewer children
(empirical Bayes), and kept only where siblings are more alike than under a random permutation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints
from prefect_synth.synth.row_models.copula import normal_scores

MOST_EFFECTS = 6
_FEWEST_PARENTS = 20
_ONE_HOT = 8
_SMALLEST_ICC = 0.02


@dataclass(frozen=True)
class RelationExtension:
    """What the rows of a parent table know of one relation.

    Args:
        counts: Children of each parent row, [parents].
        effects: What siblings share, [parents, k], drawn with the doubt that few children leave;
            k may be 0.
        means: The same without the doubt, [parents, k].
        ratios: Variance of each effect among parents to that among siblings, [k].
    """

    counts: Ints
    effects: Floats
    means: Floats
    ratios: Floats


def extend_relation(
    children: Encoded, link: Ints, own: Encoded, rng: np.random.Generator
) -> RelationExtension:
    """Summarise the children of each parent row.

    Args:
        children: The child table's rows, extended and encoded, [n, d].
        link: The parent row of each child row, negative where there is none, [n].
        own: The parent rows' own columns, encoded; they tell of the effects where few children do.
        rng: For the permutation test and the draw of the effects.
    """
    linked, parents = link >= 0, len(own)
    counts = np.bincount(link[linked], minlength=parents).astype(np.int64)
    effects, means, ratios = np.zeros((parents, 0)), np.zeros((parents, 0)), np.zeros(0)
    if (counts > 0).sum() >= _FEWEST_PARENTS and (counts > 1).sum() >= _FEWEST_PARENTS:
        features = _features(children.take(np.flatnonzero(linked)))
        effects, means, ratios = _random_effects(
            features, link[linked], counts, _features(own), rng
        )
    return RelationExtension(counts, effects, means, ratios)


def _features(children: Encoded) -> Floats:
    """Normal scores of ordered columns, and the commonest categories one by one, [n, m]."""
    blocks = []
    for j, layout in enumerate(children.layouts):
        one = children.columns(j, j + 1)
        if layout.nominal:
            top = np.argsort(-layout.probabilities, kind="stable")[:_ONE_HOT]
            blocks.append((one.pieces == top[None, :]).astype(float))
        else:
            blocks.append(normal_scores(*one.intervals()))
    if not blocks:
        return np.zeros((len(children), 0))
    features = np.hstack(blocks)
    spread = features.std(axis=0)
    features = features[:, spread > 1e-6]
    return np.asarray((features - features.mean(axis=0)) / spread[spread > 1e-6])


def _random_effects(
    features: Floats, link: Ints, counts: Ints, own: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    if not features.shape[1]:
        return np.zeros((len(counts), 0)), np.zeros((len(counts), 0)), np.zeros(0)
    ratios, axes, means = _components(features, link, counts)
    by_chance = _components(features, rng.permutation(link), counts)[0]
    keep = np.flatnonzero((ratios > by_chance[0]) & (ratios / (1 + ratios) > _SMALLEST_ICC))
    keep = keep[:MOST_EFFECTS]
    seen = means @ axes[:, keep]
    expected, ratio = _expected(seen, ratios[keep], counts, own)
    shrink = counts[:, None] * ratio / (1 + counts[:, None] * ratio)
    left_over = ratio / (1 + counts[:, None] * ratio)
    noise = rng.standard_normal(seen.shape) * np.sqrt(left_over)
    best = expected + shrink * (seen - expected)
    return np.asarray(best + noise), np.asarray(best), ratios[keep]


def _expected(seen: Floats, ratio: Floats, counts: Ints, own: Floats) -> tuple[Floats, Floats]:
    """Each effect as the parent's own columns tell it, and the variance that they leave open.

    Without this a parent without children would get an effect that has nothing to do with its
    columns, and where most have none, the children would lose what their parent tells of them.

    Args:
        seen: Mean of the children of each parent along each axis, [parents, k].
        ratio: Variance of each effect, [k]; that of a child around it is 1.
        counts: Children of each parent, [parents].
        own: Features of the parents' own columns, [parents, m].
    """
    there = counts > 0
    penalty = own.shape[1] * np.eye(own.shape[1])
    expected, left = np.zeros_like(seen), ratio.copy()
    for k, variance in enumerate(ratio):
        weights = variance / (variance + 1 / counts[there])  # a ridge regression by precision
        x, y = own[there] * weights[:, None], seen[there, k]
        slopes = np.linalg.solve(x.T @ own[there] + penalty, x.T @ y)
        expected[:, k] = own @ slopes
        explained = (weights * expected[there, k] ** 2).sum() / weights.sum()
        left[k] = max(variance - explained, 0.02 * variance)
    return expected, left


def _components(features: Floats, link: Ints, counts: Ints) -> tuple[Floats, Floats, Floats]:
    """Between-to-within variance ratios, their axes, and the group means: [m], [m, m], [G, m]."""
    sums = np.column_stack([np.bincount(link, f, minlength=len(counts)) for f in features.T])
    means = sums / np.maximum(counts, 1)[:, None]
    rows, groups = len(features), int((counts > 0).sum())
    between_sum = (means * counts[:, None]).T @ means
    within = (features.T @ features - between_sum) / max(rows - groups, 1)
    within += np.eye(len(within)) * (1e-3 * np.trace(within) / len(within) + 1e-9)
    size = (rows - (counts.astype(float) ** 2).sum() / rows) / max(groups - 1, 1)
    between = (between_sum / max(groups - 1, 1) - within) / max(size, 1e-9)
    ratios, axes = eigh(between, within)
    order = np.argsort(-ratios)
    axes = axes[:, order]
    signs = np.sign(axes[np.argmax(np.abs(axes), axis=0), np.arange(len(order))])
    return ratios[order], axes * np.where(signs == 0, 1, signs), means
