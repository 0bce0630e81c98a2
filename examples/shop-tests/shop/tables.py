"""The tables of the shop's database, as far as this application uses them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
)

metadata = MetaData()

households = Table("households", metadata, Column("household_id", Integer, primary_key=True))

baskets = Table(
    "baskets",
    metadata,
    Column("basket_id", BigInteger, primary_key=True),
    Column("household_id", Integer),
    Column("purchased_at", DateTime),
)

basket_items = Table(
    "basket_items",
    metadata,
    Column("item_id", Integer, primary_key=True),
    Column("basket_id", BigInteger),
    Column("product_id", Integer),
    Column("quantity", Integer),
    Column("sales_value", Numeric(10, 2)),
)

products = Table(
    "products",
    metadata,
    Column("product_id", Integer, primary_key=True),
    Column("department", String),
)

campaigns = Table(
    "campaigns",
    metadata,
    Column("campaign_id", SmallInteger, primary_key=True),
    Column("start_date", Date),
    Column("end_date", Date),
)

coupons = Table(
    "coupons",
    metadata,
    Column("coupon_upc", BigInteger, primary_key=True),
    Column("campaign_id", SmallInteger, primary_key=True),
)

coupon_redemptions = Table(
    "coupon_redemptions",
    metadata,
    Column("redemption_id", Integer, primary_key=True),
    Column("household_id", Integer),
    Column("coupon_upc", BigInteger),
    Column("campaign_id", SmallInteger),
    Column("redemption_date", Date),
)
