"""Which columns name a person: by the column's name, and by what its values look like."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

_BY_NAME: tuple[tuple[str, str], ...] = (
    (r"e_?mail(_address)?$", "email"),
    (r"(first|given|fore)_?names?$|^fname$", "first_name"),
    (r"(last|family|sur)_?names?$|^lname$|^surname$", "last_name"),
    (r"(phone|mobile|cell|fax|telephone)(_?(number|no|nr))?$|^tel$|msisdn", "phone_number"),
    (r"street|^addr(ess)?(_?line)?_?[12]?$", "street_address"),
    (r"(home|billing|shipping|mail)_?address$", "street_address"),
    (r"(postal|post|zip)_?code$|^zip$|^postcode$", "postcode"),
    (r"^ssn$|_ssn$|social_security|national_id(_?number)?$|tax_?payer_?id", "ssn"),
    (r"(^|_)tax_?(id|number|no|nr)$", "ssn"),
    (r"\biban\b|_iban$|^iban", "iban"),
    (r"(credit_?)?card_?(number|no|nr)$|^ccn$", "credit_card_number"),
    (r"(^|_)ip(_?v4)?(_?addr(ess)?)?$", "ipv4_address"),
    (r"^(user_?name|login(_name)?|user_login)$", "user_name"),
    (r"pass_?word|passwd|pwd_hash", "password"),
    (r"(full|customer|contact|person|employee|patient)_?name$", "name"),
    (r"(member|holder|billing|user|display)_?name$", "name"),
    (r"licen[cs]e_?plate|number_plate", "license_plate"),
)
_NAME_RULES = tuple((re.compile(pattern), sdtype) for pattern, sdtype in _BY_NAME)

_NUMBERS = frozenset({"phone_number", "postcode", "ssn", "iban", "credit_card_number"})
# `has_phone` and `num_faxes` count, and a cell may be one of a battery or a grid
_NO_PERSON = re.compile(r"^(has|is|n|nb|num|no_of|count|with)_|(^|_)(cell|mobile)$|_count$")

_PERSON_TABLES = re.compile(
    r"customer|client|user|person|people|employee|staff|patient|member|contact|guest|student|driver"
    r"|doctor|teacher|nurse|physician|agent|worker|author|player|owner|tenant|subscriber|applicant"
    r"|household|passenger|visitor|citizen|resident|borrower|donor|participant|candidate|actor"
)
_PERSONAL = re.compile(
    r"(^|_)(birth\w*|born|dob|sex|gender|age|salary|wage|income|hired|hire_date|marital\w*|race"
    r"|religion|nationality|ethnicity)(_|$)"
)

_EMAIL = r"^[^@\s]+@[^@\s]+\.[A-Za-z]{2,}$"
_BY_VALUE = (
    (_EMAIL, "email"),
    (r"^(\d{1,3}\.){3}\d{1,3}$", "ipv4_address"),
    (r"^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$", "iban"),
    (r"^\d{3}-\d{2}-\d{4}$", "ssn"),
)
_ENOUGH = 0.8
_LOOKED_AT = 10_000


def person_sdtype(name: str, values: pa.ChunkedArray, table: str = "") -> str | None:
    """The personal sdtype of a text column, or None.

    Args:
        name: The column's name, in any case.
        values: Its non-null values.
        table: The table's name; a column called just `name` is personal in a table of people.
    """
    snake = _snake(name)
    by_name = _by_name(snake)
    if by_name is not None:
        return by_name
    if snake == "name" and _PERSON_TABLES.search(table.lower()):
        return "name"
    sample = values.slice(0, _LOOKED_AT)
    return next((sdtype for pattern, sdtype in _BY_VALUE if _mostly(sample, pattern)), None)


def is_person_table(name: str) -> bool:
    """Whether a table's name says that its rows are people."""
    return bool(_PERSON_TABLES.search(name.rsplit(".", 1)[-1].lower()))


def is_about_a_person(column: str) -> bool:
    """Whether a column's name says that it tells of a person, though it need not name one."""
    return bool(_PERSONAL.search(column.lower()))


def are_emails(values: pa.Array) -> bool:
    """Whether most of these non-null texts look like e-mail addresses."""
    return _mostly(values, _EMAIL)


def _mostly(values: pa.Array | pa.ChunkedArray, pattern: str) -> bool:
    if not len(values):
        return False
    return bool(
        pc.mean(pc.match_substring_regex(values, pattern).cast(pa.int8())).as_py() >= _ENOUGH
    )


def person_number(name: str) -> str | None:
    """The personal sdtype of a column of numbers, or None: by its name, and only where it is clear.

    Numbers look alike, so their values say nothing.
    """
    snake = _snake(name)
    sdtype = None if _NO_PERSON.search(snake) else _by_name(snake)
    return sdtype if sdtype in _NUMBERS else None


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().replace(" ", "_")


def _by_name(snake: str) -> str | None:
    return next((sdtype for pattern, sdtype in _NAME_RULES if pattern.search(snake)), None)
