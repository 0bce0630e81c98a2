"""Oversampled real rows stay where the real rows are, and a gate sees what they are."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import make_classification
from typer.testing import CliRunner

from prefect_synth.expectations.gate import judge_table
from prefect_synth.expectations.profile import profile_table
from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.sides import Sides
from prefect_synth.flows.cli import app
from prefect_synth.synth.errors import ContractError, RequestError
from prefect_synth.synth.interpolated import INTERPOLATED
from prefect_synth.synth.metadata import Column, Metadata, Table
from prefect_synth.synth.oversampling import oversample
from prefect_synth.synth.pins.reading import read_pins
from prefect_synth.tasks.oversampled import FOLDER, oversample_staged
from prefect_synth.tasks.purge import purge_parts
from prefect_synth.tasks.references import table_ref
from prefect_synth.tasks.snapshots.errors import SandboxError
from prefect_synth.tasks.snapshots.store import open_store
from prefect_synth.tasks.staging import Staging


@pytest.fixture(scope="module")
def loans() -> tuple[pa.Table, Metadata]:
    """Loans of which few fail; amounts, dates, categories with nulls, a key and a name."""
    rng = np.random.default_rng(1)
    failed = rng.random(600) < 0.1
    table = pa.table(
        {
            "id": np.arange(600),
            "name": [f"Person {n}" for n in range(600)],
            "amount": pa.array(np.round(rng.gamma(2, 100, 600), 2)).cast(pa.decimal128(10, 2)),
            "age": pa.array(rng.integers(18, 80, 600), pa.int16()),
            "day": pa.array(rng.integers(19_000, 19_400, 600).astype("datetime64[D]")),
            "kind": pa.array(rng.choice(["car", "home", None], 600)),
            "rate": pa.array(rng.random(600), mask=rng.random(600) < 0.05),
            "failed": failed,
        }
    )
    sdtypes = {"id": "id", "name": "name", "kind": "categorical", "failed": "boolean"}
    columns = {c: Column(c, sdtypes.get(c, "numerical")) for c in table.column_names}
    return table, Metadata({"loans": Table("loans", columns, ("id",))})


@pytest.fixture
def staging(tmp_path: Path, loans: tuple[pa.Table, Metadata]) -> Staging:
    """Private staging with the rows of one run."""
    import json

    table, metadata = loans
    staging = Staging(tmp_path / "private")
    run = staging.begin("plan")
    file = run.folder / "loans.parquet"
    pq.write_table(table, file)
    (run.folder / "metadata.json").write_text(json.dumps(metadata.to_dict()))
    run.update(pulled=(table_ref("loans", file, 600),), outcome="published")
    return staging


@pytest.mark.parametrize(
    ("method", "features"),
    [("smote", ("amount", "age", "day")), ("adasyn", ("amount", "age")), ("smotenc", ())],
)
def test_classes_are_evened_in_the_columns_own_types(
    loans: tuple[pa.Table, Metadata], method: Any, features: tuple[str, ...]
) -> None:
    """Real rows first, new ones marked; no key, no personal value."""
    table, metadata = loans
    found = oversample(table, metadata, "loans", "failed", method, features=features)
    made = found.table
    assert {"id", "name"}.isdisjoint(made.column_names)
    assert found.after[1] > 0.8 * found.after[0] > 4 * found.before[1]
    for name in found.features:
        assert made.schema.field(name).type == table.schema.field(name).type
    real = made.filter(pc.invert(made["interpolated"]))
    assert len(real) == 600 - found.left_out
    assert set(pc.unique(made["failed"]).to_pylist()) == {False, True}
    if method == "smotenc":
        assert set(made["kind"].to_pylist()) == {"car", "home", None}


def test_a_column_of_the_table_keeps_its_name(loans: tuple[pa.Table, Metadata]) -> None:
    """The column that tells new rows takes another one."""
    table, metadata = loans
    table = table.append_column("Interpolated", table["age"])
    columns = {
        **metadata.tables["loans"].columns,
        "Interpolated": Column("Interpolated", "numerical"),
    }
    own = Metadata({"loans": Table("loans", columns, ("id",))})
    found = oversample(table, own, "loans", "failed", "smotenc")
    assert found.added == "interpolated_"
    assert {"Interpolated", "interpolated_"} < set(found.table.column_names)
    assert pc.sum(found.table["interpolated_"]).as_py() == len(found.table) - 600 + found.left_out


def test_the_file_is_private_marked_and_deleted_with_the_rows(staging: Staging) -> None:
    """Only its owner can read it, and `purge --runs` takes it away."""
    _, path = oversample_staged(staging, "loans", "failed", "smotenc", Path("l.parquet"))
    assert path == staging.root / FOLDER / "l.parquet"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert pq.read_schema(path).metadata[INTERPOLATED.encode()] == b"true"
    purge_parts(staging, ["runs"])
    assert not path.exists()


def test_nobody_publishes_a_marked_file(staging: Staging, tmp_path: Path) -> None:
    """Not as a table, not as one part of a table, not as pinned rows."""
    _, path = oversample_staged(staging, "loans", "failed", "smotenc", Path("l.parquet"))
    store = open_store(str(tmp_path / "sandbox"))
    with pytest.raises(SandboxError, match="laid between real"):
        store.publish("run-1", {"loans": path}, {})
    folder = tmp_path / "parts"
    folder.mkdir()
    pq.write_table(pq.read_table(path).replace_schema_metadata(), folder / "a.parquet")
    path.replace(folder / "b.parquet")
    with pytest.raises(SandboxError, match=r"b.parquet are laid between real"):
        store.publish("run-1", {"loans": folder}, {})
    assert store.latest() is None
    table = Table("loans", {"age": Column("age", "numerical")})
    with pytest.raises(ContractError, match="cannot be pinned"):
        read_pins(folder / "b.parquet", "b", table, pa.schema([("age", pa.int16())]))


def test_a_marked_file_is_not_kept_by_synthesize(staging: Staging, tmp_path: Path) -> None:
    """`--keep` writes rows as they are, and these are none to be written."""
    _, path = oversample_staged(staging, "loans", "failed", "smotenc", Path("loans.parquet"))
    command = ["synthesize", str(path.parent), str(tmp_path / "out"), "--keep", "loans", "--json"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "cannot be kept" in result.stdout
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"out": Path("/elsewhere.parquet")}, "must lie in private staging"),
        ({"out": Path("../../sandbox/l.parquet")}, "must lie in private staging"),
        ({"out": Path("l.csv")}, "must be the name of a .parquet file"),
        ({"table": "people"}, "There is no table 'people'"),
        ({"column": "colour"}, "no column 'colour'"),
        ({"column": "name"}, "smallest class"),
        ({"method": "smote"}, "these columns are categories: kind"),
        ({"features": ("name",)}, "personal data"),
        ({"neighbours": 900}, "needs 900 neighbours"),
    ],
)
def test_what_cannot_be_oversampled_is_refused(
    staging: Staging, arguments: dict[str, Any], reason: str
) -> None:
    """In one sentence, and nothing is written."""
    asked = {"table": "loans", "column": "failed", "method": "smotenc", "out": Path("l.parquet")}
    with pytest.raises(RequestError, match=reason):
        oversample_staged(staging, **{**asked, **arguments})
    assert not list(staging.root.glob(f"{FOLDER}/*"))


def test_without_rows_there_is_nothing_to_oversample(tmp_path: Path) -> None:
    """The message says how to get them."""
    with pytest.raises(RequestError, match="Run a refresh first"):
        oversample_staged(Staging(tmp_path), "t", "c", "smote", Path("l.parquet"))


@pytest.mark.parametrize(("alone", "least"), [(True, 0.6), (False, 0.8)])
def test_the_gate_sees_interpolated_rows_that_lost_their_mark(
    tmp_path: Path, alone: bool, least: float
) -> None:
    """Rows between training rows are nearer to these than to others, by themselves or not."""
    numbers, classes = make_classification(
        4000, 6, n_informative=6, n_redundant=0, weights=[0.75], random_state=3
    )
    whole = pa.table({**{f"c{n}": c for n, c in enumerate(numbers.T)}, "bad": classes > 0})
    columns = {c: Column(c, "numerical") for c in whole.column_names}
    meaning = Table("cells", {**columns, "bad": Column("bad", "boolean")})
    metadata = Metadata({"cells": meaning})
    training, holdout = whole.slice(0, 2000), whole.slice(2000)
    made = oversample(training, metadata, "cells", "bad", "smote").table
    made = made.filter(made["interpolated"]) if alone else made
    files = {}
    for name, rows in {"t": training, "s": made, "h": holdout, "w": whole}.items():
        (tmp_path / name).mkdir()
        files[name] = tmp_path / name / "part.parquet"
        pq.write_table(rows.select(whole.column_names), files[name])
    sides = Sides(metadata, *({"cells": files[n]} for n in "tshw"))
    profile = profile_table(files["w"], meaning, metadata, training=files["t"], holdout=files["h"])
    judged = judge_table("cells", sides, profile, Gates(), expected_rows=len(made))
    nearer = max(s.found for s in judged.scores if s.name == "nearer_to_training")
    failed = {c.name for c in judged.verdict.failures if c.kind == "privacy"}
    assert nearer > least
    assert "nearer to training than to holdout" in failed
