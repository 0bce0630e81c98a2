"""Pinned rows: what the file says stands, and what it leaves out is drawn given that."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.synth.errors import ContractError
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.metadata import Column, Metadata, Table
from prefect_synth.synth.pins.filling import complete
from prefect_synth.synth.pins.keys import check_own_keys
from prefect_synth.synth.pins.reading import read_pins


@pytest.fixture(scope="module")
def people():
    """A table whose wage follows the job, and whose total a rule computes."""
    rng = np.random.default_rng(3)
    job = rng.choice(["cook", "pilot"], 800)
    wage = np.where(job == "cook", 20, 90) + rng.integers(0, 9, 800)
    hours = rng.integers(1, 40, 800)
    table = pa.table(
        {
            "id": np.arange(800),
            "email": [f"p{i}@mail.test" for i in range(800)],
            "job": job,
            "wage": wage,
            "hours": hours,
            "pay": wage * hours,
        }
    )
    kinds = {"id": "id", "email": "email", "job": "categorical"}
    columns = {
        c: Column(c, kinds.get(c, "numerical"), nullable=False, pii=c == "email")
        for c in table.column_names
    }
    metadata = Metadata({"people": Table("people", columns, ("id",), (("email",),))})
    return metadata, HMASynthesizer(metadata, row_model="trees").fit({"people": table})


def completed(people, tmp_path, text):
    """Rows of a file, with all columns."""
    metadata, model = people
    file = tmp_path / "people.csv"
    file.write_text(text)
    pins = read_pins(file, "people.csv", metadata.tables["people"], model.parts_["people"].schema)
    return complete(pins, model.sampler()).to_pylist()


def test_missing_columns_are_drawn_given_those_that_are_there(people, tmp_path):
    """Pilots are paid as pilots are; rules hold; made-up values are no synthetic row's."""
    text = "id,job\n" + "".join(f"{n},{'pilot' if n % 2 else 'cook'}\n" for n in range(9001, 9021))
    rows = completed(people, tmp_path, text)
    assert all((row["wage"] >= 90) == (row["job"] == "pilot") for row in rows)
    assert all(row["pay"] == row["wage"] * row["hours"] for row in rows)
    synthetic = set(people[1].sample()["people"]["email"].to_pylist())
    assert len({row["email"] for row in rows} - synthetic) == 20


def test_a_row_stays_when_others_are_added_before_it(people, tmp_path):
    """Its draws are keyed by what it says; only made-up values go by its place."""
    alone = completed(people, tmp_path, "id,job\n9001,cook\n")[0]
    later = completed(people, tmp_path, "id,job\n9000,pilot\n9001,cook\n")[1]
    assert {k: v for k, v in alone.items() if k != "email"} == {
        k: v for k, v in later.items() if k != "email"
    }


def test_values_that_no_model_knows_stand_all_the_same(people, tmp_path):
    """What is new or out of range is the point of pinning it."""
    (row,) = completed(people, tmp_path, "id,job,wage\n9001,diver,100000\n")
    assert (row["job"], row["wage"]) == ("diver", 100000)
    assert row["pay"] == row["wage"] * row["hours"]


def test_parquet_is_read_with_its_types(people, tmp_path):
    """A file of other types than the table's is cast where nothing is lost."""
    metadata, model = people
    meaning, schema = metadata.tables["people"], model.parts_["people"].schema
    file = tmp_path / "people.parquet"
    pq.write_table(pa.table({"id": pa.array([9001], pa.int16()), "wage": [3.0]}), file)
    assert read_pins(file, "p", meaning, schema).rows["wage"].to_pylist() == [3]
    pq.write_table(pa.table({"id": [9001, 9002], "wage": [3.0, 3.5]}), file)
    with pytest.raises(ContractError, match=r"row 2\): the value of 'wage' is no int64"):
        read_pins(file, "p", meaning, schema)


def test_keys_of_a_file_are_unique(people, tmp_path):
    """The second of two equal keys is named."""
    metadata, model = people
    file = tmp_path / "people.csv"
    file.write_text("id,email\n1,a@b.test\n2,c@d.test\n3,a@b.test\n")
    pins = read_pins(file, "f.csv", metadata.tables["people"], model.parts_["people"].schema)
    with pytest.raises(ContractError, match=r"line 4\): the unique key \(email\) .* in line 2"):
        check_own_keys(pins)


@pytest.mark.parametrize("value", ["1e400", "nan", "-inf"])
def test_a_number_without_end_is_refused(tmp_path, value):
    """What a text says is a number of the table's; a Parquet file may hold what the data hold."""
    table = Table("t", {"id": Column("id", "id"), "x": Column("x", "numerical")}, ("id",))
    schema = pa.schema([("id", pa.int64()), ("x", pa.float64())])
    file = tmp_path / "t.csv"
    file.write_text(f"id,x\n1,\n2,{value}\n")
    with pytest.raises(ContractError, match=r"line 3\): the value of 'x' is no finite double"):
        read_pins(file, "t.csv", table, schema)
    pq.write_table(pa.table({"id": [1], "x": [float(value)]}), tmp_path / "t.parquet")
    assert read_pins(tmp_path / "t.parquet", "t", table, schema).rows.num_rows == 1


def bookings(slot_nullable):
    """Bookings of rooms by slots, few of both, so that a pair drawn at random is often taken."""
    rng = np.random.default_rng(5)
    pairs = rng.permutation(20 * 12)[:200]
    slots = pa.array(pairs % 12, mask=np.arange(200) < 10 if slot_nullable else None)
    table = pa.table(
        {"id": np.arange(200), "room": pairs // 12, "slot": slots, "seats": rng.integers(1, 9, 200)}
    )
    columns = {
        c: Column(c, "id" if c == "id" else "numerical", nullable=slot_nullable and c == "slot")
        for c in table.column_names
    }
    metadata = Metadata({"people": Table("people", columns, ("id",), (("room", "slot"),))})
    return metadata, HMASynthesizer(metadata, row_model="copula").fit({"people": table})


def test_no_value_of_a_unique_key_is_drawn(tmp_path):
    """A key of several columns stays unique: what may be null of it is, and else must be given."""
    text = "id,room\n" + "".join(f"{n},{n % 3}\n" for n in range(9001, 9021))
    rows = completed(bookings(slot_nullable=True), tmp_path, text)
    assert {row["slot"] for row in rows} == {None}
    assert None not in {row["seats"] for row in rows}
    with pytest.raises(
        ContractError, match="the column 'slot' of the key 'room, slot', which must"
    ):
        completed(bookings(slot_nullable=False), tmp_path, text)
