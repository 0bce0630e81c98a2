"""A model in parts: a step is keyed by what it depends on; kept steps give the same bytes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefect_synth.synth.hierarchy.extended import Extended, personal_of, prints_of
from prefect_synth.synth.hierarchy.extending import extend_table
from prefect_synth.synth.hierarchy.extensions import Extensions, part_fingerprint, share
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.hierarchy.linking import link, needs
from prefect_synth.synth.metadata import Column
from prefect_synth.synth.storage import fingerprint_of

KEYS = {"customer": "id", "invoice": "id", "line": "id", "visit": "id", "apart": "id"}
RELATIONS = [
    "invoice.customer -> customer.id",
    "line.invoice -> invoice.id",
    "visit.customer -> customer.id",
]
VALUES = {
    "customer": "age", "invoice": "amount", "line": "quantity", "visit": "hour", "apart": "x",
}  # fmt: skip


def draw(rows=30):
    """Customers with invoices, their lines, and visits; and a table apart."""
    rng = np.random.default_rng(11)

    def numbers(size, name, most):
        return pa.table({"id": np.arange(size), name: rng.integers(0, most, size)})

    def below(parents, size, key, name, most):
        return numbers(size, name, most).append_column(
            key, pa.array(np.sort(rng.integers(0, parents, size)))
        )

    return {
        "customer": numbers(rows, "age", 70),
        "invoice": below(rows, 3 * rows, "customer", "amount", 500),
        "line": below(3 * rows, 6 * rows, "invoice", "quantity", 9),
        "visit": below(rows, 2 * rows, "customer", "hour", 24),
        "apart": numbers(rows, "x", 9),
    }


class Night:
    """A fit in steps that takes over every step whose key is known, as a refresh does."""

    def __init__(self, metadata, tables, known=None):
        model = HMASynthesizer(metadata, seed=3)
        linked = link(metadata, tables, model.settings)
        rows = {name: fingerprint_of(table.to_pydict()).hex() for name, table in tables.items()}
        loaded, done, self.known, self.ran = linked.tables(tables), {}, dict(known or {}), set()
        for level in linked.levels():
            for name in level:
                around = linked.around(name)
                siblings = [prints_of(metadata, c, done[c]).siblings for c in around.before]
                key = name, needs(metadata, name, around, rows, model.settings), *siblings
                done[name] = self._step(
                    key,
                    lambda n=name, a=around: extend_table(
                        metadata, n, loaded, a, done, model.settings
                    ),
                )
        shared = share(linked, loaded, {name: personal_of(e) for name, e in done.items()})
        extensions = Extensions(linked.plan, done).sharing(shared)
        prints = {name: prints_of(metadata, name, e) for name, e in done.items()}
        self.keys = {
            n: part_fingerprint(metadata, linked.plan, n, model.settings, prints, shared[n])
            for n in tables
        }
        self.parts = {
            n: self._step(("part", n, key), lambda n=n: model.fit_part(n, extensions))
            for n, key in self.keys.items()
        }

    def _step(self, key, make):
        if key not in self.known:
            self.ran.add(key[:2] if key[0] == "part" else key[0])
            self.known[key] = make()
        return self.known[key]

    @property
    def trained(self):
        """Tables whose part was trained."""
        return {step[1] for step in self.ran if step[0] == "part"}


@pytest.fixture(scope="module")
def base(module_schema):
    """The schema, the rows, and a first night."""
    tables = draw()
    return module_schema, tables, Night(module_schema, tables)


@pytest.fixture(scope="module")
def module_schema():
    """The schema of the tables."""
    from prefect_synth.synth.metadata import Metadata, Relationship, Table

    described = {
        name: Table(
            name,
            {
                c: Column(c, "numerical" if c == VALUES[name] else "id", nullable=False)
                for c in table.column_names
            },
            ("id",),
        )
        for name, table in draw().items()
    }
    pairs = [relation.replace(" -> ", ".").split(".") for relation in RELATIONS]
    return Metadata(described, tuple(Relationship(c, (k,), p, (q,)) for c, k, p, q in pairs))


def same(left, right):
    """Whether two nights have the same parts, byte by byte."""
    return {n: fingerprint_of(p) for n, p in left.parts.items()} == {
        n: fingerprint_of(p) for n, p in right.parts.items()
    }


def test_steps_make_the_whole(base):
    """Extending table by table gives the model that fitting at once gives."""
    metadata, tables, night = base
    whole = HMASynthesizer(metadata, seed=3).fit(tables)
    assert {n: fingerprint_of(p) for n, p in whole.parts_.items()} == {
        n: fingerprint_of(p) for n, p in night.parts.items()
    }


def test_nothing_runs_where_nothing_changed(base):
    """The same rows have the same keys."""
    metadata, tables, night = base
    assert Night(metadata, tables, night.known).ran == set()


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    table=st.sampled_from(sorted(VALUES)),
    row=st.integers(0, 29),
    more=st.integers(1, 400),
)
def test_kept_steps_give_the_bytes_of_a_fit_from_scratch(base, table, row, more):
    """Whatever value changes, what is taken over and what is trained make the same model."""
    metadata, tables, night = base
    values = np.asarray(tables[table][VALUES[table]]).copy()
    values[row] += more
    at = tables[table].column_names.index(VALUES[table])
    changed = {**tables, table: tables[table].set_column(at, VALUES[table], pa.array(values))}
    partly, scratch = Night(metadata, changed, night.known), Night(metadata, changed)
    assert same(partly, scratch)
    assert partly.keys == scratch.keys
    expected = {n for n in tables if scratch.keys[n] != night.keys[n]}
    assert partly.trained == expected
    assert table == "apart" or "apart" not in expected
    # a part whose key is the old one is the old part
    assert all(
        fingerprint_of(scratch.parts[n]) == fingerprint_of(night.parts[n])
        for n in tables
        if n not in expected
    )


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("kind", [pa.string(), pa.int64(), pa.timestamp("us"), pa.date32()])
def test_a_held_column_of_a_parent_changes_the_parent_alone(base, kind, at):
    """A new column of nulls tells children nothing, wherever it stands: only its table retrains."""
    metadata, tables, night = base
    customer = tables["customer"].add_column(at, "ssn", pa.nulls(30, kind))
    described = metadata.tables["customer"]
    columns = {n: described.columns.get(n, Column(n, _sdtype(kind))) for n in customer.column_names}
    held = metadata.with_table(replace(described, columns=columns))
    later = Night(held, {**tables, "customer": customer}, night.known)
    assert later.trained == {"customer"}


def _sdtype(kind):
    if pa.types.is_temporal(kind):
        return "datetime"
    return "numerical" if pa.types.is_integer(kind) else "categorical"


def test_comments_retrain_nothing(base):
    """A comment is learned from by nobody."""
    metadata, tables, night = base
    described = metadata.tables["invoice"]
    told = metadata.with_table(replace(described, comment="What customers owe"))
    assert Night(told, tables, night.known).ran == set()


def test_a_table_that_comes_retrains_no_table_without_ties(base):
    """A new table is a new part, and the only one."""
    metadata, tables, night = base
    new = replace(metadata.tables["apart"], name="aside")
    later = Night(metadata.with_table(new), {**tables, "aside": tables["apart"]}, night.known)
    assert later.trained == {"aside"}


def test_extended_tables_are_the_same_from_disk(base, tmp_path):
    """What is written is what is read: other processes have the same fingerprints."""
    metadata, _, night = base
    made = next(v for k, v in night.known.items() if k[0] == "customer")
    made.save(tmp_path)
    assert prints_of(metadata, "customer", Extended.load(tmp_path)) == prints_of(
        metadata, "customer", made
    )
