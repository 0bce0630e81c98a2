"""A nightly job: forget what was bought long ago. It is given an address and connects by itself."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import create_engine, delete, select

from shop.tables import basket_items, baskets


def forget(url: str, before: dt.datetime) -> int:
    """Delete the baskets from before a moment, with all that is in them; how many there were."""
    engine = create_engine(url)
    old = select(baskets.c.basket_id).where(baskets.c.purchased_at < before)
    try:
        with engine.begin() as connection:
            connection.execute(delete(basket_items).where(basket_items.c.basket_id.in_(old)))
        with engine.begin() as connection:
            return connection.execute(
                delete(baskets).where(baskets.c.purchased_at < before)
            ).rowcount
    finally:
        engine.dispose()
