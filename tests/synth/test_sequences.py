"""Rows of a parent in their order: monotone, like the row before, and the same by any shards."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_synth.synth.errors import RuleError
from prefect_synth.synth.hierarchy import contexts, sequences
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.hierarchy.sequences import schedule
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.synth.rules.increasing import FAMILY, Increasing
from prefect_synth.synth.rules.order import Scale
from prefect_synth.synth.rules.rule import Rows

RHO, DAY = 0.8, 86_400


def planted(parents=300, seed=3):
    """Patients, and their visits: an AR(1) score, and exponential gaps of a day on average."""
    rng = np.random.default_rng(seed)
    sizes = 1 + rng.poisson(9, parents)
    link, first = np.repeat(np.arange(parents), sizes), np.cumsum(sizes) - sizes
    born = 1_577_836_800 + rng.integers(0, 365 * DAY, parents)
    gaps = 1 + rng.exponential(DAY, len(link)).astype(np.int64)
    seen = np.concatenate(
        [b + np.cumsum(gaps[f : f + s]) for b, f, s in zip(born, first, sizes, strict=True)]
    )
    score = rng.normal(size=len(link))
    for i in np.flatnonzero(np.diff(link, prepend=-1) == 0):
        score[i] = RHO * score[i - 1] + np.sqrt(1 - RHO**2) * score[i]
    return {
        "patients": pa.table({"id": np.arange(parents), "born": born.astype("datetime64[s]")}),
        "visits": pa.table(
            {
                "id": np.arange(len(link)),
                "patient": link,
                "seen": seen.astype("datetime64[s]"),
                "score": np.round(score, 4),
            }
        ),
    }


def schema(key=("id",), **sequence):
    """The schema of `planted`."""
    kinds = {"id": "id", "patient": "id", "born": "datetime", "seen": "datetime"}
    made = [
        {c: Column(c, kinds.get(c, "numerical"), nullable=False) for c in names}
        for names in (("id", "born"), ("id", "patient", "seen", "score"))
    ]
    return Metadata(
        {"patients": Table("patients", made[0], ("id",)), "visits": Table("visits", made[1], key,
        **sequence)},
        (Relationship("visits", ("patient",), "patients", ("id",)),),
    )  # fmt: skip


def along(visits):
    """Whether two rows are of one patient, the gaps between them, and pairs of scores."""
    link, seen = np.asarray(visits["patient"]), np.asarray(visits["seen"]).astype(np.int64)
    same, score = np.diff(link) == 0, np.asarray(visits["score"])
    return np.diff(seen)[same], score[:-1][same], score[1:][same]


@pytest.fixture(scope="module")
def model():
    """A model of `planted`, whose schema says what orders the visits."""
    return HMASynthesizer(schema(sequence_index="seen"), row_model="trees").fit(planted())


@pytest.mark.parametrize("row_model", ["trees", "copula"])
def test_rows_follow_the_row_before(row_model):
    """Correlation with the row before, and quantiles of the gaps, within 15 % of the real ones."""
    real = planted()
    made = HMASynthesizer(schema(), row_model=row_model, seed=1).fit(real).sample(2.0)
    gaps, before, after = along(made["visits"])
    truth = along(real["visits"])
    correlation = np.corrcoef(truth[1], truth[2])[0, 1]
    assert np.corrcoef(before, after)[0, 1] == pytest.approx(correlation, rel=0.15)
    for share in (0.25, 0.5, 0.75, 0.9):
        assert np.quantile(gaps, share) == pytest.approx(np.quantile(truth[0], share), rel=0.15)


@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
def test_visits_stand_in_order_after_birth(model, scale):
    """Every gap is positive, and the first visit is not before the patient's own date."""
    made = model.sample(scale, 4)
    gaps, _, _ = along(made["visits"])
    born = dict(zip(*(made["patients"][c].to_pylist() for c in ("id", "born")), strict=True))
    late = [s >= born[p] for p, s in zip(*(made["visits"][c].to_pylist() for c in ("patient",
            "seen")), strict=True)]  # fmt: skip
    assert (gaps.min() > 0, all(late)) == (True, True)


@pytest.mark.parametrize("shards", [2, 7])
def test_shards_of_sequences_have_the_bytes_of_one(model, monkeypatch, shards):
    """Blocks have whole families, so that any number of shards makes the same rows."""
    monkeypatch.setattr(contexts, "BLOCK_ROWS", 64)
    monkeypatch.setattr(contexts, "_SMALLEST", 64)

    def digest(batches):
        rows = pa.Table.from_batches([b for n, b in batches if n == "visits"])
        return hashlib.sha256(repr(rows.to_pydict()).encode()).hexdigest()

    parts = [list(model.sample_batches(0.5, 3, shard=(i, shards))) for i in range(shards)]
    assert digest(batch for part in parts for batch in part) == digest(model.sample_batches(0.5, 3))


def test_no_family_straddles_blocks(model, monkeypatch):
    """Blocks of fewer rows than a family has are empty, or have it whole."""
    monkeypatch.setattr(contexts, "BLOCK_ROWS", 8)
    monkeypatch.setattr(contexts, "_SMALLEST", 8)
    batches = [b for n, b in model.sample_batches(0.1, 2) if n == "visits" and len(b)]
    ends = [(b["patient"][0].as_py(), b["patient"][-1].as_py()) for b in batches]
    assert all(a[1] != b[0] for a, b in pairwise(ends))


def test_a_stored_model_draws_the_same(model, tmp_path):
    """The model of the next row is stored with the others."""
    model.save(tmp_path)
    assert HMASynthesizer.load(tmp_path).sample(0.5, 1) == model.sample(0.5, 1)


def test_an_order_may_be_in_the_key():
    """A patient and a moment as primary key: unique, as no moment comes twice."""
    metadata = schema(("patient", "seen"), sequence_index="seen")
    visits = HMASynthesizer(metadata, row_model="copula").fit(planted(60)).sample(3.0)["visits"]
    assert len(visits.group_by(["patient", "seen"]).aggregate([])) == len(visits)


def test_a_file_in_no_order_is_put_in_order():
    """What the schema calls the index orders the rows, however the file has them."""
    real, rng = planted(60), np.random.default_rng(0)
    mixed = real | {"visits": real["visits"].take(rng.permutation(len(real["visits"])))}
    metadata = schema(sequence_index="seen", sequence_key="patient")
    made = HMASynthesizer(metadata, row_model="copula").fit(mixed).sample()
    gaps, _, _ = along(made["visits"])
    assert gaps.min() > 0


def test_orders_are_found_only_where_families_stand_together():
    """A file that is sorted by the moment as a whole says nothing of its families."""
    real = planted(60)
    by_time = real | {"visits": real["visits"].sort_by("seen")}
    found = [HMASynthesizer(schema(), row_model="copula").fit(t).rules for t in (real, by_time)]
    assert ["increasing(seen)" in rules.get("visits", []) for rules in found] == [True, False]


def test_a_parent_that_is_kept_may_have_sequences():
    """Visits of patients that are published as they are stand in order too."""
    metadata = schema(sequence_index="seen")
    model = HMASynthesizer(metadata, row_model="copula", keep=["patients"]).fit(planted(60))
    gaps, _, _ = along(model.sample(1.0, 2)["visits"])
    assert gaps.min() > 0


def test_a_parent_may_sum_up_its_ordered_children():
    """Visits begin at a date of the patient, whose own total is the sum of the visits' scores."""
    real = planted(60)
    score = pa.array(np.arange(len(real["visits"])) % 7)
    visits = real["visits"].set_column(3, "score", score)
    total = np.bincount(np.asarray(visits["patient"]), np.asarray(score)).astype(np.int64)
    real = {"patients": real["patients"].append_column("total", pa.array(total)), "visits": visits}
    metadata = schema(sequence_index="seen")
    columns = {**metadata.tables["patients"].columns, "total": Column("total", "numerical")}
    metadata = metadata.with_table(Table("patients", columns, ("id",)))
    made = HMASynthesizer(metadata, row_model="copula").fit(real).sample()
    sums = np.bincount(np.asarray(made["visits"]["patient"]), np.asarray(made["visits"]["score"]),
                       minlength=max(made["patients"]["id"].to_pylist()) + 1)  # fmt: skip
    assert (
        made["patients"]["total"].to_pylist()
        == sums[made["patients"]["id"].to_numpy()].astype(int).tolist()
    )
    assert along(made["visits"])[0].min() > 0


def test_no_order_of_a_foreign_key():
    """A foreign key, or a table without parents, has no order."""
    for table, column in (("visits", "patient"), ("patients", "born")):
        with pytest.raises(RuleError, match="increasing"):
            HMASynthesizer(schema(), rules={table: [f"increasing({column})"]}).fit(planted(30))


def test_families_longer_than_the_longest_run_go_on(monkeypatch):
    """Of a long family several stretches are drawn at once, each after its first row."""
    monkeypatch.setattr(sequences, "LONGEST", 3)
    previous, position, step = schedule(np.array([5] * 8 + [-1, -1]))
    assert previous[1:8].tolist() == [0, 1, 0, 3, 4, 0, 6]
    assert position.tolist() == [*range(8), 0, 0]
    assert step.tolist() == [0, 1, 2, 1, 2, 3, 1, 2, 0, 0]


STEPS = st.lists(st.tuples(st.integers(0, 4), st.integers(-50, 50) | st.none()), max_size=60)
KINDS = st.sampled_from([pa.int32(), pa.timestamp("us"), pa.date32(), pa.decimal128(12, 2)])


def rule_of(kind, *, strict, after=False):
    """A rule of a column of a type."""
    unit = "us" if pa.types.is_timestamp(kind) else "s" if pa.types.is_date(kind) else ""
    scale = Scale(unit, 2 * pa.types.is_decimal(kind), DAY if unit == "s" else 1)
    return Increasing("at", "r", ("key",), "", strict, after, scale, pa.schema([("v", kind)]))


@settings(max_examples=60, deadline=None)
@given(STEPS, KINDS, st.booleans())
def test_any_steps_sum_up_to_an_order(drawn, kind, strict):
    """Whatever a model draws, no row is before the one above it of its parent."""
    parent = pa.array(sorted(p for p, _ in drawn), pa.int64())
    steps = pa.array([s for _, s in drawn], pa.int64())
    rule = rule_of(kind, strict=strict)
    made = rule.backward(
        Rows({"at": steps, FAMILY: parent}, {}, len(drawn)), np.random.default_rng()
    )
    assert rule.holds(Rows({"at": made, "key": parent}, {}, len(drawn))).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=60), KINDS)
def test_steps_of_ordered_rows_restore_them(drawn, kind):
    """Steps and back, for rows that are in order: every value exact."""
    rows, length = sorted(drawn), len(drawn)
    parent = pa.array([p for p, _ in rows], pa.int64())
    days = pa.array([v for _, v in rows], pa.int32())
    at = days.cast(kind) if not pa.types.is_timestamp(kind) else days.cast(pa.int64()).cast(kind)
    rule = rule_of(kind, strict=False)
    steps = rule.forward(Rows({"at": at, "key": parent}, {}, length))["at"]
    back = Rows({"at": steps, FAMILY: parent}, {}, length)
    assert rule.backward(back, np.random.default_rng()) == at
