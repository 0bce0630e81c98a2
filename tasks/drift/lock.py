"""`synth.lock`: what was accepted of the warehouse's schema, by whom and when; committed.

It holds names, types and hashes; no real value and no secret. `init` and `drift accept` write it,
and nothing else does.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError

from prefect_synth.tasks.drift.facts import Facts, TableFacts
from prefect_synth.tasks.folders import write_atomically

_HEAD = """\
# What was accepted of the warehouse's schema: names, types, and hashes of defaults and comments.
# Written by `prefect-synth init` and `prefect-synth drift accept`. Commit it; do not edit it.
"""
EVERYTHING = "*"
"""The place of a decision on all tables."""
_WIDE = 1 << 20


class LockError(ValueError):
    """The lock file cannot be read; the message names it, the cause and the cure."""


class Decision(Facts):
    """What a person decided.

    Args:
        when: When, in UTC.
        who: Who, by the name that the machine knows.
        place: The table, or `table.column`.
        decision: Whether it was accepted, or left out for good.
        changes: What had moved there, a few words for each.
        data: Whether what moved in the rows is accepted as well, until the next snapshot.
    """

    when: datetime
    who: str
    place: str
    decision: Literal["accepted", "excluded"]
    changes: tuple[str, ...] = ()
    data: bool = False


class Lock(Facts):
    """What was accepted of the warehouse's schema.

    Args:
        version: Version of this file's form.
        tables: The tables as they were accepted, by the names that metadata gives them.
        excluded: Tables and `table.column`s that are left out for good.
        decisions: The decisions, the oldest first.
    """

    version: Literal[1] = 1
    tables: dict[str, TableFacts] = Field(default_factory=dict)
    excluded: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()


def lock_file(project_file: Path) -> Path:
    """`synth.lock` beside `synth.yaml`."""
    return project_file.with_suffix(".lock")


def read_lock(file: Path) -> Lock | None:
    """Read a lock file; None where there is none.

    Args:
        file: The file.

    Raises:
        LockError: It is no lock file, or of a newer version.
    """
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
        return Lock.model_validate(values)
    except FileNotFoundError:
        return None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise LockError(f"'{file}' is not YAML: {error}. {_CURE}") from None
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, found["loc"])) or "the file"
        raise LockError(f"'{file}' is wrong at {place}: {found['msg']}. {_CURE}") from None


_CURE = (
    "Take it out of version control again, or write it anew with `prefect-synth drift accept --all`"
    " after moving it away."
)


def write_lock(file: Path, lock: Lock) -> None:
    """Write a lock file, whole or not at all; the same lock gives the same bytes.

    Args:
        file: The file.
        lock: What was accepted.
    """
    values = lock.model_dump(mode="json", exclude_defaults=True)
    document: dict[str, Any] = {"version": lock.version}
    if lock.excluded:
        document["excluded"] = sorted(values["excluded"])
    if lock.decisions:
        document["decisions"] = values["decisions"]
    document["tables"] = {name: values["tables"][name] for name in sorted(lock.tables)}
    text = yaml.safe_dump(
        document, sort_keys=False, default_flow_style=None, width=_WIDE, allow_unicode=True
    )
    write_atomically(file, _HEAD + text)
