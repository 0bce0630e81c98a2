"""Polymorphic references: every owner is found in the table that its type names."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.hierarchy import contexts
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.hierarchy.links import ORPHAN, parent_rows
from prefect_synth.synth.metadata import Column, Metadata, MetadataError, Relationship, Table
from prefect_synth.synth.metrics.keys import read_references
from prefect_synth.synth.metrics.structure import orphans

TYPES = {"invoice": "invoices", "order": "orders"}


def planted(notes=300, invoices=40, orders=25, ownerless=0.0, seed=0):
    """Notes on invoices (long ones) and on orders (short ones), by turns without any owner."""
    rng = np.random.default_rng(seed)
    of_invoice, without = rng.random(notes) < 0.7, rng.random(notes) < ownerless
    owner = np.where(
        of_invoice, 100 + rng.integers(0, invoices, notes), 100 + rng.integers(0, orders, notes)
    )
    kind = np.where(of_invoice, "invoice", "order")
    length = np.where(of_invoice, 100, 10) + rng.integers(0, 10, notes)
    return {
        "invoices": pa.table(
            {"id": 100 + np.arange(invoices), "due": rng.integers(0, 9, invoices)}
        ),
        "orders": pa.table({"id": 100 + np.arange(orders), "paid": rng.integers(0, 9, orders)}),
        "notes": pa.table(
            {
                "id": np.arange(notes),
                "owner_type": pa.array(np.where(without, "nobody", kind)),
                "owner_id": pa.array(owner, mask=without),
                "length": length,
            }
        ),
    }


def schema(*, nullable=True, types=TYPES):
    """The schema of `planted`."""

    def table(name, **columns):
        made = {c: Column(c, kind, nullable=c == "owner_id" and nullable) for c, kind in
                columns.items()}  # fmt: skip
        return Table(name, made, ("id",))

    return Metadata(
        {
            "invoices": table("invoices", id="id", due="numerical"),
            "orders": table("orders", id="id", paid="numerical"),
            "notes": table(
                "notes", id="id", owner_type="categorical", owner_id="id", length="numerical"
            ),
        },
        tuple(
            Relationship("notes", ("owner_id",), parent, ("id",), ("owner_type", value))
            for value, parent in types.items()
        ),
    )


def lost(metadata, tables):
    """Rows whose owner is not found where their type says, and rows with no owner."""
    notes = tables["notes"]
    orphaned = sum(
        int((parent_rows(notes, tables[r.parent], r) == ORPHAN).sum())
        for r in metadata.relationships
    )
    return orphaned, notes["owner_id"].null_count


@pytest.mark.parametrize("row_model", ["trees", "copula"])
@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_every_owner_is_found_in_the_right_table(row_model, scale):
    """No orphan, no row without owner, and the types keep their shares, at any scale."""
    metadata, real = schema(nullable=False), planted()
    made = HMASynthesizer(metadata, row_model=row_model).fit(real).sample(scale, 1)
    shares = [
        np.mean([t == "invoice" for t in tables["notes"]["owner_type"].to_pylist()])
        for tables in (real, made)
    ]
    assert lost(metadata, made) == (0, 0)
    assert shares[1] == pytest.approx(shares[0], abs=0.05)


def test_columns_know_the_type_of_their_owner():
    """Notes on invoices are long and those on orders short, as they are in the data."""
    made = HMASynthesizer(schema(), row_model="trees").fit(planted(600)).sample()["notes"]
    length, kind = np.asarray(made["length"]), np.asarray(made["owner_type"])
    assert ((length >= 100) == (kind == "invoice")).mean() > 0.97


@settings(max_examples=12, deadline=None)
@given(
    st.integers(1, 80), st.integers(1, 9), st.integers(1, 9), st.sampled_from([0.0, 0.3]),
    st.sampled_from([0.1, 1.0, 10.0]), st.integers(0, 9),
)  # fmt: skip
def test_owners_of_any_small_schema(notes, invoices, orders, ownerless, scale, seed):
    """Tables of any size, some rows without owner: no orphan at any scale."""
    real = planted(notes, invoices, orders, ownerless, seed)
    made = HMASynthesizer(schema(), row_model="copula").fit(real).sample(scale, seed)
    assert lost(schema(), made)[0] == 0


def test_shards_choose_the_same_owners(monkeypatch):
    """Two shards make up the sample."""
    monkeypatch.setattr(contexts, "BLOCK_ROWS", 64)
    monkeypatch.setattr(contexts, "_SMALLEST", 64)
    model = HMASynthesizer(schema(), row_model="copula").fit(planted())
    whole = model.sample(1.0, 2)["notes"]
    parts = [b for i in (0, 1) for b in model.sample_batches(1.0, 2, shard=(i, 2))]
    assert pa.Table.from_batches([b for n, b in parts if n == "notes"]).combine_chunks() == whole


def test_the_condition_is_stored():
    """A schema with conditions is read back as it was, and each relation has its own name."""
    metadata = schema()
    assert Metadata.from_dict(metadata.to_dict()) == metadata
    assert len({r.name for r in metadata.relationships}) == 2


def test_checks_read_the_condition():
    """Orphans are counted among the rows that the relation is meant for."""
    metadata, tables = schema(), planted(50, invoices=40, orders=2)
    counts = [
        orphans(read_references(tables["notes"], r), ("owner_id",), tables[r.parent], ("id",))
        for r in metadata.relationships
    ]
    assert counts == [0, 0]


def test_a_condition_needs_its_column():
    """A condition on a column that does not exist is refused."""
    relation = Relationship("notes", ("owner_id",), "orders", ("id",), ("kind", "order"))
    with pytest.raises(MetadataError, match="kind"):
        Metadata(schema().tables, (relation,))


def test_an_owner_that_no_relation_names_is_refused():
    """A key that may not be null needs a relation for each type."""
    with pytest.raises(SynthesisError, match="Add a relation for each value"):
        HMASynthesizer(schema(nullable=False, types={"order": "orders"})).fit(planted())


def test_a_unique_key_may_contain_the_owner():
    """Each owner has each label once, and stays in the table that its type names."""
    rng = np.random.default_rng(3)
    every = [(k, o, c) for k in TYPES for o in range(100, 112) for c in "abcde"]
    chosen = [every[i] for i in rng.permutation(len(every))[:90]]
    kind, owner, label = (list(x) for x in zip(*chosen, strict=True))
    real = planted(90, 12, 12)
    notes = {"id": range(90), "owner_type": kind, "owner_id": owner, "label": label}
    real["notes"] = pa.table({c: list(v) for c, v in notes.items()})
    known = schema(nullable=False)
    columns = {c: known.tables["notes"].columns.get(c, Column(c, nullable=False)) for c in notes}
    key = ("owner_type", "owner_id", "label")
    metadata = known.with_table(Table("notes", columns, ("id",), (key,)))
    made = HMASynthesizer(metadata, row_model="copula").fit(real).sample(1.0, 4)
    assert len(made["notes"].group_by(list(key)).aggregate([])) == len(made["notes"])
    assert lost(metadata, made) == (0, 0)
