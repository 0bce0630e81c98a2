"""What the catalogue is compared with: `synth.lock`, or what the first published refresh saw."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from prefect_synth.tasks.drift.detecting import Baseline
from prefect_synth.tasks.drift.facts import SchemaFacts, TableFacts
from prefect_synth.tasks.drift.lock import read_lock
from prefect_synth.tasks.folders import write_atomically


def read_baseline(lock: Path, first: Path) -> Baseline:
    """Read what was accepted.

    Args:
        lock: `synth.lock`, which need not be there.
        first: What the first published refresh saw, in private staging, which need not be there.

    Raises:
        LockError: The lock file cannot be read.
    """
    found = read_lock(lock)
    if found is not None:
        return Baseline("synth.lock", found.tables, found.excluded)
    seen = read_facts(first)
    return Baseline("first refresh", seen) if seen is not None else Baseline()


def read_facts(file: Path) -> SchemaFacts | None:
    """What `write_facts` wrote; None where there is nothing, or another version wrote it."""
    try:
        tables: Mapping[str, object] = json.loads(file.read_text(encoding="utf-8"))
        return {name: TableFacts.model_validate(table) for name, table in tables.items()}
    except (FileNotFoundError, ValidationError, json.JSONDecodeError):
        return None


def keep_first_facts(file: Path, facts: SchemaFacts) -> None:
    """Write what the catalogue says, unless an earlier refresh has done so."""
    if not file.exists():
        write_facts(file, facts)


def write_facts(file: Path, facts: SchemaFacts) -> None:
    """Write what the catalogue says: names, types and hashes."""
    tables = {name: table.model_dump(mode="json") for name, table in sorted(facts.items())}
    write_atomically(file, json.dumps(tables, indent=1))
