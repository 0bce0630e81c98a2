"""Coupons: the code under test commits, and the next test finds the data as they were."""

import datetime as dt

import pytest
from shop.coupons import CouponRefusedError, redeem
from shop.tables import coupon_redemptions
from sqlalchemy import func, select


@pytest.fixture
def coupon(synth_tables):
    """A coupon that a household has not redeemed, and a day of its campaign."""
    campaigns = {row["campaign_id"]: row for row in synth_tables["campaigns"].to_pylist()}
    redeemed = {
        (row["household_id"], row["coupon_upc"], row["campaign_id"])
        for row in synth_tables["coupon_redemptions"].to_pylist()
    }
    return next(
        {
            "household": household,
            "coupon": row["coupon_upc"],
            "campaign": row["campaign_id"],
            "day": campaigns[row["campaign_id"]]["start_date"],
        }
        for row in synth_tables["coupons"].to_pylist()
        for household in synth_tables["households"]["household_id"].to_pylist()
        if (household, row["coupon_upc"], row["campaign_id"]) not in redeemed
    )


def redemptions(engine):
    """How many there are."""
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(coupon_redemptions))


def test_a_coupon_is_redeemed_once(synth_engine, synth_tables, coupon):
    """The second time it is refused; the first is in the database."""
    before = len(synth_tables["coupon_redemptions"])
    redeem(synth_engine, **coupon)
    with pytest.raises(CouponRefusedError, match="before"):
        redeem(synth_engine, **coupon)
    assert redemptions(synth_engine) == before + 1


def test_nothing_is_left_for_the_next_test(synth_engine, synth_tables):
    """Whatever order tests run in, each finds the snapshot."""
    assert redemptions(synth_engine) == len(synth_tables["coupon_redemptions"])


@pytest.mark.parametrize(
    ("change", "said"),
    [({"coupon": 1}, "no coupon 1"), ({"day": dt.date(1999, 1, 1)}, "does not run")],
)
def test_others_are_refused(synth_engine, coupon, change, said):
    """Unknown coupons, and those of another time."""
    with pytest.raises(CouponRefusedError, match=said):
        redeem(synth_engine, **{**coupon, **change})
