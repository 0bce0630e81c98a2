"""Columns of unique keys that are repaired after sampling, and the rules that can bear it.

A repair exchanges what a key is made of together with all that it is computed from, or pushes it
up: orders within the row, and above what another table says, hold whatever it does.
"""

from __future__ import annotations

from collections.abc import Iterable

from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.rules.increasing import Increasing
from prefect_synth.synth.rules.order import Above, Between
from prefect_synth.synth.rules.outside import MARK
from prefect_synth.synth.rules.rule import Rule


def repaired_columns(metadata: Metadata, name: str) -> frozenset[str]:
    """Columns of keys of several columns that are drawn like any other, and repaired if need be.

    Of a primary key these are its dates; what else is in it may be minted or counted.

    Args:
        metadata: The schema.
        name: The table.
    """
    table = metadata.tables[name]
    keys = (table.primary_key, *table.unique)
    dates = {c for c in table.primary_key if table.columns[c].sdtype == "datetime"}
    shared = {c for key in table.unique if len(key) > 1 for c in key} | dates
    alone = {key[0] for key in keys if len(key) == 1}
    made = set(table.primary_key) - dates
    return frozenset(shared - alone - made - metadata.foreign_key_columns(name))


def reads_elsewhere(rule: Rule) -> bool:
    """Whether a rule reads other rows than the one it is about."""
    outside = any(c.startswith(MARK) for c in rule.inputs)
    return outside or bool(rule.relations) or isinstance(rule, Increasing)


def may_be_pushed(rule: Rule) -> bool:
    """Whether no larger value of the target breaks what the rule says of other rows."""
    if not reads_elsewhere(rule):
        return True
    highs = rule.highs if isinstance(rule, Between) else ()
    return isinstance(rule, Above | Between) and not any(c.startswith(MARK) for c, _ in highs)


def tied_to(columns: Iterable[str], rules: Iterable[Rule]) -> frozenset[str]:
    """Those of `columns` that rules compute, with all that they are computed from."""
    sources = {r.target: r.inputs for r in rules}
    waiting, seen = [c for c in columns if c in sources], set[str]()
    while waiting:
        column = waiting.pop()
        seen.add(column)
        waiting += [c for c in sources.get(column, ()) if c not in seen]
    return frozenset(seen)
