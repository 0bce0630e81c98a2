"""What a watch remembers: every change is told once for each time that it comes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from prefect_synth.tasks.drift.changes import Change, Drift
from prefect_synth.tasks.reported import Memory, Reported, change_key

NOW = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)
COLUMNS = [Change(kind="column_added", table="people", column=c, new="text") for c in "abcd"]
VOLUME = Change(kind="volume_jumped", table="people", old="100", new="251")


def after(known: Reported, *standing: Change, told: Iterable[Change] = (), data: bool = False):
    """What is known after a look that found these changes."""
    return known.after(Drift(changes=standing), list(told), data, NOW)


@given(st.lists(st.tuples(st.sets(st.sampled_from(range(4))), st.booleans()), max_size=12))
def test_a_change_is_told_once_each_time_it_comes(looks: list[tuple[set[int], bool]]) -> None:
    """However changes come and go, and however often a delivery fails, which writes nothing."""
    known, told = Reported(), set()
    for standing, delivered in looks:
        changes = [COLUMNS[i] for i in sorted(standing)]
        untold = known.untold(Drift(changes=tuple(changes)))
        assert {change_key(c) for c in untold} == {change_key(COLUMNS[i]) for i in standing - told}
        if delivered:
            known = after(known, *changes, told=untold)
            told = standing


def test_what_differs_is_another_change() -> None:
    """Another type, or another policy, is told again."""
    column = COLUMNS[0]
    others = [column.model_copy(update=u) for u in ({"new": "int"}, {"policy": "block"})]
    assert len({change_key(c) for c in (column, *others)}) == 3


def test_when_it_was_seen_and_what_comes_of_it_count_for_nothing() -> None:
    """The same change is the same on every day."""
    later = COLUMNS[0].model_copy(update={"since": "2026-11-21", "effect": "held"})
    assert change_key(later) == change_key(COLUMNS[0])


def test_how_far_rows_moved_counts_for_nothing() -> None:
    """A volume that jumped is another number at every look."""
    assert change_key(VOLUME.model_copy(update={"new": "252"})) == change_key(VOLUME)


def test_what_rows_showed_stands_until_they_are_compared_again() -> None:
    """A look at the catalogue alone knows nothing of them."""
    known = after(Reported(), VOLUME, told=[VOLUME], data=True)
    by_catalogue = after(known)
    assert by_catalogue.untold(Drift(changes=(VOLUME,))) == ()
    assert after(by_catalogue, data=True).untold(Drift(changes=(VOLUME,))) == (VOLUME,)


def test_rows_are_due_by_the_clock() -> None:
    """At once where they never were compared, and then so many hours later."""
    known = after(Reported(), data=True)
    assert Reported().due(24, NOW)
    assert not known.due(24, NOW + timedelta(hours=23))
    assert known.due(24, NOW + timedelta(hours=24))


def test_what_is_gone_is_counted() -> None:
    """People are told how much was taken back."""
    known = after(Reported(), *COLUMNS, told=COLUMNS)
    assert known.gone(Drift(changes=tuple(COLUMNS[:1])), data=False) == 3


def test_memory_outlives_the_process_and_damage_forgets(tmp_path: Path) -> None:
    """A damaged file tells everything again, rather than nothing."""
    memory = Memory(tmp_path / "watch.json")
    known = after(Reported(), VOLUME, told=[VOLUME], data=True)
    memory.write(known)
    assert memory.read() == known
    (tmp_path / "watch.json").write_text('{"changes": {')
    assert memory.read() == Reported()
