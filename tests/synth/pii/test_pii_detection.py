"""Which columns are taken for personal data, and which are not."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from faker import Faker

from prefect_synth.synth.generation.national_ids import LENGTHS, MAKERS
from prefect_synth.synth.metadata import Column, Metadata, Table
from prefect_synth.synth.pii.checksums import texts_of
from prefect_synth.synth.pii.detection import detect
from prefect_synth.synth.pii.names import name_sdtype
from prefect_synth.synth.pii.review import is_birth_date, review


def faked(method: str, locale: str = "en_US", count: int = 200) -> pa.Array:
    """Values of one of Faker's makers."""
    fake = Faker(locale)
    fake.seed_instance(3)
    return pa.array([str(getattr(fake, method)()) for _ in range(count)])


def sdtype_of(values: pa.Array) -> str | None:
    """What a column of no telling name is taken for."""
    found = detect("col_7", values)
    return found.sdtype if found else None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("E-Mail-Adresse", "email"), ("correo_electronico", "email"), ("Vorname", "first_name"),
        ("nachname", "last_name"), ("Prénom", "first_name"), ("apellidos", "last_name"),
        ("cognome", "last_name"), ("achternaam", "last_name"), ("sobrenome", "last_name"),
        ("telefonnummer", "phone_number"), ("teléfono", "phone_number"),
        ("Straße", "street_address"), ("dirección", "street_address"),
        ("PLZ", "postcode"), ("codigo_postal", "postcode"),
        ("code_postal", "postcode"), ("codice_fiscale", "ssn"), ("steuer_id", "ssn"),
        ("kennzeichen", "license_plate"), ("benutzername", "user_name"), ("passwort", "password"),
        ("sekunde", None), ("is_portable", None), ("true", None), ("order_total", None),
    ],
)  # fmt: skip
def test_names_in_seven_languages(name: str, expected: str | None) -> None:
    """A column's name is understood with and without accents, and nothing is read into others."""
    assert name_sdtype(name) == expected


@pytest.mark.parametrize(
    ("method", "locale", "expected"),
    [
        ("email", "de_DE", "email"), ("ipv4", "en_US", "ipv4_address"),
        ("ipv6", "en_US", "ipv6_address"), ("mac_address", "en_US", "mac_address"),
        ("iban", "en_GB", "iban"), ("iban", "fr_FR", "iban"),
        ("credit_card_number", "en_US", "credit_card_number"), ("ssn", "it_IT", "ssn"),
        ("ssn", "nl_NL", "ssn"), ("pesel", "pl_PL", "ssn"), ("cpf", "pt_BR", "ssn"),
        ("nie", "es_ES", "ssn"), ("phone_number", "es_ES", "phone_number"),
        ("name", "en_GB", "name"), ("first_name", "fr_FR", "first_name"),
        ("last_name", "it_IT", "last_name"), ("street_address", "de_DE", "street_address"),
        ("postcode", "en_GB", "postcode"),
    ],
)  # fmt: skip
def test_personal_values_are_found(method: str, locale: str, expected: str) -> None:
    """A name that says nothing hides nothing."""
    assert sdtype_of(faked(method, locale)) == expected


@pytest.mark.parametrize("kind", sorted(LENGTHS.keys() - {"mac", "us_ssn", "uk_nino"}))
def test_national_ids_are_found(kind: str, rng: np.random.Generator) -> None:
    """Every kind of national id with check digits is known by them."""
    assert sdtype_of(texts_of(MAKERS[kind](rng.integers(0, 10**6, 100)))) == "ssn"


@pytest.mark.parametrize("digits", [9, 11, 13, 15, 16])
@pytest.mark.parametrize("kind", [pa.string(), pa.int64()])
def test_random_digits_are_nobodys(
    digits: int, kind: pa.DataType, rng: np.random.Generator
) -> None:
    """One digit in ten is right by chance: that is no card and no id."""
    values = pa.array(rng.integers(10 ** (digits - 1), 10**digits, 2_000)).cast(kind)
    assert sdtype_of(values) is None


@pytest.mark.parametrize(
    "values",
    [
        [f"SKU-{i:04}" for i in range(100)],
        [f"v{i}.{i % 7}.{i % 3}" for i in range(100)],
        ["red", "green", "brown", "white", "black", "grey"] * 20,
        ["Paris", "Berlin", "Madrid", "Florence", "Austin", "Rome"] * 20,
        [f"2024-01-{1 + i % 28:02}" for i in range(100)],
        ["12:30:45", "08:00:00", "23:59:59"] * 30,
        ["April", "May", "June", "July"] * 30,
        ["Pacific Rim", "Blue Velvet", "Grace Period", "Adam Resurrected"] * 30,
    ],
)
def test_things_are_not_people(values: list[str]) -> None:
    """Codes, versions, colours, cities, dates, times and titles are nobody's."""
    assert sdtype_of(pa.array(values)) is None


def test_long_card_numbers_as_integers() -> None:
    """Numbers that all pass Luhn's check are cards, though their column has no name for it."""
    cards = faked("credit_card_number").filter(pa.array([True] * 200)).to_pylist()
    found = detect("x", pa.array([int(card) for card in cards if len(card) == 16]))
    assert found is not None
    assert found.sdtype == "credit_card_number"


def test_addresses_inside_text_are_told() -> None:
    """A free text that holds an address here and there is text, and is shown for review."""
    texts = [f"call back on day {i}" for i in range(95)]
    found = detect("remark", pa.array([*texts, *(f"contact: p{i}@corp.org" for i in range(5))]))
    assert found is not None
    assert (found.sdtype, found.by, found.reason) == (
        "text", "values", "5% of 100 texts hold an e-mail address",
    )  # fmt: skip


@pytest.mark.parametrize("method", ["email", "iban", "name", "phone_number", "ssn"])
def test_reasons_quote_no_value(method: str) -> None:
    """A reason is of shares and numbers, never of a value."""
    values = faked(method, "es_ES")
    found = detect("c", values)
    assert found is not None
    assert not [v for v in values.to_pylist() if v in found.reason]
    assert re.search(r"\d%", found.reason)


def test_birth_dates_need_a_name_and_a_range() -> None:
    """`birth_date` of last year is one, of the year 2300 it is not."""
    days = {y: pa.array(np.array([f"{y}-05-01"] * 9, "datetime64[s]")) for y in (1980, 2300)}
    found = [is_birth_date("geburtsdatum", days[1980]), is_birth_date("dob", days[2300]),
             is_birth_date("ordered_at", days[1980])]  # fmt: skip
    assert found == [True, False, False]


def test_a_review_tells_personal_from_kept_columns() -> None:
    """What is made up is no quasi-identifier; what is kept of a person is."""
    names = ("id", "mail", "gender", "birth_date", "zip", "points")
    columns = {c: Column(c) for c in names} | {"birth_date": Column("birth_date", "datetime")}
    metadata = Metadata({"t": Table("t", columns, ("id",))})
    rows = pa.table({"mail": faked("email"), "gender": ["f", "m"] * 100})
    found = review(metadata, {"t": rows})
    assert {c: f.by for c, f in found.personal["t"].items()} == {"mail": "format", "zip": "name"}
    assert found.quasi == {"t": ("gender", "birth_date")}
