"""What a suite is made of, and how an expectation is known again after it was changed.

A suite is Great Expectations' own JSON. In `meta.prefect_synth` of a generated expectation stands
the digest of what was generated: where it no longer fits, a person has edited the expectation.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any

from prefect_synth.expectations.verdict import CheckKind

Suite = dict[str, Any]
Expectation = dict[str, Any]

OURS = "prefect_synth"
REFERENCE = "$PARAMETER"
"""The key of a value that is taken from the real data when the suite runs."""

COLUMN_GONE = "column gone"
"""Why a person's expectation is disabled whose column or table is no longer there."""

_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
_PLACE = ("column", "column_list", "column_A", "column_B", "parent_table", "parent_columns")
_COLUMNS = ("column", "column_A", "column_B")

Says = tuple[str, CheckKind, str]
"""A check's name and kind, and what is required, in words; no words where a suite must be bound."""


def expectation(
    type_: str, arguments: Mapping[str, Any], says: Says, severity: str = "critical"
) -> Expectation:
    """An expectation as JSON values, not yet stamped."""
    name, kind, required = says
    ours = {"check": name, "kind": kind} | ({"required": required} if required else {})
    return {
        "type": type_,
        "kwargs": dict(arguments),
        "meta": {OURS: ours},
        "severity": severity,
    }


def reference(name: str) -> dict[str, str]:
    """A value that is bound when the suite runs."""
    return {REFERENCE: name}


def referred_name(value: Any) -> str | None:
    """The name that a reference has; None where the value is none."""
    if isinstance(value, Mapping) and set(value) == {REFERENCE}:
        return str(value[REFERENCE])
    return None


def ours(expectation: Expectation) -> dict[str, Any]:
    """What we know of an expectation; empty for one that a person wrote."""
    found = (expectation.get("meta") or {}).get(OURS)
    return found if isinstance(found, dict) else {}


def slot(table: str, expectation: Expectation) -> str:
    """What an expectation is about: the same before and after its thresholds changed."""
    about = {k: v for k, v in expectation["kwargs"].items() if k in _PLACE}
    return f"{table}|{expectation['type']}|{json.dumps(about, sort_keys=True)}"


def digest(expectation: Expectation) -> str:
    """A hash of all that a person may edit: arguments, severity, notes, and being disabled."""
    meta = {k: v for k, v in (expectation.get("meta") or {}).items() if k != OURS}
    said = {k: v for k, v in expectation.items() if k not in {"id", "meta"}}
    disabled = ours(expectation).get("disabled")
    text = json.dumps([said, meta, *([disabled] if disabled else [])], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def stamped(table: str, expectation: Expectation) -> Expectation:
    """A generated expectation with its id and digest, neither of which depends on the night."""
    marks = {"origin": "generated", "digest": digest(expectation)}
    return {
        **expectation,
        "meta": {OURS: ours(expectation) | marks},
        "id": str(uuid.uuid5(_NAMESPACE, slot(table, expectation))),
    }


def is_untouched(expectation: Expectation) -> bool:
    """Whether the expectation is as it was generated."""
    known = ours(expectation)
    return known.get("origin") == "generated" and known.get("digest") == digest(expectation)


def is_disabled(expectation: Expectation) -> bool:
    """Whether a person, or a vanished column, took the expectation out."""
    return bool(ours(expectation).get("disabled"))


def columns_of(expectation: Expectation) -> set[str]:
    """The columns of its own table that an expectation names."""
    arguments = expectation["kwargs"]
    named = {arguments[key] for key in _COLUMNS if isinstance(arguments.get(key), str)}
    several = arguments.get("column_list")
    return named | set(several if isinstance(several, list) else ())
