"""How the judgement of two snapshots differs, from their manifests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ScoreChange:
    """A figure before and after.

    Args:
        name: Which figure, with its table and column.
        before: What it was; None where there was none.
        after: What it is.
    """

    name: str
    before: float | None
    after: float | None

    @property
    def difference(self) -> float | None:
        """After minus before, where both are there."""
        if self.before is None or self.after is None:
            return None
        return round(self.after - self.before, 6)


@dataclass(frozen=True)
class CheckChange:
    """A check whose verdict is another.

    Args:
        name: What is checked, and where.
        before: Its status before; None where there was no such check.
        after: Its status after.
    """

    name: str
    before: str | None
    after: str | None


def score_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[ScoreChange]:
    """Compare the figures of two manifests, those that moved most first."""
    old, new = _scores(before), _scores(after)
    changes = [ScoreChange(n, old.get(n), new.get(n)) for n in {**old, **new}]
    return sorted(changes, key=lambda change: -abs(change.difference or 0))


def check_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[CheckChange]:
    """List the checks whose status is another."""
    old, new = _checks(before), _checks(after)
    changes = [CheckChange(n, old.get(n), new.get(n)) for n in {**old, **new}]
    return [change for change in changes if change.before != change.after]


def _scores(manifest: Mapping[str, Any]) -> dict[str, float]:
    scores = manifest.get("scores") or ()
    return {_place(s): s["found"] for s in scores if s.get("found") is not None}


def _checks(manifest: Mapping[str, Any]) -> dict[str, str]:
    checks = (manifest.get("verdict") or {}).get("checks", ())
    return {f"{_place(check)} ({check['kind']})": check["status"] for check in checks}


def _place(named: Mapping[str, Any]) -> str:
    parts = (named.get(key) for key in ("table", "column"))
    place = ".".join(part for part in parts if part)
    return f"{named['name']} {place}".rstrip()
