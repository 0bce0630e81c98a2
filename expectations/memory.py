"""Figures that were computed before from the same rows: what has not changed is not measured again.

Numbers, and names of tables and columns, but no value; each is kept under a fingerprint of all that
it was computed from. They come from real rows and stay in private staging.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Seen = tuple[Collection[str], Collection[str]]
"""Tables of which rows are looked at, and tables of which only keys are."""


@dataclass
class Memory:
    """What is known of tables with these rows.

    Args:
        rows: By table, a fingerprint of its rows on all sides, of what they mean, and of the
            version that measures; a figure of a table without one is always computed.
        keys: By table, a fingerprint of its keys on all sides.
        known: Figures by key, as plain JSON values.
        used: Those that were asked for, known or computed: what the next judgement is to know.
    """

    rows: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, Any] = field(default_factory=dict)
    used: dict[str, Any] = field(default_factory=dict)

    def each(
        self,
        what: str,
        names: Mapping[str, Seen],
        settings: object,
        compute: Callable[[Sequence[str]], Mapping[str, Any]],
    ) -> dict[str, Any]:
        """A figure for each name: those that are known, and all others computed at once.

        Args:
            what: The kind of figure.
            names: By name, the tables whose rows the figure depends on, and those whose keys.
            settings: What else all of them depend on.
            compute: Gives the figures of some names, as plain JSON values.
        """
        keys = {name: self._key(what, name, seen, settings) for name, seen in names.items()}
        unknown = [name for name, key in keys.items() if key is None or key not in self.known]
        made = compute(unknown) if unknown else {}
        found = {n: made[n] if n in made else self.known[key or ""] for n, key in keys.items()}
        self.used |= {key: found[name] for name, key in keys.items() if key is not None}
        return found

    def _key(self, what: str, name: str, seen: Seen, settings: object) -> str | None:
        of_rows, of_keys = sorted(seen[0]), sorted(seen[1])
        if not (self.rows.keys() >= set(of_rows) and self.keys.keys() >= set(of_keys)):
            return None
        prints = [(t, self.rows[t]) for t in of_rows], [(t, self.keys[t]) for t in of_keys]
        text = repr((what, name, prints, settings))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def save(self, file: Path) -> None:
        """Write what was used, whole or not at all."""
        unfinished = file.with_name(f".{file.name}.{os.getpid()}")
        unfinished.write_text(json.dumps(self.used), encoding="utf-8")
        os.replace(unfinished, file)

    def add(self, file: Path) -> None:
        """Write what was used beside what is in the file."""
        file.write_text(json.dumps(_read(file) | self.used), encoding="utf-8")

    @classmethod
    def read(cls, rows: Mapping[str, str], keys: Mapping[str, str], file: Path | None) -> Memory:
        """What `save` wrote; nothing where there is no such file, or it is damaged."""
        return cls(rows, keys, _read(file))


def _read(file: Path | None) -> dict[str, Any]:
    try:
        known = json.loads(file.read_text(encoding="utf-8")) if file else {}
    except (OSError, ValueError):
        known = {}
    return known if isinstance(known, dict) else {}
