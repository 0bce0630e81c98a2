"""A job that connects by itself gets a database of the test's own to change as it likes."""

import datetime as dt

from shop.retention import forget


def test_old_baskets_are_forgotten(synth_db_copy, synth_tables):
    """As many as the tables have; the second time there are none."""
    moments = sorted(synth_tables["baskets"]["purchased_at"].to_pylist())
    middle = moments[len(moments) // 2]
    assert forget(synth_db_copy, before=middle) == sum(moment < middle for moment in moments)
    assert forget(synth_db_copy, before=middle) == 0


def test_all_can_be_forgotten(synth_db_copy, synth_tables):
    """Each test has a database of its own."""
    tomorrow = dt.datetime(2100, 1, 1)
    assert forget(synth_db_copy, before=tomorrow) == len(synth_tables["baskets"])
