"""Whose names and addresses a table's personal columns are, where a row has several people."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from prefect_synth.synth.encoding.choice import AnyEncoder, personal_of
from prefect_synth.synth.encoding.generated import GeneratedEncoder
from prefect_synth.synth.generation.people import PERSON_SDTYPES
from prefect_synth.synth.generation.personal import PersonalGenerator
from prefect_synth.synth.pii.names import snake

_NAMES = frozenset({"first_name", "last_name", "name"})
_WORDS = re.compile(
    r"(^|_)(first|given|fore|last|family|sur|full|user|login|e?_?mail|address|name|vorname"
    r"|nachname|prenom|nom|apellidos?|nombre|cognome|nome|url|page)(?=_|$|name)|name"
)


def with_roles(encoders: Mapping[str, AnyEncoder]) -> dict[str, AnyEncoder]:
    """The encoders of personal columns, each with the role of the person whom it is about.

    `billing_first_name` and `billing_email` are one person's; where a table has one name a row,
    everything is that person's.
    """
    found = _people(encoders)
    counts = Counter(generator.sdtype for _, generator in found.values())
    if all(counts[sdtype] < 2 for sdtype in _NAMES):
        return {}
    roles = {name: _role(name) for name in found}
    named = {roles[name] for name, (_, made) in found.items() if made.sdtype in _NAMES}
    return {
        name: replace(encoder, generator=replace(generator, role=roles[name]))
        for name, (encoder, generator) in found.items()
        if roles[name] in named
    }


def _people(
    encoders: Mapping[str, AnyEncoder],
) -> dict[str, tuple[GeneratedEncoder, PersonalGenerator]]:
    """The columns that are made of a person's name, with what makes them."""
    found = {}
    for name, encoder in encoders.items():
        generator = personal_of(encoder)
        if generator is None or generator.sdtype not in PERSON_SDTYPES:
            continue
        if isinstance(encoder, GeneratedEncoder):
            found[name] = (encoder, generator)
    return found


def _role(column: str) -> str:
    return _WORDS.sub("", snake(column)).strip("_")
