"""Rules that cannot all be true are refused before anything is trained, with both named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from prefect_synth.synth.errors import RuleError
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.rules.declared import Declared, read_rule, unknown_column


def read_rules(
    metadata: Metadata, declared: Mapping[str, Sequence[str]]
) -> dict[str, list[Declared]]:
    """Read declared rules and check them against the schema and each other.

    Args:
        metadata: The schema.
        declared: Lines by table.

    Raises:
        RuleError: A line is no rule, names what does not exist, or contradicts another.
    """
    read: dict[str, list[Declared]] = {}
    for table, lines in declared.items():
        if table not in metadata.tables:
            raise RuleError(
                f"Rules are given for '{table}', but there is no such table. "
                f"Tables: {', '.join(metadata.tables)}."
            )
        read[table] = [rule for line in lines for rule in read_rule(line)]
        for rule in read[table]:
            _check_names(metadata, table, rule)
        check_contradictions(table, read[table])
    return read


def with_unique(metadata: Metadata, declared: Mapping[str, Sequence[str]]) -> Metadata:
    """The schema with the unique keys that rules declare; the frame makes and checks them.

    Raises:
        RuleError: As `read_rules` does.
    """
    for name, rules in read_rules(metadata, declared).items():
        keys = [(r.target, *r.columns) for r in rules if r.kind == "unique"]
        table = metadata.tables[name]
        more = tuple(k for k in keys if k not in (table.primary_key, *table.unique))
        if more:
            metadata = metadata.with_table(replace(table, unique=(*table.unique, *more)))
    return metadata


def check_contradictions(table: str, rules: Sequence[Declared]) -> None:
    """Refuse rules of one table that cannot all be true.

    Raises:
        RuleError: Two rules compute one column, compute in a circle, or order in a circle, a range
            excludes another or an order, or a computed column is bounded.
    """
    _check_targets(table, rules)
    _check_circles(table, rules)
    _check_ranges(table, rules)


def _check_names(metadata: Metadata, table: str, rule: Declared) -> None:
    own = metadata.tables[table].columns
    foreign = {
        f"{other.name}.{c}": None
        for other in metadata.tables.values()
        for c in other.columns
        if other.name != table
    }
    child = rule.options.get("child")
    if child is not None and child not in metadata.tables:
        raise unknown_column(child, rule.text, list(metadata.tables))
    if rule.target not in own and not (rule.kind == "order" and rule.target in foreign):
        raise unknown_column(rule.target, rule.text, list(own))
    for column in rule.columns:
        if column not in own and column not in foreign:
            raise unknown_column(column, rule.text, [*own, *(foreign if "." in column else ())])
    if rule.kind in ("unique", "increasing"):  # a date may be in a key beside a foreign key
        return
    named = {rule.target} if rule.kind == "lookup" else {rule.target, *rule.columns}
    for column in sorted(named & metadata.key_columns(table)):
        raise RuleError(
            f"The rule '{rule.text}' of table '{table}' names '{column}', which is a key. Keys are "
            "made by the frame; leave the rule out."
        )


def _check_targets(table: str, rules: Sequence[Declared]) -> None:
    """One formula for each column, and no bound on what a formula computes."""
    computed: dict[str, Declared] = {}
    for rule in rules:
        if rule.computes:
            if rule.target in computed and computed[rule.target].text != rule.text:
                _refuse(table, computed[rule.target], rule, f"both compute '{rule.target}'")
            computed[rule.target] = rule
    for rule in rules:
        if rule.kind in ("range", "step") and rule.target in computed:
            why = f"'{rule.target}' is computed by the one, so the other cannot bound it"
            _refuse(table, computed[rule.target], rule, why)


def _check_circles(table: str, rules: Sequence[Declared]) -> None:
    computing = {r.target: r for r in rules if r.computes}
    _find_circle(table, {t: [(c, r) for c in r.columns] for t, r in computing.items()}, "compute")
    above: dict[str, list[tuple[str, Declared]]] = {}
    for rule in rules:
        if rule.kind == "order":
            above.setdefault(rule.columns[0], []).append((rule.target, rule))
    _find_circle(table, above, "order")


def _find_circle(table: str, edges: Mapping[str, list[tuple[str, Declared]]], what: str) -> None:
    for start in edges:
        waiting: list[tuple[str, list[Declared]]] = [(start, [])]
        seen: set[str] = set()
        while waiting:
            at, path = waiting.pop()
            for following, rule in edges.get(at, ()):
                if following == start:
                    first = path[0] if path else rule
                    _refuse(table, first, rule, f"they {what} '{start}' from itself, in a circle")
                if following not in seen:
                    seen.add(following)
                    waiting.append((following, [*path, rule]))


def _check_ranges(table: str, rules: Sequence[Declared]) -> None:
    """No range is empty, and none excludes an order."""
    ranges = [r for r in rules if r.kind == "range"]
    for low in [r for r in ranges if r.options["low"] is not None]:
        reached = {low.target: [low]}
        waiting = [low.target]
        while waiting:
            at = waiting.pop()
            for rule in rules:
                if rule.kind == "order" and rule.columns[0] == at and rule.target not in reached:
                    reached[rule.target] = [*reached[at], rule]
                    waiting.append(rule.target)
        for high in ranges:
            most, least = high.options["high"], low.options["low"]
            if most is None or high.target not in reached:
                continue
            if isinstance(most, str) != isinstance(least, str):
                continue
            strict = low.options["strict"] or high.options["strict"]
            if least > most or (least == most and strict):
                between = [f"'{r.text}'" for r in reached[high.target][1:]]
                why = f"with {', '.join(between)} " * bool(between) + "no value is left"
                _refuse(table, low, high, why)


def _refuse(table: str, first: Declared, second: Declared, why: str) -> None:
    raise RuleError(
        f"The rules '{first.text}' and '{second.text}' of table '{table}' contradict each other: "
        f"{why}. Leave one of them out."
    )
