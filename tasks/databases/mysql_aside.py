"""Tables that MySQL holds aside while a feed goes on, and what would keep them from their places.

Their names carry a checksum, so that no table of anybody else is taken for one that a killed feed
left. A comment could not say it: an old table that is renamed keeps its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Literal

from prefect_synth.tasks.databases.errors import TargetSchemaError
from prefect_synth.tasks.databases.job import Job

Kind = Literal["new", "old", "in", "probe"]

KINDS_OF_TABLES = """
SELECT table_name, table_type, engine, @@lower_case_table_names <> 0
FROM information_schema.tables WHERE table_schema = database()
"""
_NAME = re.compile(r"prefect_synth__(\w+_\d+)_[0-9a-f]{16}")


def aside_name(kind: Kind, number: int) -> str:
    """The name of a table that lies aside.

    Args:
        kind: A `new` table before it appears, an `old` one whose place was taken, `in` for rows
            that come in, or a `probe` that is never there.
        number: Which of them.
    """
    return _signed(f"{kind}_{number}")


def left_over(names: Iterable[str]) -> list[str]:
    """The tables that a killed feed left, by their names."""
    matches = ((name, _NAME.fullmatch(name)) for name in names)
    return [name for name, match in matches if match and name == _signed(match[1])]


def check_kinds(job: Job, found: Iterable[tuple[str, str, str | None, int]]) -> None:
    """Refuse what cannot be fed as a whole, before anything is touched.

    Args:
        job: What is fed.
        found: Name, type and engine of all there is, and whether case says nothing.

    Raises:
        TargetSchemaError: A table is not InnoDB's, or something else has a new table's name.
    """
    kinds, folds = {}, False
    for name, kind, engine, folds_case in found:
        folds = bool(folds_case)
        kinds[name.lower() if folds else name] = (kind, engine)
    _check_engines(job, kinds, folds)
    _check_free(job, kinds, folds)


def _check_engines(job: Job, kinds: Mapping[str, tuple[str, str | None]], folds_case: bool) -> None:
    for table in job.present():
        name = job.place(table).name
        _, engine = kinds.get(name.lower() if folds_case else name, ("", None))
        if str(engine).lower() != "innodb":
            raise TargetSchemaError(
                f"Table '{name}' has the engine {engine}, which cannot undo a feeding that fails. "
                f"Run: ALTER TABLE `{name}` ENGINE=InnoDB; or leave the table out."
            )


def _check_free(job: Job, kinds: Mapping[str, tuple[str, str | None]], folds_case: bool) -> None:
    gone = {place.name for place in job.remade}
    for name in {table.place.name for table in job.missing()} - gone:
        kind = kinds.get(name.lower() if folds_case else name)
        if kind is not None and not (folds_case and name.lower() in {g.lower() for g in gone}):
            raise TargetSchemaError(
                f"Table '{name}' cannot be created: there is something of that name in the "
                f"database already ({kind[0]}). Drop or rename it, or leave the table out."
            )


def _signed(name: str) -> str:
    return f"prefect_synth__{name}_{sha256(f'prefect-synth {name}'.encode()).hexdigest()[:16]}"
