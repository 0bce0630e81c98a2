"""The drift as a table for Prefect's interface."""

from __future__ import annotations

from prefect_synth.tasks.drift.changes import Change, Drift
from prefect_synth.tasks.drift.table import drift_markdown

HELD = Change(
    kind="column_added", table="customers", column="ssn", new="VARCHAR", policy="quarantine",
    effect="held", since="2026-11-20T02:30:00+00:00",
)  # fmt: skip
FOLLOWED = Change(kind="table_dropped", table="visits", old="3 columns")
BLOCKS = Change(kind="type_changed", table="orders", column="id", policy="block", effect="blocks")


def test_what_blocks_comes_first_and_what_is_followed_last() -> None:
    """A person on call reads from the top."""
    text = drift_markdown(Drift(changes=(FOLLOWED, HELD, BLOCKS), baseline="synth.lock"), "Drift")
    places = [line.split("|")[1].strip(" `") for line in text.splitlines() if "`" in line[:3]]
    assert places == ["orders.id", "customers.ssn", "visits"]
    assert "**3 changes: 1 blocks, 1 held, 1 followed.** Compared with `synth.lock`." in text


def test_a_line_says_what_moved_what_comes_of_it_and_since_when() -> None:
    """Place, kind, before, now, policy, effect and day."""
    line = (
        "| `customers.ssn` | column added | - | VARCHAR | quarantine | "
        "held: published as NULL | 2026-11-20 |"
    )
    assert line in drift_markdown(Drift(changes=(HELD,)), "Drift")


def test_only_what_waits_for_a_decision_is_to_be_accepted() -> None:
    """What is followed asks for nothing."""
    accept = "prefect-synth drift accept "
    assert f"{accept}customers.ssn`" in drift_markdown(Drift(changes=(FOLLOWED, HELD)), "Drift")
    assert accept not in drift_markdown(Drift(changes=(FOLLOWED,)), "Drift")


def test_no_drift_is_said_as_well() -> None:
    """The artifact of a quiet night does not show what moved weeks ago."""
    assert "**Nothing moved.**" in drift_markdown(Drift(baseline="first refresh"), "Drift")
