"""Recording decisions on drift in `synth.lock`."""

from __future__ import annotations

import getpass
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from prefect_synth.flows.refresh_setup import Setup
from prefect_synth.tasks.drift.accepting import (
    DriftRequestError,
    Place,
    accept_place,
    exclude_place,
    find_place,
)
from prefect_synth.tasks.drift.baseline import FirstFactsError
from prefect_synth.tasks.drift.changes import Change, Drift
from prefect_synth.tasks.drift.facts import SchemaFacts, TableFacts
from prefect_synth.tasks.drift.lock import EVERYTHING, Decision, Lock, read_lock, write_lock
from prefect_synth.tasks.warehouses.warehouse import Warehouse

Verb = Literal["accepted", "excluded"]


@dataclass(frozen=True)
class Recorded:
    """What was recorded.

    Args:
        decisions: The new decisions.
        left: What is still undecided.
        written: Whether the lock file was written.
    """

    decisions: tuple[Decision, ...]
    left: Drift
    written: bool


def record(
    setup: Setup,
    warehouse: Warehouse,
    places: Sequence[str],
    every: bool,
    verb: Verb,
    data: bool = False,
) -> Recorded:
    """Record decisions in the project's lock file.

    Args:
        setup: The project and its places.
        warehouse: Its open warehouse.
        places: Tables and `table.column`s.
        every: All that moved, instead of `places`; with no lock file yet, the whole catalogue.
        verb: Whether it is accepted, or left out for good.
        data: Whether what moved in the rows is accepted as well.

    Raises:
        DriftRequestError: A place does not exist, or nothing was accepted yet.
    """
    now, known = setup.facts(warehouse), _known(setup, every)
    changes = setup.drift(warehouse).changes if known else ()
    lock = read_lock(setup.lock_file) or Lock(tables=dict(known or {}))
    if known is None and not every:
        raise DriftRequestError(
            "There is nothing to compare the warehouse with yet: no synth.lock, and no published "
            "refresh. Write one with `prefect-synth drift accept --all`."
        )
    new = lock.model_copy(update={"tables": _without(now, lock.excluded)}) if every else lock
    decisions = []
    for text in dict.fromkeys(c.place for c in changes) if every else places:
        place = find_place(text, lock.tables, now)
        new = new if every else _decided(new, now, place, text, verb)
        decisions.append(_decision(text, verb, _moved(changes, place), data))
    if (new.tables, new.excluded) == (lock.tables, lock.excluded) and not data:
        decisions = []  # nothing moved there
    if data and every:
        decisions.append(_decision(EVERYTHING, verb, (), data))
    new = new.model_copy(update={"decisions": (*lock.decisions, *decisions)})
    written = new != lock or not setup.lock_file.exists()
    if written:
        write_lock(setup.lock_file, new)
    left = Setup(setup.file, setup.project).drift(warehouse)  # by the new lock file
    return Recorded(tuple(decisions), left, written)


def _known(setup: Setup, every: bool) -> SchemaFacts | None:
    """What was accepted; where all is to be, what cannot be read in staging is of no concern."""
    try:
        return setup.baseline.tables
    except FirstFactsError:
        if not every:
            raise
        return None


def _without(tables: SchemaFacts, excluded: Collection[str]) -> dict[str, TableFacts]:
    return {name: facts for name, facts in tables.items() if name not in excluded}


def _decided(lock: Lock, now: SchemaFacts, place: Place, text: str, verb: Verb) -> Lock:
    if verb == "excluded":
        tables = exclude_place(lock.tables, now, place)
        return lock.model_copy(update={"tables": tables, "excluded": _with(lock.excluded, text)})
    tables = accept_place(lock.tables, now, place)
    excluded = tuple(name for name in lock.excluded if name != text)
    return lock.model_copy(update={"tables": tables, "excluded": excluded})


def _with(names: Collection[str], name: str) -> tuple[str, ...]:
    return tuple(sorted({*names, name}))


def _moved(changes: Collection[Change], place: Place) -> tuple[Change, ...]:
    table, column = place
    if column is None:
        return tuple(c for c in changes if table == c.table or table == c.old)
    return tuple(c for c in changes if c.table == table and column in (c.column, c.old))


def _decision(place: str, verb: Verb, moved: Collection[Change], data: bool) -> Decision:
    return Decision(
        when=datetime.now(UTC).replace(microsecond=0),
        who=_who(),
        place=place,
        decision=verb,
        changes=tuple(change.what for change in moved),
        data=data,
    )


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return "unknown"
