"""What was planted between tables comes back, and better than drawing tables alone."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from scipy import stats

from prefect_synth.synth.hierarchy.counts import calibrate
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.hierarchy.matching import match
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table

PARENTS = 1500


@pytest.fixture(scope="module")
def planted():
    """Parents, and children who resemble their siblings and their parent.

    91 % of the parents have no child, some have hundreds. A child's `value` has an intraclass
    correlation of 0.5, its `kind` is the siblings' with chance 0.7, its `copy` follows the parent's
    `wealth`, and its `echo` follows the size of the shop that it also refers to.
    """
    rng = np.random.default_rng(1)
    wealth = rng.normal(size=PARENTS)
    counts = np.where(rng.random(PARENTS) < 0.91, 0, 1 + rng.geometric(0.04, PARENTS))
    counts = np.where(counts > 0, np.rint(counts * np.exp(0.4 * wealth)).astype(int) + 1, 0)
    link = np.repeat(np.arange(PARENTS), counts)
    n = len(link)
    size = rng.normal(size=80)
    shop = rng.integers(0, 80, n)
    shared = rng.normal(size=PARENTS)
    family = rng.integers(0, 4, PARENTS)
    kind = np.where(rng.random(n) < 0.7, family[link], rng.integers(0, 4, n))
    return {
        "parent": pa.table({"id": np.arange(PARENTS), "wealth": wealth}),
        "shop": pa.table({"id": np.arange(80), "size": size}),
        "child": pa.table(
            {
                "id": np.arange(n),
                "parent": link,
                "shop": shop,
                "value": np.sqrt(0.5) * shared[link] + np.sqrt(0.5) * rng.normal(size=n),
                "kind": np.array(["a", "b", "c", "d"])[kind],
                "copy": 0.8 * wealth[link] + 0.6 * rng.normal(size=n),
                "echo": 0.8 * size[shop] + 0.6 * rng.normal(size=n),
            }
        ),
    }


@pytest.fixture(scope="module")
def schema(planted) -> Metadata:
    """Children have a primary parent and a shop."""
    sdtypes = {"id": "id", "parent": "id", "shop": "id", "kind": "categorical"}
    tables = {
        name: Table(
            name,
            {c: Column(c, sdtypes.get(c, "numerical"), False) for c in table.column_names},
            ("id",),
        )
        for name, table in planted.items()
    }
    return Metadata(
        tables,
        (
            Relationship("child", ("parent",), "parent", ("id",)),
            Relationship("child", ("shop",), "shop", ("id",)),
        ),
    )


@pytest.fixture(scope="module")
def copies(planted, schema):
    """A copy by the copula, and one whose columns are drawn alone: the trivial baseline."""
    return {
        m: HMASynthesizer(schema, row_model=m).fit(planted).sample()
        for m in ("fast", "independent")
    }


def column(tables, table, name):
    """A column as an array."""
    return np.asarray(tables[table][name])


def parent_of(tables, key="parent", parent="parent"):
    """Row number of each child's parent."""
    found = pc.index_in(tables["child"][key], tables[parent]["id"].combine_chunks())
    return np.asarray(found)


def icc(values, link):
    """Intraclass correlation by one-way analysis of variance."""
    counts = np.bincount(link)
    counts_there = counts[counts > 0]
    means = np.bincount(link, values)[counts > 0] / counts_there
    rows, groups = len(values), len(counts_there)
    between = (counts_there * (means - values.mean()) ** 2).sum() / (groups - 1)
    within = ((values**2).sum() - (counts_there * means**2).sum()) / (rows - groups)
    size = (rows - (counts_there**2).sum() / rows) / (groups - 1)
    return (between - within) / (between + (size - 1) * within)


def siblings_agree(tables):
    """Chance that two siblings are of the same kind."""
    codes = np.searchsorted(["a", "b", "c", "d"], tables["child"]["kind"].to_pylist())
    link = parent_of(tables)
    table = np.zeros((PARENTS, 4))
    np.add.at(table, (link, codes), 1)
    n = table.sum(axis=1)
    return (table * (table - 1)).sum() / (n * (n - 1)).sum()


def children(tables):
    """Number of children of each parent."""
    return np.bincount(parent_of(tables), minlength=PARENTS)


def test_the_number_of_children_keeps_its_law(planted, copies):
    """Totals are exact, childless parents within 2 points, and the tail is there."""
    real, made = children(planted), children(copies["fast"])
    assert made.sum() == real.sum()
    assert (made == 0).mean() == pytest.approx((real == 0).mean(), abs=0.02)
    assert stats.ks_2samp(real, made).statistic < 0.03
    assert np.quantile(made, 0.99) == pytest.approx(np.quantile(real, 0.99), rel=0.25)
    assert made.max() <= 1.5 * real.max()


def test_childless_parents_at_other_scales(planted, schema):
    """At half and twice the size as many parents, in share, have no child."""
    model = HMASynthesizer(schema).fit(planted)
    real = (children(planted) == 0).mean()
    for scale in (0.5, 2.0):
        made = model.sample(scale)
        link = parent_of(made)
        counts = np.bincount(link, minlength=len(made["parent"]))
        assert (counts == 0).mean() == pytest.approx(real, abs=0.04)


def test_siblings_are_alike(planted, copies):
    """Half of the intraclass correlation at least comes back, where the baseline has none."""
    real, made, alone = (
        icc(column(t, "child", "value"), parent_of(t))
        for t in (planted, copies["fast"], copies["independent"])
    )
    assert 0.5 * real < made < 1.3 * real
    assert abs(alone) < 0.05


def test_siblings_share_their_kind(planted, copies):
    """Siblings agree in a category more often than chance, as the baseline does not."""
    real, made, alone = (
        siblings_agree(t) for t in (planted, copies["fast"], copies["independent"])
    )
    assert made - alone > 0.3 * (real - alone)


def test_children_follow_their_parent(planted, copies):
    """A parent's column tells of the child's, as strongly as in the data within a fifth."""
    real, made, alone = (
        np.corrcoef(column(t, "child", "copy"), column(t, "parent", "wealth")[parent_of(t)])[0, 1]
        for t in (planted, copies["fast"], copies["independent"])
    )
    assert made == pytest.approx(real, rel=0.2)
    assert abs(alone) < 0.3


def test_children_follow_their_second_parent(planted, copies):
    """The parent that does not make the rows tells of them too."""
    real, made, alone = (
        np.corrcoef(
            column(t, "child", "echo"), column(t, "shop", "size")[parent_of(t, "shop", "shop")]
        )[0, 1]
        for t in (planted, copies["fast"], copies["independent"])
    )
    assert made > 0.7 * real
    assert abs(alone) < 0.2


def test_the_rich_have_more_children(planted, copies):
    """A parent's column tells of its number of children."""
    real, made = (
        stats.spearmanr(column(t, "parent", "wealth"), children(t))[0]
        for t in (planted, copies["fast"])
    )
    busy = [children(t) > 0 for t in (planted, copies["fast"])]
    gap = [
        column(t, "parent", "wealth")[b].mean()
        for t, b in zip((planted, copies["fast"]), busy, strict=True)
    ]
    assert abs(made - real) < 0.1
    assert abs(gap[0] - gap[1]) < 0.3


def test_grandparents_tell_of_grandchildren(rng):
    """What a grandparent has, a grandchild follows: columns are inherited downwards."""
    top, middle = rng.normal(size=300), np.repeat(np.arange(300), 3)
    bottom = np.repeat(np.arange(900), 4)
    tables = {
        "top": pa.table({"id": np.arange(300), "x": top}),
        "middle": pa.table({"id": np.arange(900), "up": middle, "m": rng.normal(size=900)}),
        "bottom": pa.table(
            {"up": bottom, "y": 0.8 * top[middle[bottom]] + 0.6 * rng.normal(size=3600)}
        ),
    }
    sdtypes = {"id": "id", "up": "id"}
    metadata = Metadata(
        {
            n: Table(
                n,
                {c: Column(c, sdtypes.get(c, "numerical"), False) for c in t.column_names},
                ("id",) if "id" in t.column_names else (),
            )
            for n, t in tables.items()
        },
        (
            Relationship("middle", ("up",), "top", ("id",)),
            Relationship("bottom", ("up",), "middle", ("id",)),
        ),
    )
    made = HMASynthesizer(metadata).fit(tables).sample()
    middles = np.asarray(pc.index_in(made["bottom"]["up"], made["middle"]["id"].combine_chunks()))
    tops = np.asarray(pc.index_in(made["middle"]["up"], made["top"]["id"].combine_chunks()))
    x, y = np.asarray(made["top"]["x"])[tops[middles]], np.asarray(made["bottom"]["y"])
    assert np.corrcoef(x, y)[0, 1] > 0.6


@pytest.mark.parametrize("total", [0, 1, 50, 333, 1000])
@pytest.mark.parametrize("most", [None, 4])
def test_calibrated_counts_add_up(rng, total, most):
    """Counts are whole, in their bounds, and sum to exactly what is asked."""
    wanted = np.where(rng.random(300) < 0.5, 0, rng.gamma(2, 2, 300))
    counts = calibrate(wanted, total, rng, most)
    assert counts.sum() == total
    assert counts.min() >= 0
    assert most is None or counts.max() <= most


def test_matching_fills_every_slot(rng):
    """Each place is used once, and like goes to like."""
    slots = np.repeat(np.arange(100), rng.integers(0, 9, 100))
    traits = rng.normal(size=(100, 2))
    wanted = traits[rng.permutation(slots)] + 0.1 * rng.normal(size=(len(slots), 2))
    chosen = match(wanted, slots, traits, rng)
    assert np.array_equal(np.sort(chosen), slots)
    assert np.corrcoef(wanted[:, 0], traits[chosen, 0])[0, 1] > 0.9
    assert np.array_equal(np.sort(match(wanted[:, :0], slots, traits, rng)), slots)
