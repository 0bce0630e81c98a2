"""Old data do not pass for tonight's."""

from datetime import UTC, datetime, timedelta

from prefect_synth.expectations.freshness import check_freshness

NOW = datetime(2026, 11, 28, 3, tzinfo=UTC)


def statuses(hours: float, limit: float | None = 24, last: float | None = None) -> list[str]:
    """What is said of rows that were read so many hours ago."""
    before = None if last is None else NOW - timedelta(hours=last)
    return [c.status for c in check_freshness(NOW - timedelta(hours=hours), NOW, limit, before)]


def test_rows_of_tonight_are_fresh() -> None:
    """An hour old, and newer than yesterday's."""
    assert statuses(1, last=25) == ["passed", "passed"]


def test_rows_of_yesterday_are_stale() -> None:
    """More than the limit fails."""
    assert statuses(25) == ["failed"]


def test_rows_older_than_the_published_ones_are_stale() -> None:
    """Readers never go back in time."""
    assert statuses(3, last=2) == ["passed", "failed"]


def test_no_limit_asks_nothing() -> None:
    """Where age does not matter there is no check."""
    assert statuses(1000, limit=None) == []


def test_the_message_says_how_old() -> None:
    """Found and required, in hours."""
    (check,) = check_freshness(NOW - timedelta(hours=30), NOW, 24, None)
    assert str(check) == "snapshot: fresh data failed: 30.000, rows read at most 24 hours ago"
