"""What the catalogue is compared with: `synth.lock`, or what the first published refresh saw."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from prefect_synth.tasks.drift.detecting import Baseline
from prefect_synth.tasks.drift.facts import SchemaFacts, TableFacts
from prefect_synth.tasks.drift.lock import LockError, read_lock
from prefect_synth.tasks.folders import write_atomically


class FirstFactsError(LockError):
    """What the first published refresh saw is there and cannot be read: all would seem accepted."""


def read_baseline(lock: Path, first: Path) -> Baseline:
    """Read what was accepted.

    Args:
        lock: `synth.lock`, which need not be there.
        first: What the first published refresh saw, in private staging, which need not be there.

    Raises:
        LockError: The lock file cannot be read, or is not there and neither can the other be read.
    """
    found = read_lock(lock)
    if found is not None:
        return Baseline("synth.lock", found.tables, found.excluded)
    seen = read_facts(first)
    return Baseline("first refresh", seen) if seen is not None else Baseline()


def read_facts(file: Path) -> SchemaFacts | None:
    """Read what `write_facts` wrote; None where there is nothing.

    Args:
        file: The file.

    Raises:
        FirstFactsError: It was cut off, or another version wrote it.
    """
    try:
        return _FACTS.validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, found["loc"])) or "its beginning"
        raise FirstFactsError(
            f"'{file}', what was accepted of the warehouse's schema, cannot be read at {place}: "
            f"{found['msg']}. Look at the warehouse's columns, and write down that they are "
            "accepted with `prefect-synth drift accept --all`; synth.lock then stands for it."
        ) from None


_FACTS: TypeAdapter[dict[str, TableFacts]] = TypeAdapter(dict[str, TableFacts])


def keep_first_facts(file: Path, facts: SchemaFacts) -> None:
    """Write what the catalogue says, unless an earlier refresh has done so."""
    if not file.exists():
        write_facts(file, facts)


def write_facts(file: Path, facts: SchemaFacts) -> None:
    """Write what the catalogue says: names, types and hashes."""
    tables = {name: table.model_dump(mode="json") for name, table in sorted(facts.items())}
    write_atomically(file, json.dumps(tables, indent=1))
