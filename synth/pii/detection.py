"""Is a column personal? By its name, by the format of its values, or by the values themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.pii.formats import EMAIL, EMAIL_INSIDE, FORMATS, NATIONAL_IDS, Format
from prefect_synth.synth.pii.names import name_sdtype, person_number
from prefect_synth.synth.pii.people import name_share

LOOKED_AT = 10_000
"""Values that are looked at."""
_FREE_TEXT = 0.005
_FEWEST_INSIDE = 3
_LONG_NUMBER = 13
_BY_NAME = 0.9

By = Literal["name", "format", "values"]


@dataclass(frozen=True)
class Finding:
    """Why a column is taken for personal data.

    Args:
        sdtype: What its values are; `text` for free text that holds personal data here and there.
        by: What tells it: the column's name, the format of the values, or lists of names.
        reason: A sentence for people; it never quotes a value.
        confidence: From 0 to 1.
    """

    sdtype: str
    by: By
    reason: str
    confidence: float


def detect(name: str, values: pa.Array | pa.ChunkedArray, table: str = "") -> Finding | None:
    """Look for personal data in a column of texts or numbers.

    Args:
        name: The column's name.
        values: Its non-null values; the first 10,000 are looked at.
        table: The table's name; a column called just `name` is personal in a table of people.

    Returns:
        The finding, or None where nothing speaks for it.
    """
    some = _some(values)
    if not pa.types.is_string(some.type):
        return _detect_number(name, some)
    sdtype = name_sdtype(name, table)
    if sdtype is not None:
        return _named(sdtype, _by_format(some))
    return _by_format(some) or _by_lists(some) or _inside(some)


def are_emails(values: pa.Array) -> bool:
    """Whether most of these non-null texts look like e-mail addresses."""
    return bool(len(values)) and bool(Format("email", "", EMAIL).fits(values).mean() >= 0.8)


def national_id(values: pa.Array) -> str | None:
    """Which kind of national id these texts are, a key of `NATIONAL_IDS`, or None."""
    some = _some(values)
    return next((kind for kind, form in NATIONAL_IDS.items() if _share(form, some)), None)


def _named(sdtype: str, seen: Finding | None) -> Finding:
    if seen is None or seen.sdtype != sdtype:
        return Finding(sdtype, "name", "the column's name says so", _BY_NAME)
    return Finding(sdtype, "name", f"the column's name says so, and {seen.reason}", 1.0)


def _by_format(values: pa.Array) -> Finding | None:
    different = pc.count_distinct(values).as_py() if len(values) else 0
    for form in FORMATS:
        share = _share(form, values, different)
        if share:
            verb = "pass the checksum of" if form.check else "look like"
            reason = f"{_percent(share)} of {len(values):,} values {verb} {form.label}"
            return Finding(form.sdtype, "format", reason, share)
    return None


def _share(form: Format, values: pa.Array, different: int | None = None) -> float:
    """Share of the values that have the form, or 0 where it or their number is too small."""
    if not len(values):
        return 0.0
    different = pc.count_distinct(values).as_py() if different is None else different
    if different < form.fewest:
        return 0.0
    share = float(form.fits(values).mean())
    return share if share >= form.share else 0.0


def _by_lists(values: pa.Array) -> Finding | None:
    found = name_share(pc.unique(values))
    if found is None:
        return None
    sdtype, share = found
    what = {"name": "full names", "first_name": "first names", "last_name": "last names"}[sdtype]
    return Finding(sdtype, "values", f"{_percent(share)} of its different values are {what}", share)


def _inside(values: pa.Array) -> Finding | None:
    """Texts in which e-mail addresses stand here and there."""
    if not len(values):
        return None
    inside = np.asarray(pc.match_substring_regex(values, EMAIL_INSIDE))
    if inside.sum() < _FEWEST_INSIDE or inside.mean() < _FREE_TEXT:
        return None
    reason = f"{_percent(float(inside.mean()))} of {len(values):,} texts hold an e-mail address"
    return Finding("text", "values", reason, float(inside.mean()))


def _detect_number(name: str, values: pa.Array) -> Finding | None:
    """Numbers look alike: their name decides, or a checksum that a random number rarely passes."""
    sdtype = person_number(name)
    if sdtype is not None:
        return Finding(sdtype, "name", "the column's name says so", _BY_NAME)
    if not pa.types.is_integer(values.type) or not len(values):
        return None
    if (pc.min(values).as_py() or 0) < 10 ** (_LONG_NUMBER - 1):
        return None
    cards = next(form for form in FORMATS if form.sdtype == "credit_card_number")
    share = _share(cards, values.cast(pa.string()))
    reason = f"{_percent(share)} of {len(values):,} values pass the checksum of card numbers"
    return Finding("credit_card_number", "format", reason, share) if share else None


def _some(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    some = values.slice(0, LOOKED_AT)
    some = some.combine_chunks() if isinstance(some, pa.ChunkedArray) else some
    if pa.types.is_dictionary(some.type):
        some = some.cast(some.type.value_type)
    some = some.cast(pa.string()) if pa.types.is_large_string(some.type) else some
    return some.drop_null()


def _percent(share: float) -> str:
    return f"{share:.0%}" if share < 0.995 or share == 1 else f"{share:.1%}"
