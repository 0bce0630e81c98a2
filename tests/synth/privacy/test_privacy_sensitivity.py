"""Sensitivities: a unit more or less moves no number by more than its noise is made for.

A model is fitted twice, with and without one unit, and what every mechanism was given is compared.
Mechanisms that come later depend on what earlier ones gave, so the second fit is given what the
first one was.
"""

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.synth.privacy import extending, fitting
from prefect_synth.synth.privacy.noise import Noise
from prefect_synth.synth.privacy.settings import DifferentialPrivacy

PEOPLE = 300
HEAVY = 7
PRIVACY = DifferentialPrivacy(
    2.0,
    rows_per_unit=6,
    rows={"items": 9},
    bounds={"people.age": (0, 110), "orders.amount": (0, 100), "items.line": (1, 4)},
    categories={"people.kind": ("a", "b", "c"), "orders.what": ("x", "y", "z", "w")},
    noise_seed=4,
)


def schema():
    """People, their orders, the items of these, and a public table of countries."""
    whole = {"nullable": False}
    people = {
        "id": Column("id", "id", **whole),
        "kind": Column("kind", **whole),
        "age": Column("age", "numerical"),
    }
    orders = {
        "id": Column("id", "id", **whole),
        "person": Column("person", "id", **whole),
        "country": Column("country", "id", **whole),
        "amount": Column("amount", "numerical", **whole),
        "what": Column("what"),
    }
    items = {
        "order_id": Column("order_id", "id", **whole),
        "line": Column("line", "numerical", **whole),
        "sent": Column("sent", "boolean"),
    }
    return Metadata(
        {
            "people": Table("people", people, ("id",)),
            "orders": Table("orders", orders, ("id",)),
            "items": Table("items", items),
            "countries": Table("countries", {"code": Column("code", "id", **whole)}, ("code",)),
        },
        (
            Relationship("orders", ("person",), "people", ("id",)),
            Relationship("orders", ("country",), "countries", ("code",)),
            Relationship("items", ("order_id",), "orders", ("id",)),
        ),
    )


def tables(without=None):
    """All rows, or those that do not hang on one person."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(2, PEOPLE)
    counts[HEAVY] = 40
    owner = np.repeat(np.arange(PEOPLE), counts)
    n, order = len(owner), np.repeat(np.arange(len(owner)), 3)
    found = {
        "people": pa.table(
            {
                "id": np.arange(PEOPLE),
                "kind": np.array(["a", "b", "c"])[rng.integers(0, 3, PEOPLE)],
                "age": pa.array(rng.integers(0, 110, PEOPLE), mask=rng.random(PEOPLE) < 0.1),
            }
        ),
        "orders": pa.table(
            {
                "id": np.arange(n),
                "person": owner,
                "country": np.array(["de", "fr"])[rng.integers(0, 2, n)],
                # the heavy person is alike in all orders, which moves a histogram the most
                "amount": np.where(owner == HEAVY, 99, rng.integers(0, 100, n)),
                "what": pa.array(
                    np.where(owner == HEAVY, "w", np.array(["x", "y", "z"])[rng.integers(0, 3, n)]),
                    mask=(rng.random(n) < 0.1) & (owner != HEAVY),
                ),
            }
        ),
        "items": pa.table(
            {
                "order_id": order,
                "line": np.tile([1, 2, 3], n),
                "sent": pa.array(rng.random(len(order)) < 0.5, mask=rng.random(len(order)) < 0.2),
            }
        ),
        "countries": pa.table({"code": ["de", "fr"]}),
    }
    if without is None:
        return found
    gone = np.flatnonzero(owner == without)
    left = {
        "people": np.asarray(found["people"]["id"]) != without,
        "orders": owner != without,
        "items": ~np.isin(order, gone),
    }
    return found | {name: found[name].filter(pa.array(keep)) for name, keep in left.items()}


def given(data, monkeypatch, answers=None):
    """What every mechanism is given and gives, in a fit: numbers, sensitivity, noised numbers."""
    calls = []

    class Watched(Noise):
        def gaussian(self, numbers, sensitivity, rho):
            noised = super().gaussian(numbers, sensitivity, rho)
            noised = noised if answers is None else answers[len(calls)][2]
            calls.append((np.array(numbers, float), sensitivity, noised))
            return noised

    for module in (extending, fitting):
        monkeypatch.setattr(module, "Noise", Watched)
    HMASynthesizer(schema(), keep=["countries"], privacy=PRIVACY).fit(data)
    return calls


@pytest.mark.parametrize("unit", [HEAVY, 0, 123])
def test_no_unit_moves_what_is_noised_by_more_than_the_sensitivity(monkeypatch, unit):
    """Rows, columns, numbers of children, references, and the moments of every table."""
    whole = given(tables(), monkeypatch)
    without = given(tables(unit), monkeypatch, whole)
    assert len(whole) == len(without)
    assert [sensitivity for _, sensitivity, _ in whole] == [s for _, s, _ in without]
    rows, columns, children, references, moments = 3, 6, 2, 1, 3
    assert len(whole) == rows + columns + children + references + moments
    moved = [np.linalg.norm(a - b) / s for (a, s, _), (b, _, _) in zip(whole, without, strict=True)]
    assert max(moved) <= 1 + 1e-9


def test_the_heaviest_unit_moves_counts_by_all_that_it_may(monkeypatch):
    """The sensitivity is not larger than it need be: noise is not wasted."""
    whole = given(tables(), monkeypatch)
    without = given(tables(HEAVY), monkeypatch, whole)
    moved = [np.linalg.norm(a - b) / s for (a, s, _), (b, _, _) in zip(whole, without, strict=True)]
    assert sum(m == pytest.approx(1.0) for m in moved) >= 6
