"""Sequences: memory, pace and length."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.synth.metrics.sequences import Sequences, autocorrelation, sequence_scores

COLUMNS = {
    "who": Column("who", "id"),
    "day": Column("day", "numerical"),
    "pulse": Column("pulse", "numerical"),
}


def described(**sequence):
    """Metadata of one table of readings."""
    return Metadata({"readings": Table("readings", COLUMNS, **sequence)})


METADATA = described(sequence_key="who", sequence_index="day")


def readings(seed, memory, length=300, people=40, step=1):
    """Sequences in which each value remembers the last one."""
    rng = np.random.default_rng(seed)
    pulse = np.zeros((people, length))
    for at in range(1, length):
        pulse[:, at] = memory * pulse[:, at - 1] + rng.normal(size=people)
    who, day = np.repeat(np.arange(people), length), np.tile(np.arange(length) * step, people)
    order = rng.permutation(people * length)
    return pa.table({"who": who[order], "day": day[order], "pulse": pulse.ravel()[order]})


def scores(real, synthetic, metadata=METADATA, **bound):
    """The figures of the table of readings."""
    found = sequence_scores({"readings": real}, {"readings": synthetic}, metadata, **bound)
    return found.per_table["readings"]


def test_a_copy_scores_one():
    """A table compared with itself scores 1 in all three, in whatever order its rows stand."""
    table = readings(0, 0.9)
    mixed = table.take(pa.array(np.random.default_rng(1).permutation(table.num_rows)))
    expected = {"autocorrelation": 1.0, "gaps": 1.0, "length": 1.0}
    assert expected == pytest.approx(scores(table, mixed))


def test_a_second_sample_scores_near_one():
    """Sequences of the same process have the same memory."""
    assert scores(readings(0, 0.9), readings(1, 0.9))["autocorrelation"] > 0.98


def test_lost_memory_is_found():
    """Values shuffled among rows have no memory: half of each real autocorrelation is missing."""
    real = readings(0, 0.8)
    order = np.random.default_rng(1).permutation(real.num_rows)
    shuffled = real.set_column(2, "pulse", real["pulse"].take(pa.array(order)))
    expected = 1 - np.mean([0.8**lag for lag in range(1, 6)]) / 2
    assert scores(real, shuffled)["autocorrelation"] == pytest.approx(expected, abs=0.05)


def test_another_pace_is_found():
    """Steps of two days are no steps of one."""
    assert scores(readings(0, 0.5), readings(0, 0.5, step=2))["gaps"] == 0.0


def test_another_length_is_found():
    """Sequences of another length score nothing in length."""
    assert scores(readings(0, 0.5), readings(0, 0.5, length=250))["length"] == 0.0


def test_bounded_draws_take_whole_sequences(tmp_path):
    """A sequence is drawn whole or not at all, from a file as from memory."""
    table = readings(0, 0.9)
    pq.write_table(table, tmp_path / "readings.parquet")
    expected = scores(table, table, rows=3_000)
    assert expected == scores(tmp_path / "readings.parquet", table, rows=3_000)
    assert expected["length"] == 1.0


def test_parents_make_sequences_where_no_key_does():
    """Without a sequence key, the children of one parent are a sequence."""
    link = Relationship("readings", ("who",), "people", ("id",))
    tables = {
        "people": Table("people", {"id": Column("id", "id")}),
        "readings": Table("readings", COLUMNS, sequence_index="day"),
    }
    table, people = readings(0, 0.9), pa.table({"id": np.arange(40)})
    both = {"people": people, "readings": table}
    found = sequence_scores(both, both, Metadata(tables, (link,)))
    assert found.per_table["readings"]["length"] == 1.0


def test_tables_without_an_index_are_left_out():
    """Where no sequence index is declared, nothing is scored."""
    table = {"readings": readings(0, 0.9)}
    assert sequence_scores(table, table, described()).score is None


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-9, 9) | st.just(float("nan")), min_size=1, max_size=30), st.data())
def test_autocorrelation_is_that_of_each_sequence(values, data):
    """All sequences at once give the mean of each by itself."""
    key = np.sort(
        data.draw(st.lists(st.integers(0, 3), min_size=len(values), max_size=len(values)))
    )
    _, key = np.unique(key, return_inverse=True)
    values = np.array(values)
    alone = []
    for one in np.unique(key):
        part = values[key == one]
        apart = np.nan_to_num(part - np.nanmean(part)) if np.isfinite(part).any() else part * 0
        if np.isfinite(part).sum() > 1 and (apart**2).sum() > 1e-12:
            alone.append((apart[1:] * apart[:-1]).sum() / (apart**2).sum())
    found = autocorrelation(values, Sequences(np.arange(len(key)), key, values), 1)
    assert found == pytest.approx(np.mean(alone) if alone else np.nan, nan_ok=True, abs=1e-6)
