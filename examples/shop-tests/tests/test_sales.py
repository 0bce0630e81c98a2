"""Sales, asked of the database and counted by hand."""

from shop.sales import best_departments, spending


def test_every_household_is_counted(synth_connection, synth_tables):
    """Those without a basket have spent nothing; all together spent what was sold."""
    spent = spending(synth_connection)
    assert set(spent) == set(synth_tables["households"]["household_id"].to_pylist())
    assert sum(spent.values()) == sum(synth_tables["basket_items"]["sales_value"].to_pylist())


def test_the_best_department_comes_first(synth_connection, synth_tables):
    """As pandas finds it."""
    items, products = (synth_tables.pandas(name) for name in ("basket_items", "products"))
    items["sales_value"] = items["sales_value"].astype(float)
    sold = items.merge(products).groupby("department")["sales_value"].sum()
    assert best_departments(synth_connection, 1) == [sold.idxmax()]
    assert len(best_departments(synth_connection, 3)) == min(3, len(sold))
