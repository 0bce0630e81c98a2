"""A first `synth.yaml`, written from the catalogue, with questions as comments."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping

from prefect_synth.synth.hierarchy.units import people_of
from prefect_synth.synth.metadata import Column, Metadata, Table
from prefect_synth.synth.pii.detection import Finding
from prefect_synth.synth.pii.names import is_person_table
from prefect_synth.synth.pii.review import Review
from prefect_synth.synth.rules.formulas import quoted

_NAMING = re.compile(r"(^|_)(name|title|label|description|code)$", re.IGNORECASE)
_BEGINNINGS = (
    ("start", "end"), ("begin", "end"), ("valid_from", "valid_to"), ("from", "to"),
    ("open", "close"), ("opened", "closed"), ("created", "updated"), ("ordered", "shipped"),
    ("rental", "return"),
)  # fmt: skip
_MOST_ROWS = 2000
_LEAST_FAN_OUT = 50


def scaffold(
    project: str,
    warehouse: str,
    sandbox: str,
    metadata: Metadata,
    rows: Mapping[str, int],
    found: Review | None = None,
) -> str:
    """Write a project file.

    Args:
        project: The project's name.
        warehouse: URL without a password; `${NAME}` where one is needed.
        sandbox: Where to publish.
        metadata: The catalogue's schema, with what a review found.
        rows: Rows by table.
        found: Why columns are taken for personal, and which ones may tell a person together.

    Returns:
        The text of `synth.yaml`.
    """
    return "\n".join((_head(project, warehouse, sandbox), *_questions(metadata, rows, found), ""))


def _head(project: str, warehouse: str, sandbox: str) -> str:
    return f"""# What prefect-synth refreshes, from where, to where. Other keys have good defaults.
version: 1
project: {project}

warehouse:
  url: {warehouse}

sandbox:
  url: {sandbox}

run:
  schedule: "30 2 * * *"      # by `prefect-synth serve`
  timezone: UTC"""


def _questions(metadata: Metadata, rows: Mapping[str, int], found: Review | None) -> Iterator[str]:
    guessed = sorted(set(_guessed_relations(metadata)))
    if guessed:
        yield "\n# Do these columns refer to another table? The catalogue does not say so:"
        yield "# relations:"
        yield from (f"#   - {relation}" for relation in guessed)
    yield from _privacy(people_of(metadata, rows), found.quasi if found else {})
    reasons = found.personal if found else {}
    others = metadata.subset(t for t in metadata.tables if t not in reasons)
    references = _references(metadata, rows, reasons)
    tables = [*_generated(metadata, reasons), *_orders(others), *references]
    if tables:
        yield "\n# Please look at these, and take the comment signs away where you want it said:"
        yield "# tables:"
        yield from tables


def _privacy(people: str | None, quasi: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    end = "." if quasi else ":"
    if people is not None:
        yield "\n# Are the rows of this table the people whose privacy counts? Then what is rare is"
        yield f"# counted in people, in it and in all tables below it (docs/project-file.md){end}"
    if people is not None and not quasi:
        yield f"# privacy: {{unit: {people}}}"
    if not quasi:
        return
    yield from [] if people is not None else [""]
    yield "# These columns are kept, and together may tell a person; are they all there are?"
    yield "# privacy:"
    yield from [f"#   unit: {people}"] if people is not None else []
    yield "#   quasi_identifiers:"
    yield from (f"#     {_key(t)}: [{', '.join(map(_key, c))}]" for t, c in quasi.items())


def _references(
    metadata: Metadata, rows: Mapping[str, int], personal: Collection[str]
) -> Iterator[str]:
    for table in metadata.tables.values():
        if table.name not in personal and may_be_reference(table, metadata, rows):
            yield f"#   # {rows[table.name]} rows: public reference data that hold nobody's secret?"
            yield "#   # Only then publish its REAL rows as they are:"
            yield f"#   {table.name}: {{model: copy}}"


def _guessed_relations(metadata: Metadata) -> Iterator[str]:
    """Columns named after another table's one-column key, by the table's name or the key's."""
    declared = {(r.child, c) for r in metadata.relationships for c in r.child_columns}
    for parent in metadata.tables.values():
        if len(parent.primary_key) != 1:
            continue
        [key] = parent.primary_key
        stem = parent.name.rsplit(".", 1)[-1].lower().removesuffix("s")
        names = {f"{stem}_id", f"{stem}id"} | ({key.lower()} if key.lower() != "id" else set())
        for child in metadata.tables.values():
            for column in child.columns:
                known = (child.name, column) in declared or column in child.primary_key[:1]
                if child is not parent and not known and column.lower() in names:
                    yield f"{child.name}.{column} -> {parent.name}.{key}"


def _generated(metadata: Metadata, reasons: Mapping[str, Mapping[str, Finding]]) -> Iterator[str]:
    for table in metadata.tables.values():
        why = reasons.get(table.name, {})
        found = [c for c in table.columns.values() if c.is_generated or c.name in why]
        if found:
            yield "#   # Personal, so the values are made up and never learned. Is that so?"
            yield f"#   {table.name}:"
            yield "#     columns:"
            yield from (f"#       {_key(c.name)}: {_meaning(c, why.get(c.name))}" for c in found)
            yield from _ordered(table)


def _orders(metadata: Metadata) -> Iterator[str]:
    for table in metadata.tables.values():
        found = list(_ordered(table))
        if found and not any(column.is_generated for column in table.columns.values()):
            yield f"#   {table.name}:"
            yield from found


def _ordered(table: Table) -> Iterator[str]:
    """Dates that are named as a beginning and an end; all other rules are found in the rows."""
    dates = {c.name.lower(): c.name for c in table.columns.values() if c.sdtype == "datetime"}
    pairs = [
        (dates[name], dates[other])
        for name in dates
        for first, last in _BEGINNINGS
        if (other := re.sub(rf"(^|_){first}", rf"\1{last}", name)) != name and other in dates
    ]
    if pairs:
        yield "#     rules:    # Never the other way round? Then so on every row (docs/rules.md)"
        yield from (f"#       - {quoted(low)} <= {quoted(high)}" for low, high in pairs)


def _key(name: str) -> str:
    """A name as YAML takes it."""
    return name if re.fullmatch(r"[^\W\d][\w.]*", name) else json.dumps(name)


def _meaning(column: Column, why: Finding | None) -> str:
    if why is not None and why.sdtype == "text":
        return f"{{sdtype: text}}    # {why.reason}: better excluded?"
    meaning = f"{{sdtype: {column.sdtype}, pii: true}}"
    return meaning if why is None else f"{meaning}    # {why.reason}"


def may_be_reference(table: Table, metadata: Metadata, rows: Mapping[str, int]) -> bool:
    """Whether to ask if a table is public reference data; a person decides.

    Small, referred to often, named, and by no sign about people.
    """
    children = metadata.children(table.name)
    size = rows[table.name]
    fan_out = sum(rows[r.child] for r in children) / max(size, 1)
    personal = any(column.is_generated for column in table.columns.values())
    named = any(_NAMING.search(column) for column in table.columns)
    natural = any(table.columns[c].sdtype not in {"numerical", "id"} for c in table.primary_key)
    return (
        not metadata.parents(table.name)
        and not personal
        and not is_person_table(table.name)
        and 0 < size <= _MOST_ROWS
        and fan_out >= _LEAST_FAN_OUT
        and (named or natural)
    )
