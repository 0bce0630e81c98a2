"""Values that are names of people, as Faker's own lists have them."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_LOCALES = (
    "en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pt_BR", "pl_PL", "sv_SE",
)  # fmt: skip
_TITLE = r"^(mr|mrs|ms|miss|dr|prof|herr|frau|m|mme|sr|sra|sig)\.? "
_SURE = 0.6
FEWEST = 20
"""Different values that there must be: four colours may be surnames by chance."""


def name_share(values: pa.Array) -> tuple[str, float] | None:
    """Which part of a name these different texts are, and how many of them the lists have.

    Args:
        values: Different texts, without nulls.

    Returns:
        `name`, `first_name` or `last_name`, and the share; None where too few of them are.
    """
    if len(values) < FEWEST:
        return None
    plain = pc.replace_substring_regex(pc.utf8_lower(pc.utf8_trim_whitespace(values)), _TITLE, "")
    plain = pc.replace_substring_regex(plain, r"^(\S+), (.+)$", r"\2 \1")
    first = pc.replace_substring_regex(plain, r" .*$", "")
    last = pc.replace_substring_regex(plain, r"^.* ", "")
    several = np.asarray(pc.match_substring(plain, " "))
    known_first, known_last = (
        np.asarray(pc.is_in(side, known))
        for side, known in zip((first, last), _known(), strict=True)
    )
    shares = {
        "name": float((several & known_first & known_last).mean()),
        "first_name": float((~several & known_first).mean()),
        "last_name": float((~several & known_last).mean()),
    }
    best = max(shares, key=lambda sdtype: shares[sdtype])
    return (best, shares[best]) if shares[best] >= _SURE else None


@lru_cache(maxsize=1)
def _known() -> tuple[pa.Array, pa.Array]:
    """First and last names of the lists, in small letters."""
    first: set[str] = set()
    last: set[str] = set()
    for locale in _LOCALES:
        provider = import_module(f"faker.providers.person.{locale}").Provider
        first |= _words(provider, "first_name")
        last |= _words(provider, "last_name")
    return pa.array(sorted(first)), pa.array(sorted(last))


def _words(provider: type, kind: str) -> set[str]:
    lists = [getattr(provider, a) for a in dir(provider) if a.startswith(kind)]
    # a list of names is a sequence, or maps names to how common they are
    return {name.lower() for some in lists if not callable(some) for name in some}
