"""Redeeming coupons: each household once a coupon, while its campaign runs."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Engine, func, insert, select

from shop.tables import campaigns, coupon_redemptions, coupons


class CouponRefusedError(Exception):
    """The coupon does not count; the message says why."""


def redeem(engine: Engine, household: int, coupon: int, campaign: int, day: dt.date) -> int:
    """Redeem a coupon, and return the number of the redemption.

    Raises:
        CouponRefusedError: It is unknown, was redeemed before, or its campaign does not run.
    """
    redeemed = coupon_redemptions.c
    with engine.begin() as connection:
        period = connection.execute(
            select(campaigns.c.start_date, campaigns.c.end_date)
            .join(coupons, coupons.c.campaign_id == campaigns.c.campaign_id)
            .where(coupons.c.coupon_upc == coupon, coupons.c.campaign_id == campaign)
        ).one_or_none()
        if period is None:
            raise CouponRefusedError(f"Campaign {campaign} has no coupon {coupon}.")
        if not period.start_date <= day <= period.end_date:
            raise CouponRefusedError(f"Campaign {campaign} does not run on {day}.")
        before = select(redeemed.redemption_id).where(
            redeemed.household_id == household,
            redeemed.coupon_upc == coupon,
            redeemed.campaign_id == campaign,
        )
        if connection.execute(before).first():
            raise CouponRefusedError(f"Household {household} has redeemed coupon {coupon} before.")
        last = connection.scalar(select(func.max(redeemed.redemption_id))) or 0
        connection.execute(
            insert(coupon_redemptions).values(
                redemption_id=last + 1,
                household_id=household,
                coupon_upc=coupon,
                campaign_id=campaign,
                redemption_date=day,
            )
        )
        return last + 1
