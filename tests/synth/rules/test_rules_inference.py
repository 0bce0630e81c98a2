"""Rules are found where they hold on every row and say something, and only there."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.rules.inference import infer_rules

N = 2000


def texts(table: pa.Table) -> list[str]:
    """The rules of a table alone, as the project file has them."""
    metadata = Metadata.from_tables({"t": table})
    return infer_rules(metadata, {"t": table}).of("t").texts()


def numbers(seed: int = 0, **ranges: tuple[int, int]) -> dict[str, np.ndarray]:
    """Independent columns of whole numbers."""
    rng = np.random.default_rng(seed)
    return {name: rng.integers(low, high, N) for name, (low, high) in ranges.items()}


def test_independent_columns_obey_nothing():
    """Nothing is found in columns that have nothing to do with each other."""
    columns = numbers(a=(0, 50), b=(0, 50), c=(0, 3), d=(0, 1000))
    assert texts(pa.table({**columns, "x": np.random.default_rng(1).normal(size=N)})) == []


def test_a_unit_split_is_found():
    """An hour and a minute make a clock; the clock is computed, for its parts are smaller."""
    columns = numbers(hour=(5, 23), minute=(0, 60))
    columns["clock"] = columns["hour"] * 100 + columns["minute"]
    assert texts(pa.table(columns)) == ["clock = 100 * hour + minute"]


def test_a_difference_is_turned_into_a_sum():
    """Of net = gross - discount the gross is computed: so nothing can become negative."""
    columns = numbers(discount=(0, 500), net=(0, 90_000))
    table = pa.table(
        {
            "gross": pa.array((columns["discount"] + columns["net"]) / 100),
            "discount": pa.array(columns["discount"] / 100),
            "net": pa.array(columns["net"] / 100),
        }
    )
    assert texts(table) == ["gross = discount + net"]


def test_a_wide_sum_is_found():
    """A total of five columns is found as a whole."""
    columns = numbers(a=(0, 90), b=(0, 80), c=(0, 70), d=(0, 60), e=(0, 50))
    table = pa.table({**columns, "total": sum(columns.values())})
    assert texts(table) == ["total = a + b + c + d + e"]


def test_another_unit_is_found():
    """Cents are a hundred times euros."""
    cents = numbers(cents=(0, 100_000))["cents"]
    assert texts(pa.table({"euros": cents / 100, "cents": cents})) == ["cents = 100 * euros"]


def test_a_rounded_product_is_found():
    """A total is a quantity times a price, to the cent, in floats and in decimals."""
    columns = numbers(quantity=(1, 20), price=(100, 9999))
    total = columns["quantity"] * columns["price"]
    decimals = [
        pa.array([Decimal(int(v)).scaleb(-2) for v in c]) for c in (columns["price"], total)
    ]
    floats = [pa.array(c / 100) for c in (columns["price"], total)]
    for price, whole in (decimals, floats):
        table = pa.table({"quantity": columns["quantity"], "price": price, "total": whole})
        assert texts(table) == ["total = quantity * price"]


def test_a_discounted_product_is_found():
    """A factor may be one less a share."""
    columns = numbers(price=(100, 9999), discount=(0, 30))
    paid = np.floor(columns["price"] * (100 - columns["discount"]) / 100 + 0.5) / 100
    table = pa.table(
        {"price": columns["price"] / 100, "discount": columns["discount"] / 100, "paid": paid}
    )
    assert texts(table) == ["paid = round(price * (1 - discount), 2)"]


def test_clocks_are_moved_past_midnight():
    """A departure is its schedule and a delay, modulo a day; midnight is 2400."""
    rng = np.random.default_rng(0)
    planned, delay = rng.integers(0, 1440, N), rng.integers(-30, 300, N)
    moved = (planned + delay) % 1440
    moved[0], planned[0], delay[0] = 0, 0, 0
    clock = np.where(moved == 0, 2400, moved // 60 * 100 + moved % 60)
    table = pa.table({"planned": planned // 60 * 100 + planned % 60, "delay": delay, "left": clock})
    assert texts(table) == ["clock(planned)", "left = clock(planned + delay)"]


def test_a_datetime_of_parts_is_found_in_another_zone():
    """Local parts make a datetime in UTC, with the day on which the clock changes."""
    rng = np.random.default_rng(0)
    start = np.datetime64("2013-01-01T00", "h")
    local = start + np.sort(rng.integers(0, 365 * 24, N))
    summer = (local >= np.datetime64("2013-03-31T00")) & (local < np.datetime64("2013-10-27T00"))
    moment = local - np.where(summer, 2, 1).astype("timedelta64[h]")
    parts = local.astype(object)
    table = pa.table(
        {
            "month": [p.month for p in parts],
            "day": [p.day for p in parts],
            "hour": [p.hour for p in parts],
            "at": pa.array(moment.astype("datetime64[us]"), pa.timestamp("us", tz="UTC")),
        }
    )
    assert texts(table) == [
        "valid_date(2013, month, day)",
        "at = datetime(2013, month, day, hour) -1h until 2013-03-31T00:00:00, "
        "-2h until 2013-10-27T00:00:00, -1h",
    ]


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (lambda d: d.year, "part = year(day)"),
        (lambda d: d.month, "part = month(day)"),
        (lambda d: (d.month + 2) // 3, "part = quarter(day)"),
        (lambda d: d.isoweekday(), "part = weekday(day) + 1"),
        (lambda d: (d - dt.date(2015, 1, 1)).days // 7 + 1, "part = week(day, 0) - 2347"),
    ],
)
def test_parts_of_a_date_are_found(part, text):
    """A year, month, quarter, weekday or running week is computed from its date."""
    rng = np.random.default_rng(0)
    days = [dt.date(2015, 1, 1) + dt.timedelta(int(d)) for d in rng.integers(0, 1500, N)]
    assert texts(pa.table({"day": days, "part": [part(d) for d in days]})) == [text]


def test_a_dependency_is_found_with_the_fewest_determinants():
    """A city determines its country, whatever else stands beside it; a text, its number."""
    rng = np.random.default_rng(0)
    city, other = rng.integers(0, 40, N), rng.integers(0, 3, N)
    table = pa.table(
        {
            "city": [f"c{v}" for v in city],
            "other": [f"o{v}" for v in other],
            "country": [f"k{v % 7}" for v in city],
        }
    )
    assert texts(table) == ["city -> country"]


def test_two_columns_determine_a_third_together():
    """Neither origin nor destination alone tells the distance, both do."""
    columns = numbers(origin=(0, 5), dest=(0, 20))
    distance = np.random.default_rng(5).integers(100, 3000, (5, 20))
    far = distance[columns["origin"], columns["dest"]]
    names = {c: [f"{c}{v}" for v in values] for c, values in columns.items()}
    assert texts(pa.table({**names, "distance": far})) == ["origin, dest -> distance"]


def test_slips_of_the_data_do_not_hide_a_dependency():
    """One wrong distance in 2000 rows is a slip; a rare event that no key tells is none."""
    city = np.random.default_rng(0).integers(0, 40, N)
    country = np.array([f"k{v % 7}" for v in city])
    country[17] = "k0" if country[17] != "k0" else "k1"
    fraud = np.zeros(N, bool)
    fraud[[3, 700]] = True
    table = pa.table({"city": [f"c{v}" for v in city], "country": country, "fraud": fraud})
    assert texts(table) == ["city -> country"]


def test_a_fingerprint_of_rows_is_no_dependency():
    """A nearly unique column determines everything, and means nothing."""
    columns = numbers(weight=(0, 10**6), age=(17, 90))
    assert texts(pa.table({**columns, "sex": columns["weight"] % 2 == 0})) == []


def test_an_order_of_dates_is_found():
    """An end is never before its start."""
    rng = np.random.default_rng(0)
    start = [dt.date(2020, 1, 1) + dt.timedelta(int(d)) for d in rng.integers(0, 900, N)]
    end = [s + dt.timedelta(int(d)) for s, d in zip(start, rng.integers(0, 60, N), strict=True)]
    assert texts(pa.table({"start": start, "end": end})) == ["start <= end"]


def test_columns_that_never_meet_are_in_no_order():
    """That a month is below an income says nothing."""
    assert texts(pa.table(numbers(month=(1, 13), income=(1000, 9000)))) == []


def test_a_one_hot_group_is_found():
    """Columns of which exactly one is true are one choice."""
    choice = numbers(choice=(0, 4))["choice"]
    table = pa.table({f"is_{k}": choice == k for k in range(4)})
    assert set(texts(table)) == {"one_of(is_0, is_1, is_2, is_3)"}


def test_a_constant_is_found():
    """A column of one value is constant; one of nulls and a value is not."""
    table = pa.table({"a": ["x"] * N, "b": ["y", None] * (N // 2)})
    assert texts(table) == ["constant(a)"]


def test_small_tables_obey_nothing():
    """Ten rows are no evidence."""
    assert texts(pa.table({"a": list(range(10)), "b": list(range(0, 20, 2))})) == []
