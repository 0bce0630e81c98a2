"""Check digits: right ones pass, a wrong digit does not, and made ones are right."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_synth.synth.generation.national_ids import LENGTHS, MAKERS, ROOM
from prefect_synth.synth.pii import checksums
from prefect_synth.synth.pii.formats import FORMATS, NATIONAL_IDS

# published examples of the offices and standards, none of them anybody's
GENUINE = {
    "es_dni": ["12345678Z", "X1234567L"],
    "fr_nir": ["255081416802538", "1 51 02 46 102 043 25"],
    "it_cf": ["RSSMRA85T10A562S"],
    "de_steuer": ["86095742719", "65929970489"],
    "nl_bsn": ["111222333"],
    "pl_pesel": ["44051401359"],
    "br_cpf": ["529.982.247-25"],
    "ch_ahv": ["756.9217.0769.85"],
}
CHECKED = [kind for kind in MAKERS if kind in NATIONAL_IDS and NATIONAL_IDS[kind].check]
IBAN = next(form for form in FORMATS if form.sdtype == "iban")
CARD = next(form for form in FORMATS if form.sdtype == "credit_card_number")


@pytest.mark.parametrize(("kind", "value"), [(k, v) for k, some in GENUINE.items() for v in some])
def test_published_examples_pass(kind: str, value: str) -> None:
    """The examples that the offices print are right."""
    assert NATIONAL_IDS[kind].fits(pa.array([value])).tolist() == [True]


@pytest.mark.parametrize(
    "value",
    ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "NL91ABNA0417164300",
     "FR1420041010050500013M02606", "NO9386011117947"],
)  # fmt: skip
def test_ibans_pass(value: str) -> None:
    """The examples of the IBAN registry are right, with spaces and without."""
    assert IBAN.fits(pa.array([value])).tolist() == [True]


@pytest.mark.parametrize(
    "value", ["GB82WEST12345698765433", "DE8937040044053201300", "ZZ89370400440532013000"]
)
def test_wrong_ibans_do_not_pass(value: str) -> None:
    """A wrong digit, a wrong length and an unknown country are seen."""
    assert IBAN.fits(pa.array([value])).tolist() == [False]


@given(st.sampled_from(CHECKED), st.integers(0, 10**12))
def test_made_ids_are_right(kind: str, number: int) -> None:
    """Whatever the number, the id that is made of it passes its check."""
    codes = MAKERS[kind](np.array([number % ROOM[kind]]))
    assert codes.shape == (1, LENGTHS[kind])
    assert NATIONAL_IDS[kind].fits(checksums.texts_of(codes)).tolist() == [True]


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_made_ids_differ(kind: str) -> None:
    """Other numbers give other ids, from the first to the last."""
    numbers = np.unique(np.linspace(0, ROOM[kind] - 1, 20_000).astype(np.int64))
    texts = checksums.texts_of(MAKERS[kind](numbers))
    assert len(set(texts.to_pylist())) == len(numbers)


@given(st.lists(st.integers(0, 9), min_size=12, max_size=18))
def test_luhn_round_trip(digits: list[int]) -> None:
    """A number with its own digit passes, with any other digit it does not."""
    body = np.array([digits])
    right = int(checksums.luhn_digit(body)[0])
    whole = [np.append(body, [[d]], axis=1) + 48 for d in range(10)]
    assert [d for d in range(10) if checksums.luhn(whole[d])[0]] == [right]


@pytest.mark.parametrize("number", ["4111111111111111", "5555 5555 5555 4444", "378282246310005"])
def test_test_cards_pass(number: str) -> None:
    """The networks' test numbers are right."""
    assert CARD.fits(pa.array([number])).tolist() == [True]
