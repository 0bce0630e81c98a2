"""Since when each change is there: noted in private staging when it is first seen."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from prefect_synth.tasks.drift.changes import Change, Drift
from prefect_synth.tasks.drift.policies import DATA_KINDS, Kind
from prefect_synth.tasks.folders import write_atomically


def with_since(drift: Drift, file: Path, unseen: Collection[Kind] = ()) -> Drift:
    """Say of each change when it was first seen, and note the new ones; others are forgotten.

    Args:
        drift: What moved.
        file: Where it is noted, in private staging; names and times alone.
        unseen: Kinds that were not looked for, so that they are not forgotten.
    """
    known, now = _read(file), datetime.now(UTC).isoformat(timespec="seconds")
    seen = {_key(change): known.get(_key(change), now) for change in drift.changes}
    kept = {key: when for key, when in known.items() if json.loads(key)[0] in unseen}
    if {**kept, **seen} != known:
        write_atomically(file, json.dumps({**kept, **seen}, indent=1, sort_keys=True))
    changes = tuple(c.model_copy(update={"since": seen[_key(c)]}) for c in drift.changes)
    return drift.model_copy(update={"changes": changes})


def _key(change: Change) -> str:
    if change.kind in DATA_KINDS:  # their texts have figures that move from night to night
        return json.dumps([change.kind, change.table, change.column])
    return json.dumps([change.kind, change.table, change.column, change.old, change.new])


def _read(file: Path) -> dict[str, str]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, UnicodeDecodeError, json.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}
