"""Questions about sales."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import Connection, desc, func, select

from shop.tables import basket_items, baskets, households, products


def spending(connection: Connection) -> dict[int, Decimal]:
    """What each household spent, households that bought nothing included."""
    total = func.coalesce(func.sum(basket_items.c.sales_value), 0)
    query = (
        select(households.c.household_id, total)
        .outerjoin(baskets, baskets.c.household_id == households.c.household_id)
        .outerjoin(basket_items, basket_items.c.basket_id == baskets.c.basket_id)
        .group_by(households.c.household_id)
    )
    found = connection.execute(query)
    return {household: Decimal(str(spent)) for household, spent in found}


def best_departments(connection: Connection, most: int) -> list[str]:
    """The departments that sold most, the best first."""
    sold = func.sum(basket_items.c.sales_value)
    query = (
        select(products.c.department)
        .join(basket_items, basket_items.c.product_id == products.c.product_id)
        .group_by(products.c.department)
        .order_by(desc(sold), products.c.department)
        .limit(most)
    )
    return list(connection.scalars(query))
