"""Formats of personal data: patterns, and check digits where there are any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.pii import checksums

EMAIL = r"^[^@\s]+@[^@\s]+\.[A-Za-z]{2,}$"
EMAIL_INSIDE = r"[A-Za-z0-9._%+\-]+@[A-Za-z0-9\-]+(\.[A-Za-z0-9\-]+)*\.[A-Za-z]{2,}"

Check = Callable[[Ints], np.ndarray]


@dataclass(frozen=True)
class Format:
    """A form of values that people are known by.

    Args:
        sdtype: What such values are.
        label: What people call such values.
        pattern: Regular expression of a whole value.
        check: Says of the characters of compact values whether their check digits are right.
        fewest: Different values that there must be: what chance could make needs more of them.
        share: Share of the values that must have the form.
    """

    sdtype: str
    label: str
    pattern: str
    check: Check | None = None
    fewest: int = 1
    share: float = 0.8

    def fits(self, values: pa.Array) -> np.ndarray:
        """Which of these texts have the form, and right check digits, [n]."""
        fit = np.array(pc.fill_null(pc.match_substring_regex(values, self.pattern), False))
        if self.check is not None and fit.any():
            fit[fit] = _checked(compact(values.filter(pa.array(fit))), self.check)
        return fit


def compact(values: pa.Array) -> pa.Array:
    """Capitals without what only separates."""
    return pc.replace_substring_regex(pc.utf8_upper(values), r"[\s\-./()]", "")


def _checked(texts: pa.Array, check: Check) -> np.ndarray:
    """What `check` says of each text, one length after the other."""
    lengths = np.asarray(pc.utf8_length(texts))
    right = np.zeros(len(texts), bool)
    for length in np.unique(lengths):
        same = lengths == length
        right[same] = check(checksums.characters(texts.filter(pa.array(same)), int(length)))
    return right


_FEW, _MANY = 10, 20
_CARD = r"^(1800|2131|2[2-7]\d\d|[3-6]\d{3})([ \-]?\d){8,15}$"
_OCTET = r"(25[0-5]|2[0-4]\d|1?\d?\d)"
_PHONE_ABROAD = r"^(\+|00)[1-9]\d{0,2}[ .\-/]?(\(0\))?[ .\-/]?\(?\d([ .\-/()]{0,2}\d){5,12}(x\d+)?$"
_PHONE_US = r"^(\+?1[ .\-])?\(?\d{3}(\)|[ .\-]|\) )\d{3}[ .\-]\d{4}( ?x\d+)?$"
_PHONE_0 = r"^\(?0\d{1,5}(\)[ \-]?|[ /\-.])\d{2,4}([ \-.]?\d{2,4}){1,3}$"
_STREET_EN = (
    r"(?i)^\d+\s?[a-z]?,? .*\b(street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|way"
    r"|court|ct|place|pl|terrace|square|crescent|close)\b\.?"
)
_STREET_DE = r"(?i)^[\p{L} .\-]+(str\.?|straße|strasse|weg|platz|allee|gasse|straat|laan) ?\d+"
_STREET_ROMANCE = (
    r"(?i)^(\d+[,]? ?(bis|ter)?,? )?(rue|avenue|boulevard|chemin|impasse|calle|avenida|plaza|via"
    r"|viale|piazza|corso|rua|travessa) .*\p{L}"
)

NATIONAL_IDS: dict[str, Format] = {
    "us_ssn": Format("ssn", "US social security numbers", r"^\d{3}-\d{2}-\d{4}$"),
    "uk_nino": Format(
        "ssn", "UK national insurance numbers",
        r"(?i)^[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]( ?\d{2}){3} ?[A-D]$", None, _FEW,
    ),
    "es_dni": Format(
        "ssn", "Spanish DNI and NIE", r"(?i)^[XYZ\d]\d{7}[ -]?[A-Z]$", checksums.dni, _FEW
    ),
    "fr_nir": Format(
        "ssn", "French social security numbers",
        r"(?i)^[1-478] ?\d{2} ?\d{2} ?(\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}$", checksums.nir, _FEW,
    ),
    "it_cf": Format(
        "ssn", "Italian codici fiscali",
        r"(?i)^[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]$", checksums.codice_fiscale, _FEW,
    ),
    "ch_ahv": Format("ssn", "Swiss AHV numbers", r"^756[. ]?(\d[. ]?){10}$", checksums.ahv, _FEW),
    "br_cpf": Format(
        "ssn", "Brazilian CPF", r"^\d{3}\.?\d{3}\.?\d{3}-?\d{2}$", checksums.cpf, _FEW, 0.9
    ),
    "de_steuer": Format(
        "ssn", "German tax ids", r"^\d{2} ?\d{3} ?\d{3} ?\d{3}$", checksums.steuer_id, _MANY, 0.9
    ),
    "pl_pesel": Format("ssn", "Polish PESEL", r"^\d{11}$", checksums.pesel, _MANY, 0.9),
    "nl_bsn": Format("ssn", "Dutch BSN", r"^\d{9}$", checksums.bsn, _MANY, 0.9),
}  # fmt: skip
"""National ids by kind; those that chance makes most easily come last."""

FORMATS: tuple[Format, ...] = (
    Format("email", "e-mail addresses", EMAIL),
    Format("ipv4_address", "IPv4 addresses", rf"^({_OCTET}\.){{3}}{_OCTET}$"),
    Format("mac_address", "MAC addresses", r"(?i)^([0-9a-f]{2}[:\-]){5}[0-9a-f]{2}$", None, 5),
    Format(
        "ipv6_address", "IPv6 addresses",
        r"(?i)^([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}$|^[0-9a-f:]*::[0-9a-f:]*$", None, 5,
    ),
    Format("iban", "IBANs", r"(?i)^[A-Z]{2}\d{2}( ?[A-Z0-9]){11,30}$", checksums.iban),
    Format("credit_card_number", "card numbers", _CARD, checksums.luhn, _FEW, 0.9),
    *NATIONAL_IDS.values(),
    Format("phone_number", "phone numbers", f"{_PHONE_ABROAD}|{_PHONE_US}|{_PHONE_0}", None, _FEW),
    Format("url", "addresses of people's pages",
           r"(?i)^https?://[^/\s]+/(@|~|u/|users?/|profiles?/|people/|members?/|in/)[^/\s]+/?$",
           None, _FEW),
    Format("user_name", "user handles", r"^@[A-Za-z0-9_.]{2,30}$", None, _FEW),
    Format("postcode", "postcodes",
           r"^[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}$|^[A-Z]\d[A-Z] \d[A-Z]\d$|^\d{4} [A-Z]{2}$",
           None, _FEW),
    Format("license_plate", "licence plates",
           r"^[A-ZÄÖÜ]{1,3}-[A-Z]{1,2} \d{1,4}[EH]?$|^[A-Z]{2}\d{2} [A-Z]{3}$"
           r"|^[A-Z]{2}-\d{3}-[A-Z]{2}$|^\d{4} [BCDFGHJKLMNPRSTVWXYZ]{3}$", None, _FEW, 0.9),
    Format("street_address", "street addresses",
           f"{_STREET_EN}|{_STREET_DE}|{_STREET_ROMANCE}", None, _FEW, 0.6),
)  # fmt: skip
"""All forms, the surest first."""
