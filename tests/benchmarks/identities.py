"""Identities that hold on every real row of `nyc20k`, asked of synthetic rows."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

# New York's summer time of 2013: the clock is 4 hours behind UTC, else 5
SUMMER = (pd.Timestamp("2013-03-10 02:00"), pd.Timestamp("2013-11-03 02:00"))
MINUTES_OF_A_DAY = 1440


def identities(folder: Path) -> dict[str, float]:
    """The share of flights on which each identity holds; `identities` is the smallest.

    `one distance a route` is beside them and not among them: two real routes have two distances.
    """
    flights = pd.read_parquet(folder / "flights.parquet")
    clocks = flights[["dep_time", "sched_dep_time", "arr_time", "sched_arr_time"]]
    found = {
        "hour*100 + minute = sched_dep_time": flights["hour"] * 100 + flights["minute"]
        == flights["sched_dep_time"],
        "time_hour = month, day, hour": _time_hour(flights),
        "dep_delay by the clock": _delay(flights, "dep"),
        "arr_delay by the clock": _delay(flights, "arr"),
        "clock times exist": (clocks.isna() | ((clocks % 100 < 60) & (clocks <= 2400))).all(axis=1),
        "nulls go together": _nulls(flights),
    }
    shares = {name: float(holds.mean()) for name, holds in found.items()}
    route = flights.groupby(["origin", "dest"])["distance"]
    usual = route.transform(lambda d: d.value_counts().index[0])
    one = {"one distance a route": float((flights["distance"] == usual).mean())}
    return {"identities": min(shares.values()), **shares, **one}


def _time_hour(flights: pd.DataFrame) -> pd.Series:
    parts = {name: flights[name] for name in ("month", "day", "hour")}
    local = pd.to_datetime({"year": 2013, **parts}, errors="coerce")
    summer = (local >= SUMMER[0]) & (local < SUMMER[1])
    hours = pd.to_timedelta(summer.map({True: 4, False: 5}), unit="h")
    return pd.to_datetime(flights["time_hour"]) == local + hours


def _delay(flights: pd.DataFrame, side: str) -> pd.Series:
    """A delay is the time less the scheduled time, whatever day they fall on."""
    time, scheduled = _minutes(flights[f"{side}_time"]), _minutes(flights[f"sched_{side}_time"])
    delay = flights[f"{side}_delay"]
    known = time.notna() & delay.notna()
    return ~known | ((time - scheduled - delay) % MINUTES_OF_A_DAY == 0)


def _minutes(clock: pd.Series) -> pd.Series:
    return clock // 100 * 60 + clock % 100


def _nulls(flights: pd.DataFrame) -> pd.Series:
    """A flight that did not leave has no delay and did not arrive; one that did not arrive..."""
    gone = {name: flights[name].isna() for name in flights.columns}
    return (
        (gone["dep_time"] == gone["dep_delay"])
        & (gone["arr_delay"] == gone["air_time"])
        & (~gone["dep_time"] | gone["arr_time"])
        & (~gone["arr_time"] | gone["arr_delay"])
    )
