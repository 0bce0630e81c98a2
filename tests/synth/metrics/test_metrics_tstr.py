"""Train on synthetic, test on real."""

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.synth.metrics.sources import MetricsError
from prefect_synth.synth.metrics.tstr import tstr

METADATA = Metadata(
    {
        "regions": Table(
            "regions", {"id": Column("id", "id"), "rent": Column("rent", "numerical")}
        ),
        "flats": Table(
            "flats",
            {
                "region": Column("region", "id"),
                "size": Column("size", "numerical"),
                "price": Column("price", "numerical"),
                "dear": Column("dear", "categorical"),
            },
        ),
    },
    (Relationship("flats", ("region",), "regions", ("id",)),),
)


def flats(seed):
    """Flats whose price follows their size and their region's rent."""
    rng = np.random.default_rng(seed)
    rent, region, size = rng.normal(size=80), rng.integers(0, 80, 1_500), rng.normal(size=1_500)
    price = rent[region] + size + rng.normal(size=1_500) / 4
    dear = np.where(price > 1, "dear", "cheap")
    return {
        "regions": pa.table({"id": np.arange(80), "rent": rent}),
        "flats": pa.table({"region": region, "size": size, "price": price, "dear": dear}),
    }


def shuffled(tables, column):
    """Flats with one column drawn by itself."""
    table = tables["flats"]
    order = pa.array(np.random.default_rng(9).permutation(table.num_rows))
    at = table.column_names.index(column)
    return {**tables, "flats": table.set_column(at, column, table[column].take(order))}


def test_a_second_sample_teaches_as_much():
    """Numbers are predicted as well from another sample, by the parent's column too."""
    score = tstr(flats(0), flats(1), flats(2), METADATA.subset(METADATA.tables), "flats.size")
    assert score.metric == "r2"
    assert score.train_on_synthetic == pytest.approx(score.train_on_real, abs=0.05)


def test_a_target_drawn_alone_teaches_nothing():
    """From classes shuffled among rows nothing is learned: one half."""
    score = tstr(flats(0), shuffled(flats(1), "dear"), flats(2), METADATA, "flats.dear")
    assert score.metric == "roc_auc"
    assert score.train_on_synthetic == pytest.approx(0.5, abs=0.1)
    assert score.train_on_real > 0.95


def test_parents_teach():
    """Where the region's rent is wiped, the price is told less well."""
    plain = {**flats(1), "regions": flats(1)["regions"].set_column(1, "rent", pa.array([0.0] * 80))}
    with_dear = METADATA.with_table(
        Table("flats", {n: c for n, c in METADATA.tables["flats"].columns.items() if n != "dear"})
    )
    score = tstr(flats(0), plain, flats(2), with_dear, "flats.price")
    assert score.train_on_synthetic < score.train_on_real - 0.2


def test_one_class_teaches_nothing():
    """A target that is constant among synthetic rows has no score there."""
    flat = flats(1)["flats"].set_column(3, "dear", pa.array(["dear"] * 1_500))
    score = tstr(flats(0), {**flats(1), "flats": flat}, flats(2), METADATA, "flats.dear")
    assert score.train_on_synthetic is None


def test_classes_never_learned_count_as_chance():
    """A class that only the holdout has is told by chance, and lowers both scores alike."""
    dear = pa.array(
        np.where(np.arange(1_500) % 3 == 0, "new", flats(2)["flats"]["dear"].to_numpy(False))
    )
    unseen = {**flats(2), "flats": flats(2)["flats"].set_column(3, "dear", dear)}
    score = tstr(flats(0), flats(1), unseen, METADATA, "flats.dear")
    assert score.train_on_real < 0.9


@pytest.mark.parametrize("target", ["flats.region", "flats.none", "price"])
def test_what_cannot_be_predicted_is_said(target):
    """A key, a missing column or a name without a table is an error that names it."""
    with pytest.raises(MetricsError, match=target):
        tstr(flats(0), flats(1), flats(2), METADATA, target)
