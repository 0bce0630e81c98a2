"""Personal data are made in the column's own forms, right where they can be checked, nobody's."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from faker import Faker
from hypothesis import given
from hypothesis import strategies as st

from prefect_synth.synth.encoding.persons import with_roles
from prefect_synth.synth.encoding.table import EncodingSettings, fit_codec
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.generation.forms import apart, masked
from prefect_synth.synth.generation.personal import fit_personal
from prefect_synth.synth.generation.pseudonyms import one_to_one, serials
from prefect_synth.synth.metadata import Column
from prefect_synth.synth.pii.detection import detect
from prefect_synth.synth.single import GaussianCopulaSynthesizer

ROWS = np.arange(3_000)


def made(values, sdtype, *, unique=False, source=None, locale="en_US", rows=ROWS):
    """Values in the forms of others."""
    values = pa.array(values) if isinstance(values, list) else values
    return fit_personal(sdtype, values, locale, source, unique=unique).at(rows, 11, 12)


def faked(method, locale="en_US", count=500):
    """Values of one of Faker's makers."""
    fake = Faker(locale)
    fake.seed_instance(5)
    return [str(getattr(fake, method)()) for _ in range(count)]


@pytest.mark.parametrize(
    ("real", "form"),
    [
        ("+49 30 {:07}", r"\+49 \d\d \d{7}"),
        ("+352 {:07}", r"\+352 \d{7}"),
        ("0{:03}/{:06}", r"0\d{3}/\d{6}"),
        ("(212) 431-{:04}", r"\([2-9]\d\d\) 555-\d{4}"),
        ("+1-212-431-{:04}", r"\+1-[2-9]\d\d-555-\d{4}"),
    ],
)
def test_phone_numbers_keep_their_form(real, form):
    """Country and separators stay; a North American number is of the exchange 555."""
    values = made([real.format(100 + i, 7 * i + 10) for i in range(300)], "phone_number")
    assert [v for v in values.to_pylist() if not re.fullmatch(form, v)] == []


def test_rare_forms_are_not_kept():
    """The country code of one person is not published."""
    values = made(["+49 30 1234567"] * 50 + ["+352 1234567"], "phone_number")
    assert pc.any(pc.starts_with(values, "+352")).as_py() is False


@pytest.mark.parametrize(
    ("method", "locale", "sdtype"),
    [
        ("iban", "de_DE", "iban"), ("iban", "en_GB", "iban"), ("iban", "fr_FR", "iban"),
        ("credit_card_number", "en_US", "credit_card_number"), ("ssn", "it_IT", "ssn"),
        ("ssn", "nl_NL", "ssn"), ("pesel", "pl_PL", "ssn"), ("cpf", "pt_BR", "ssn"),
        ("mac_address", "en_US", "mac_address"), ("ipv6", "en_US", "ipv6_address"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("unique", [True, False])
def test_made_values_are_found_again(method, locale, sdtype, unique):
    """Check digits are right, so the detector takes the made column for what it is."""
    values = made(faked(method, locale), sdtype, unique=unique, locale=locale)
    found = detect("c", values)
    assert (found.sdtype, len(set(values.to_pylist()))) == (sdtype, len(ROWS))


@pytest.mark.parametrize(
    ("method", "sdtype", "locale"),
    [("iban", "iban", "de_DE"), ("license_plate", "license_plate", "de_DE"),
     ("cpf", "ssn", "pt_BR")],
)  # fmt: skip
def test_forms_are_the_columns(method, sdtype, locale):
    """Nothing is written in a form that the real column does not have."""
    real = pa.array(faked(method, locale))
    forms = set(masked(made(real, sdtype, locale=locale)).to_pylist())
    assert forms <= set(masked(real).to_pylist())


def test_nobody_has_a_made_social_security_number():
    """Areas from 900 on were never issued, groups from 50 on are tax numbers."""
    values = made(faked("ssn"), "ssn", unique=True).to_pylist()
    assert [v for v in values if not re.fullmatch(r"9\d\d-[0-4]\d-\d{4}", v)] == []


def test_nets_are_reserved_ones():
    """Addresses of nets are of ranges kept for tests, or private."""
    rows = np.arange(200_000)
    values = made(faked("ipv4"), "ipv4_address", rows=rows).to_pylist()
    assert len(set(values)) == len(rows)
    assert {v.split(".")[0] for v in values} == {"198", "10"}


@pytest.mark.parametrize("case", [str.upper, str.lower])
def test_letters_stay_large_or_small(case):
    """Names that are all in capitals are made in capitals."""
    values = made([case(v) for v in faked("name")], "name").to_pylist()
    assert values == [case(v) for v in values]


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64()])
def test_phone_numbers_as_integers_keep_their_length(kind):
    """A number of twelve digits is made with twelve."""
    real = pa.array([491_512_345_678 + 10 * i for i in range(200)], kind)
    table = pa.table({"phone": real})
    sample = GaussianCopulaSynthesizer().fit(table).sample(200)["phone"]
    assert {len(str(v)) for v in sample.to_pylist()} == {12}
    assert not set(sample.to_pylist()) & set(real.to_pylist())


def test_narrow_integers_are_not_left():
    """Numbers of ten digits stay below the end of 32 bits."""
    real = pa.array([2_025_550_100 + i for i in range(200)], pa.int32())
    sample = GaussianCopulaSynthesizer().fit(pa.table({"phone": real})).sample(500)["phone"]
    assert (sample.type, pc.min(sample).as_py() > 10**9) == (pa.int32(), True)


def test_one_row_is_one_person():
    """First, last and full name, address and login of a row belong together."""
    count = 200
    table = pa.table({m: faked(m, count=count) for m in ("first_name", "last_name", "name")})
    table = table.append_column("email", pa.array(faked("email", count=count)))
    table = table.append_column("username", pa.array(faked("user_name", count=count)))
    columns = [Column(c, c, pii=True) for c in table.column_names[:4]]
    columns.append(Column("username", "user_name", pii=True))
    codec = fit_codec("t", table, columns, (), EncodingSettings())
    rng = np.random.default_rng(0)
    rows = pa.table(codec.decode(codec.encode(table, rng), rng)).to_pylist()
    for row in rows:
        first, last = (re.sub("[^a-z]", "", row[c].lower()) for c in ("first_name", "last_name"))
        assert row["name"] == f"{row['first_name']} {row['last_name']}"
        assert re.fullmatch(rf"{first}\.{last}\d+", row["email"].split("@")[0])
        assert re.fullmatch(rf"{first[0]}{last}\d+", row["username"])


def test_two_people_in_a_row_are_two():
    """Billing and shipping have names of their own, each with its address."""
    names = ("billing_first_name", "billing_email", "shipping_first_name", "shipping_email")
    sdtypes = ("first_name", "email") * 2
    table = pa.table({n: faked(s) for n, s in zip(names, sdtypes, strict=True)})
    columns = [Column(n, s, pii=True) for n, s in zip(names, sdtypes, strict=True)]
    codec = fit_codec("t", table, columns, (), EncodingSettings())
    roles = {n: codec.encoders[n].generator.role for n in names}
    assert roles == dict(zip(names, ["billing", "billing", "shipping", "shipping"], strict=True))
    assert with_roles({n: codec.encoders[n] for n in names[:2]}) == {}


def test_forms_do_not_meet():
    """Of forms that share values a unique column keeps the commonest; others all remain."""
    forms = ("0#########", "+49 ######", "0049######", "##########", "A#@", "AB@", "A-@")
    assert apart(forms) == [0, 1, 4, 5, 6]


def test_unique_phone_numbers_of_many_forms_differ():
    """A hundred thousand numbers in the forms that Faker has for Germany."""
    rows = np.arange(100_000)
    values = made(faked("phone_number", "de_DE", 5_000), "phone_number", unique=True, rows=rows)
    assert len(set(values.to_pylist())) == len(rows)


@pytest.mark.parametrize("sdtype", ["email", "name", "first_name", "user_name"])
def test_declared_lengths_hold(sdtype):
    """What a column declares is kept, for unique values too."""
    values = made(["x"], sdtype, unique=True, source="varchar(14)")
    assert (pc.max(pc.utf8_length(values)).as_py() <= 14, len(set(values.to_pylist()))) == (
        True, len(ROWS),
    )  # fmt: skip


def test_values_follow_from_rows_alone():
    """Any rows in any order give the values that they have among all."""
    generator = fit_personal("email", pa.array(["a@b.c"]), "de_DE", None, unique=True)
    some = np.array([2_999, 0, 1_500, 70])
    assert generator.at(some, 1, 2).equals(generator.at(ROWS, 1, 2).take(pa.array(some)))


def test_ids_run_out_by_name():
    """More unique ids than there are is an error, not a repetition."""
    with pytest.raises(SynthesisError, match="at most 4,000,000"):
        made(["QQ123456A", *(f"AB{i:06}C" for i in range(100))], "ssn", unique=True,
             rows=np.array([4_000_000]))  # fmt: skip


@given(st.integers(1, 5_000), st.integers(0, 2**62 - 1))
def test_one_to_one(modulus, key):
    """As many rows as there are numbers get each number once."""
    assert sorted(one_to_one(np.arange(modulus), modulus, key)) == list(range(modulus))


@given(st.integers(1, 5_000), st.sampled_from([10, 36]), st.integers(0, 2**62 - 1))
def test_serials_differ_and_are_short(count, base, key):
    """No two rows have the same number, and none has more digits than the last row's own."""
    found = serials(np.arange(count), base, key)
    assert len(set(found.tolist())) == count
    assert found.max() < base ** max(len(np.base_repr(count - 1, base)), 1)
