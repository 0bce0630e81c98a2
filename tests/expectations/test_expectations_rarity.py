"""Rare values, rare combinations, canaries, and personal values outside their column."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.expectations.leaks import check_leaks_elsewhere, identifying_hashes
from prefect_synth.expectations.rarity import check_rarity
from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.sides import Sides
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table

ROWS = 4_000


@pytest.fixture
def sides(tmp_path):
    """Makes sides of a real and a synthetic table of towns, colours and notes."""

    def make(synthetic: dict[str, list[object]], real: dict[str, list[object]] | None = None):
        rng = np.random.default_rng(0)
        honest = {
            "town": rng.choice(["Ulm", "Bonn", "Kiel"], ROWS).tolist(),
            "colour": rng.choice(["red", "blue"], ROWS).tolist(),
            "note": ["nothing"] * ROWS,
        }
        paths = {side: tmp_path / f"{side}.parquet" for side in ("real", "synthetic")}
        pq.write_table(pa.table({**honest, **(real or {})}), paths["real"])
        pq.write_table(pa.table({**honest, **synthetic}), paths["synthetic"])
        columns = {c: Column(c, "text" if c == "note" else "categorical") for c in honest}
        metadata = Metadata({"t": Table("t", columns)})
        return Sides.without_holdout(metadata, {"t": paths["real"]}, {"t": paths["synthetic"]})

    return make


def failed(checks) -> list[tuple[str, str | None]]:
    """Name and column of what failed."""
    return [(c.name, c.column) for c in checks if c.status == "failed"]


RARE = ["Zwiesel"] * 2 + ["Ulm"] * (ROWS - 2)


def test_a_rare_category_that_is_published_fails(sides) -> None:
    """Two people have it, and fifty synthetic rows."""
    spoilt = sides({"town": ["Zwiesel"] * 50 + ["Ulm"] * (ROWS - 50)}, {"town": RARE})
    assert failed(check_rarity("t", spoilt, Gates())) == [("rare values", "town")]


def test_one_hit_is_what_a_fresh_sample_shows(sides) -> None:
    """Chance explains it, and the strict gate does not ask chance."""
    spoilt = sides({"town": ["Zwiesel"] + ["Ulm"] * (ROWS - 1)}, {"town": RARE})
    strict = Gates.model_validate({"privacy": {"strict": True}})
    assert failed(check_rarity("t", spoilt, Gates())) == []
    assert failed(check_rarity("t", spoilt, strict)) == [("rare values", "town")]


def test_a_rare_combination_fails(sides) -> None:
    """Each value is common; together few people have them."""
    town, colour = ["Ulm"] * 2_000 + ["Bonn"] * 2_000, ["red"] * 2_000 + ["blue"] * 2_000
    real = {"town": ["Bonn", *town[1:]], "colour": colour}
    spoilt = sides({"town": ["Bonn"] * 300 + town[300:], "colour": colour}, real)
    checks = check_rarity("t", spoilt, Gates(), ["town", "colour"])
    assert failed(checks) == [("rare values", "town, colour")]


def test_k_anonymity_is_reported_and_may_be_asked_for(sides) -> None:
    """The smallest group of rows that share both."""
    few = sides({"town": ["Ulm"] * 3 + ["Bonn"] * (ROWS - 3), "colour": ["red"] * ROWS})
    asked = Gates.model_validate({"privacy": {"k_anonymity": 5}})
    reported, judged = (
        next(c for c in check_rarity("t", few, g, ["town", "colour"]) if c.name == "k-anonymity")
        for g in (Gates(), asked)
    )
    assert (reported.observed, reported.status, judged.status) == (3, "passed", "failed")


@pytest.mark.parametrize("column", ["town", "note"])
def test_a_canary_fails_in_any_column(sides, column: str) -> None:
    """As a category, and as a word in a text."""
    planted = sides({column: ["found canary-7 here"] + ["Ulm"] * (ROWS - 1)})
    gates = Gates.model_validate({"privacy": {"canaries": ["canary-7"], "rare_values": None}})
    assert failed(check_rarity("t", planted, gates)) == [("canaries", column)]


def test_an_email_inside_a_text_of_another_table_fails(sides) -> None:
    """A real address in capitals, in the middle of a note."""
    spoilt = sides({"note": ["write to ANA@mail.example soon"] + ["nothing"] * (ROWS - 1)})
    people = Metadata({**spoilt.metadata.tables, "people": Table("people", {"email": EMAIL})})
    hashes = identifying_hashes(pa.chunked_array([["ana@mail.example", "b@mail.example"]]), EMAIL)
    pii = {"people": {"email": hashes}}
    (check,) = check_leaks_elsewhere("t", people, spoilt.synthetic["t"], pii)
    assert (check.status, check.column, check.observed) == ("failed", "note", 1)


EMAIL = Column("email", "email", pii=True)


def test_addresses_that_repeat_with_their_owner_still_identify() -> None:
    """Each customer's address stands in all of their orders; a placeholder in most of them."""
    emails = [f"p{i}@mail.example" for i in range(50) for _ in range(8)] + ["none@x.example"] * 900
    hashes = identifying_hashes(pa.chunked_array([emails]), EMAIL)
    assert len(hashes) == 50


def test_people_that_cannot_be_found_crash_the_check_alone(sides) -> None:
    """The table of people is missing: the gate hears of it, and the run goes on."""
    made = sides({}, {"town": RARE})
    columns = {c: Column(c, "categorical") for c in ("town", "colour")}
    people = Table("people", {"id": Column("id", "id")}, ("id",))
    t = Table("t", {**columns, "note": Column("note", "id")})
    metadata = Metadata(
        {"t": t, "people": people}, (Relationship("t", ("note",), "people", ("id",)),)
    )
    broken = replace(made, metadata=metadata, units=("people",))
    checks = check_rarity("t", broken, Gates())
    assert {(c.column, c.status) for c in checks} == {("town", "crashed"), ("colour", "crashed")}
