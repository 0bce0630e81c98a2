"""Any schema at all: random tables, keys and references, at random scales."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from prefect_synth.synth.errors import ContractError
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.synth.scenarios.scenario import ChildCount, Scenario


@st.composite
def schemas(draw):
    """Metadata and tables: up to five tables, each with up to three references."""
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    count = draw(st.integers(1, 5))
    tables, described, relations = {}, {}, []
    for at in range(count):
        name, rows = f"t{at}", draw(st.sampled_from([0, 1, 2, 7, 25, 60]))
        parents = draw(st.lists(st.integers(0, at), max_size=3)) if rows else []
        junction = draw(st.booleans()) and len({p for p in parents if p < at}) >= 2
        columns, fields, unique = {}, [], []
        if not junction:
            columns["id"] = np.arange(rows)
            fields.append(pa.field("id", pa.int64(), False))
        for number, parent in enumerate(parents):
            kind = draw(st.sampled_from(["plain", "nullable", "unique"]))
            key = f"f{number}"
            values = link(rng, rows, parent, at, tables, kind, junction)
            if values is None:
                continue
            columns[key] = values
            fields.append(pa.field(key, pa.int64(), values.null_count > 0))
            relations.append(Relationship(name, (key,), f"t{parent}", ("id",)))
            if kind == "unique" and not junction:
                unique.append((key,))
        for number in range(draw(st.integers(0, 2))):
            columns[f"x{number}"] = own(rng, rows, draw(st.integers(0, 3)))
            fields.append(pa.field(f"x{number}", pa.array(columns[f"x{number}"]).type))
        table = pa.table(
            [pa.array(columns[f.name], f.type) for f in fields], schema=pa.schema(fields)
        )
        references = [c for c in columns if c.startswith("f")]
        primary = ("id",)
        if junction:
            table = unique_rows(table, references)
            primary = tuple(references)
            relations = [r for r in relations if r.parent != name]
        tables[name], described[name] = table, Table(name, meanings(table), primary, tuple(unique))
    known = {n for n, t in described.items() if t.primary_key == ("id",)}
    return Metadata(described, tuple(r for r in relations if r.parent in known)), tables


def link(rng, rows, parent, at, tables, kind, junction):
    """Values of a reference, or None where there is nothing to refer to."""
    if parent == at:
        if junction or not rows:
            return None
        above = [
            None if i == 0 or rng.random() < 0.2 else int(rng.integers(0, i)) for i in range(rows)
        ]
        return pa.array(above if kind != "unique" else [None, *range(rows - 1)], pa.int64())
    target = tables[f"t{parent}"]
    if "id" not in target.column_names:
        return None
    size = len(target)
    if kind == "unique" and not junction:
        chosen = np.full(rows, -1)
        some = min(rows, size)
        chosen[rng.permutation(rows)[:some]] = rng.permutation(size)[:some]
        return pa.array(chosen, pa.int64(), mask=chosen < 0)
    if not size:
        return None if junction else pa.nulls(rows, pa.int64())
    null = rng.random(rows) < 0.3 if kind == "nullable" and not junction else np.zeros(rows, bool)
    return pa.array(rng.integers(0, size, rows), pa.int64(), mask=null)


def own(rng, rows, kind):
    """An own column of one of four kinds."""
    return [
        lambda: pa.array(rng.normal(size=rows), mask=rng.random(rows) < 0.2),
        lambda: pa.array(rng.integers(0, 5, rows), pa.int16()),
        lambda: pa.array([["red", "blue", None][i] for i in rng.integers(0, 3, rows)], pa.string()),
        lambda: pa.array([f"word {i}" for i in range(rows)], pa.string()),
    ][kind]()


def unique_rows(table, columns):
    """The first row of each combination of `columns`."""
    first = table.select(columns).to_pandas().drop_duplicates().index
    return table.take(pa.array(first))


def meanings(table):
    """Sdtypes by name and type."""
    return {
        f.name: Column(
            f.name,
            "id" if f.name[0] in "if" else "categorical" if f.type == pa.string() else "numerical",
            f.nullable,
        )
        for f in table.schema
    }


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(schemas(), st.sampled_from([0.1, 0.5, 1.0, 2.0]), st.integers(0, 99))
def test_any_schema_can_be_copied(audit, schema, scale, seed):
    """Whatever the tables and their references are, the copy passes the audit."""
    metadata, tables = schema
    made = HMASynthesizer(metadata, seed=seed).fit(tables).sample(scale)
    audit(metadata, tables, made)
    assert all(bool(len(made[n])) == bool(len(t)) for n, t in tables.items())


def stages(tables, growth):
    """Scales by table, one after the other, each by other factors than the one before."""
    found, now = [], dict.fromkeys(tables, 1.0)
    for factors in growth:
        now = {name: now[name] * factor for name, factor in zip(tables, factors, strict=False)}
        found.append(now)
    return found


FACTORS = st.sampled_from([1.0, 1.01, 1.1, 1.5, 3.0, 1.0, 0.7])


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    schemas(),
    st.lists(st.lists(FACTORS, min_size=5, max_size=5), min_size=2, max_size=2),
    st.integers(0, 9),
)
def test_any_schema_can_grow(audit, schema, growth, seed):
    """Whatever is appended, table by table, the rows before it stay, and the whole is audited.

    Tables that shrink, and those that refer to them, are drawn anew; no other one is.
    """
    metadata, tables = schema
    model = HMASynthesizer(metadata, seed=seed).fit(tables)
    before, after = model.sample(), [1.0]
    for scale in stages(tables, growth):
        sampler = model.sampler(scale, after=after)
        made = sampler.tables()
        audit(metadata, tables, made)
        assert set(sampler.anew) <= shrunk_or_below(metadata, before, made)
        for name in tables.keys() - set(sampler.anew):
            assert made[name].slice(0, len(before[name])).equals(before[name]), name
        before, after = made, [*after, scale]


def shrunk_or_below(metadata, before, made):
    """Tables with fewer rows than before, and all that refer to them."""
    found = {name for name, table in before.items() if len(made[name]) < len(table)}
    for _ in metadata.tables:
        found |= {r.child for r in metadata.relationships if r.parent in found}
    return found


def quotas(tables, metadata, wanted):
    """A scenario for each table that has children and a column of its own: both, or one."""
    found = {}
    for name, rows in tables.items():
        below = [r.name for r in metadata.children(name) if r.child != name]
        if not below or "x0" not in rows.column_names or len(rows) < 7:
            continue
        where = "" if wanted == "children" else "x0 IS NOT NULL"
        children = {} if wanted == "where" else {below[0]: ChildCount(2, or_more=True)}
        found[name] = (Scenario("some", 1, where, children),)
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    schemas(),
    st.lists(FACTORS, min_size=5, max_size=5),
    st.sampled_from(["where", "children", "both"]),
    st.integers(0, 9),
)
def test_any_schema_can_grow_with_scenarios(audit, schema, growth, wanted, seed):
    """What holds at first holds later; tables that could not be appended to are drawn anew."""
    metadata, tables = schema
    asked = quotas(tables, metadata, wanted)
    model = HMASynthesizer(metadata, seed=seed).fit(tables)
    try:
        before = model.sample(scenarios=asked)
    except ContractError:
        assume(False)
    (scale,) = stages(tables, [growth])
    try:
        sampler = model.sampler(scale, after=[1.0], scenarios=asked)
    except ContractError:  # of fewer rows too few may be asked for
        assume(False)
    made = sampler.tables()
    audit(metadata, tables, made)
    for name in tables.keys() - set(sampler.anew):
        assert made[name].slice(0, len(before[name])).equals(before[name]), name
    for name, (scenario,) in asked.items():
        good = np.ones(len(made[name]), bool)
        if scenario.where:
            good &= made[name]["x0"].is_valid().to_numpy()
        for relation in scenario.children:
            link = next(r for r in metadata.relationships if r.name == relation)
            ids = made[link.child][link.child_columns[0]].to_pylist()
            counts = Counter(ids)
            good &= np.array([counts[i] >= 2 for i in made[name]["id"].to_pylist()])
        assert good.any(), name
