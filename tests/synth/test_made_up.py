"""Personal data and free text that nobody has."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.generation.made_up import (
    PersonalGenerator,
    declared_length,
    fit_bytes,
    fit_length,
    fit_text,
)
from prefect_synth.synth.metadata import PII_SDTYPES, Column, Metadata, Table
from prefect_synth.synth.single import GaussianCopulaSynthesizer


def made(sdtype, count=300, *, locale="en_US", longest=None, unique=False):
    """Personal values of one kind."""
    generator = PersonalGenerator(sdtype, locale, longest, unique)
    return generator.generate(count, np.random.default_rng(4)).to_pylist()


@pytest.mark.parametrize("sdtype", sorted(PII_SDTYPES))
@pytest.mark.parametrize("locale", ["en_US", "de_DE", "ja_JP"])
def test_every_personal_sdtype_can_be_made(sdtype, locale):
    """Each personal sdtype has values in each locale, none of them empty."""
    values = made(sdtype, 40, locale=locale)
    assert len(values) == 40
    assert all(values)
    assert not any("\n" in v for v in values)


@pytest.mark.parametrize(
    "sdtype", ["name", "email", "phone_number", "ssn", "user_name", "postcode"]
)
@pytest.mark.parametrize("longest", [20, 24])
def test_lengths_are_kept(sdtype, longest):
    """No value is longer than the column allows, unique or not."""
    for unique in (False, True):
        assert max(map(len, made(sdtype, longest=longest, unique=unique))) <= longest


@pytest.mark.parametrize("sdtype", ["name", "email", "ssn", "first_name", "iban"])
def test_unique_values_are_unique(sdtype):
    """Ten thousand values of a unique column differ, though the lists are shorter."""
    assert len(set(made(sdtype, 10_000, unique=True, longest=40))) == 10_000


@pytest.mark.parametrize("longest", [1, 2, 3, 5])
def test_unique_values_in_short_columns(longest):
    """A short unique column holds different values as long as it has room."""
    count = min(36**longest, 500) // 4
    values = made("first_name", count, unique=True, longest=longest)
    assert len(set(values)) == count
    assert max(map(len, values)) <= longest


def test_locales_differ():
    """Names are of the locale's lists."""
    assert not set(made("last_name", locale="ja_JP")) & set(made("last_name"))


@pytest.mark.parametrize("locale", ["en_US", "ja_JP", "ru_RU"])
def test_addresses_are_in_reserved_domains(locale):
    """E-mail addresses are unique, well formed, and can reach nobody."""
    values = made("email", 500, locale=locale)
    assert len(set(values)) == 500
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9.]*@example\.(com|org|net)", v) for v in values)


def test_addresses_are_made_of_the_rows_names():
    """A person's address carries the first and last name of the same row."""
    table = pa.table(
        {
            "email": [f"some.body.number.{i}@corporation.example" for i in range(60)],
            "first_name": [f"A{i}" for i in range(60)],
            "last_name": [f"B{i}" if i % 4 else None for i in range(60)],
        }
    )
    columns = {c: Column(c, c, pii=True) for c in table.column_names}
    metadata = Metadata({"person": Table("person", columns, (), (("email",),))})
    sample = GaussianCopulaSynthesizer(metadata).fit(table).sample(60)
    for mail, first, last in zip(*(sample[c].to_pylist() for c in columns), strict=True):
        wanted = re.sub(r"[^a-z0-9.]+", "", f"{first}.{last or ''}".lower())
        rest = r"\d+" if last else r"[a-z]+\d+"  # a name that is null is in the address still
        assert re.fullmatch(re.escape(wanted) + rest + r"@example\.(com|org|net)", mail)
    assert sample["last_name"].null_count == 15
    assert len(set(sample["email"].to_pylist())) == 60


def test_texts_have_like_lengths():
    """Free text has as many words as the real one, and is no longer."""
    real = pa.array([" ".join(["word"] * (3 + i % 8)) for i in range(400)])
    longest = pc.max(pc.utf8_length(real)).as_py()
    texts = fit_text(real, longest, unique=False).generate(2000, np.random.default_rng(0))
    words = [len(t.split()) for t in texts.to_pylist()]
    assert np.mean(words) == pytest.approx(6.5, abs=0.6)
    assert min(words) >= 1
    assert max(len(t) for t in texts.to_pylist()) <= longest


def test_capitals_stay_capitals():
    """Texts in capitals are made in capitals."""
    real = pa.array(["MAIN OFFICE", "BACK DOOR", "THE YARD"] * 10)
    texts = fit_text(real, 20, unique=False).generate(50, np.random.default_rng(0))
    assert all(t == t.upper() for t in texts.to_pylist())


def test_unique_texts_are_unique():
    """A unique text column gets different texts inside its length."""
    texts = fit_text(pa.array(["ab", "cd", "ef"]), 12, unique=True)
    values = texts.generate(5000, np.random.default_rng(0)).to_pylist()
    assert len(set(values)) == 5000
    assert max(map(len, values)) <= 12


def test_too_many_different_texts_are_refused():
    """A column of one character cannot hold a thousand different ones."""
    with pytest.raises(SynthesisError, match="more different texts of at most 1 characters"):
        made("first_name", 1000, unique=True, longest=1)


def test_numbering_does_not_meet_a_value_that_is_there():
    """A number that makes a value unique does not make it equal to another."""
    texts = pa.array(["a", "a", "a-1", "a-1", "a-2"])
    assert len(set(fit_length(texts, 5, unique=True).to_pylist())) == 5


def test_bytes_are_zeros_of_like_size():
    """Binary stand-ins have the size, and no byte, of the real ones."""
    real = pa.array([b"\x07" * (50 + i % 20) for i in range(300)])
    sizes = [len(v) for v in fit_bytes(real).generate(300, np.random.default_rng(0)).to_pylist()]
    assert 50 <= np.mean(sizes) <= 70


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("varchar(12)", 12),
        ("CHARACTER VARYING (7)", 7),
        ("char(3)", 3),
        ("NVARCHAR(40)", 40),
        ("text", None),
        ("numeric(9,2)", None),
        (None, None),
    ],
)
def test_declared_lengths(source, expected):
    """The length of a text type is read from its declaration."""
    assert declared_length(source) == expected


@pytest.mark.parametrize("unique", [True, False])
@pytest.mark.parametrize("kind", [pa.int32(), pa.int64(), pa.float64(), pa.decimal128(19, 0)])
def test_personal_numbers_are_made_up(kind, unique):
    """Numbers that name a person are of their type, none is a real one, and unique if they must."""
    real = pa.array(np.random.default_rng(1).choice(90_000_000, 400, replace=False)).cast(kind)
    keys = (("ssn",),) if unique else ()
    metadata = Metadata({"t": Table("t", {"ssn": Column("ssn", "ssn", pii=True)}, (), keys)})
    made = GaussianCopulaSynthesizer(metadata).fit(pa.table({"ssn": real})).sample(400)["ssn"]
    assert made.type == kind
    assert not set(made.to_pylist()) & set(real.to_pylist())
    assert not unique or len(set(made.to_pylist())) == 400
