"""Purging: what is deleted from private staging, and what stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from prefect_synth.flows.cli import app
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.tasks.references import ExtensionsRef, table_ref
from prefect_synth.tasks.reuse import Trained
from prefect_synth.tasks.staged_run import StagedRun
from prefect_synth.tasks.staging import Staging

SUBJECT = 4711


def tables() -> dict[str, pa.Table]:
    """Customers, their orders, the orders' lines with a key of two columns, and notes on these."""
    ids = [*range(20), SUBJECT]
    orders = [(10 * i + j, i) for i in ids for j in range(2)]
    lines = [(order, line) for order, _ in orders for line in (1, 2, 3)]
    return {
        "customers": pa.table({"id": ids, "referred_by": [None] * 20 + [3]}),
        "orders": pa.table({"id": [o for o, _ in orders], "customer_id": [c for _, c in orders]}),
        "lines": pa.table({"order_id": [o for o, _ in lines], "line": [n for _, n in lines]}),
        "notes": pa.table(
            {
                "id": range(len(lines)),
                "order_id": [o for o, _ in lines],
                "line": [n for _, n in lines],
            }
        ),
        "shops": pa.table({"id": [1, 2]}),
    }


def schema(data: dict[str, pa.Table]) -> Metadata:
    """Their keys."""
    keys: dict[str, tuple[str, ...]] = {"lines": ("order_id", "line")}
    made = {
        name: Table(name, {c: Column(c, "id") for c in table.column_names}, keys.get(name, ("id",)))
        for name, table in data.items()
    }
    relations = (
        Relationship("customers", ("referred_by",), "customers", ("id",)),
        Relationship("orders", ("customer_id",), "customers", ("id",)),
        Relationship("lines", ("order_id",), "orders", ("id",)),
        Relationship("notes", ("order_id", "line"), "lines", ("order_id", "line")),
    )
    return Metadata(made, relations)


@pytest.fixture
def staging(shop: Any) -> Staging:
    """Staging of the shop's project."""
    return Staging(shop.staging)


@pytest.fixture
def run(staging: Staging) -> StagedRun:
    """A finished run with staged rows, orders divided into two parts, and models."""
    run, data = staging.begin("plan"), tables()
    (run.folder / "metadata.json").write_text(json.dumps(schema(data).to_dict()))
    refs = []
    for name, table in data.items():
        if name == "orders":
            run.real(name)
            run.divided(name).mkdir(parents=True)
            at = len(table) - 1  # of the subject's two orders one is held out
            pq.write_table(table.slice(0, at), run.divided(name) / "training.parquet")
            pq.write_table(table.slice(at), run.divided(name) / "holdout.parquet")
        else:
            pq.write_table(table, run.real(name))
            refs.append(table_ref(name, run.real(name), len(table)))
        (run.folder / "profiles" / name).mkdir(parents=True)
    for name in ("learned.json", "compared.json"):
        (run.folder / "profiles" / name).write_text("{}")
    (staging.root / "models" / "orders" / "f").mkdir(parents=True)
    run.update(pulled=tuple(refs), models=("models/orders/f",), outcome="published")
    run.report.write_text("report")
    return run


def purge(shop: Any, *options: str) -> Result:
    """Purge the shop's staging."""
    return CliRunner().invoke(app, ["purge", "--project", str(shop.folder), *options])


def purged(shop: Any, *options: str) -> Any:
    """What a purge that was confirmed says."""
    result = purge(shop, *options, "--yes", "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def staged(run: StagedRun, table: str) -> pa.Table:
    """The rows of a table that are staged."""
    whole = run.real(table)
    return pq.read_table(whole if whole.is_file() else run.divided(table), partitioning=None)


def test_a_subject_goes_with_all_its_descendants(shop: Any, run: StagedRun) -> None:
    """Down every foreign key, of one column or two, in the training part and in the holdout."""
    found = purged(shop, "--subject", f"customers={SUBJECT}")
    assert found["subject"]["rows"] == {"customers": 1, "orders": 2, "lines": 6, "notes": 6}
    left = {name: len(staged(run, name)) for name in tables()}
    assert left == {"customers": 20, "orders": 40, "lines": 120, "notes": 120, "shops": 2}
    assert SUBJECT not in staged(run, "orders")["customer_id"].to_pylist()


def test_only_the_family_is_touched(shop: Any, run: StagedRun) -> None:
    """All other rows are what they were, in their order."""
    before = staged(run, "lines")
    purged(shop, "--subject", f"customers={SUBJECT}")
    assert staged(run, "lines").equals(before.slice(0, 120))


def test_what_was_learned_of_a_subject_is_forgotten(shop: Any, run: StagedRun) -> None:
    """Profiles, private reports and models go, and the answer says to train anew."""
    found = purged(shop, "--subject", f"customers={SUBJECT}")
    assert sorted(p.name for p in (run.folder / "profiles").iterdir()) == ["shops"]
    gone = [run.report.exists(), (shop.staging / "models" / "orders" / "f").exists()]
    assert (gone, found["retrain"], found["subject"]["models"]) == ([False, False], True, 1)


def test_what_no_run_has_noted_is_forgotten(shop: Any, staging: Staging, run: StagedRun) -> None:
    """A refresh that was killed while it extended or trained has not noted its folders yet."""
    named = staging.extended("orders", "named")
    run.update(models=(str(named.relative_to(staging.root)),))
    killed = [staging.model("orders", "k"), staging.extended("customers", "k"),
              staging.links("k"), staging.shared("k"), staging.judged("orders", "k")]  # fmt: skip
    for folder in (named, *killed):
        folder.mkdir(parents=True)
    purged(shop, "--subject", "customers=999")
    assert [folder.exists() for folder in (named, *killed)] == [True] + [False] * 5


def reusing(staging: Staging, trained_by: str) -> StagedRun:
    """A later run without the subject, drawn with models of another one."""
    run = staging.begin("plan")
    (run.folder / "metadata.json").write_text(json.dumps(schema(tables()).to_dict()))
    for name, table in tables().items():
        pq.write_table(table.slice(0, 1), run.real(name))
    (run.folder / "profiles").mkdir()
    (run.folder / "profiles" / "learned.json").write_text("{}")
    folder = staging.model("orders", "reused")
    folder.mkdir(parents=True)
    ref = ExtensionsRef(path=folder, fingerprint="f", parts={}, rows={})
    Trained(run_id=trained_by, depends_on={}, extensions=ref, models=(), rows={}).save(run.folder)
    run.update(models=(str(folder.relative_to(staging.root)),), outcome="published")
    return run


def test_what_later_runs_took_over_is_forgotten(
    shop: Any, staging: Staging, run: StagedRun
) -> None:
    """Models, and what their rows were like, in runs that never saw the subject themselves."""
    later = reusing(staging, run.state.run_id)
    purged(shop, "--subject", f"customers={SUBJECT}")
    assert not (later.folder / "profiles" / "learned.json").exists()
    assert not staging.model("orders", "reused").exists()
    assert len(staged(later, "orders")) == 1


def test_models_of_a_run_that_is_gone_are_forgotten(shop: Any, staging: Staging) -> None:
    """Nobody can tell any more whether the subject was among the rows they learned from."""
    reusing(staging, "gone")
    found = purged(shop, "--subject", "customers=999")
    assert (staging.model("orders", "reused").exists(), found["retrain"]) == (False, True)


def test_what_outlives_its_run_is_forgotten_too(
    shop: Any, staging: Staging, run: StagedRun
) -> None:
    """Profiles kept to tell what moves, and the report of a refused snapshot."""
    staging.remember(run)
    (run.folder / "synthetic").mkdir()
    quarantined = staging.quarantine(run)
    purged(shop, "--subject", f"customers={SUBJECT}")
    assert not staging.last_profiles.exists()
    assert not (quarantined / "report.html").exists()


def synthetic(run: StagedRun) -> Path:
    """Sample a table that is published as it is, so that it holds the subject's row."""
    file = run.synthetic("customers") / "part.parquet"
    file.parent.mkdir(parents=True)
    pq.write_table(tables()["customers"], file)
    return file


def test_copies_of_a_subject_go_with_it(shop: Any, staging: Staging, run: StagedRun) -> None:
    """Tables with `model: copy` hold real rows, in a run's sample and in quarantine."""
    synthetic(run)
    quarantined = staging.quarantine(run)
    synthetic(run)
    found = purged(shop, "--subject", f"customers={SUBJECT}")
    left = [*quarantined.rglob("*.parquet"), *run.folder.glob("synthetic/**/*.parquet")]
    assert (left, found["subject"]["samples"]) == ([], 2)


def test_samples_of_others_stay(shop: Any, staging: Staging, run: StagedRun) -> None:
    """A run whose rows are there, without the subject, keeps what was made of them."""
    synthetic(run)
    quarantined = staging.quarantine(run)
    sampled = synthetic(run)
    purged(shop, "--subject", "customers=999")
    assert [sampled.exists(), (quarantined / "synthetic").exists()] == [True, True]


def test_what_is_left_of_runs_whose_rows_are_gone_goes(
    shop: Any, staging: Staging, run: StagedRun
) -> None:
    """Nobody can tell whose rows their reports, samples and refused tables were made of."""
    synthetic(run)
    quarantined = staging.quarantine(run)
    run.forget_real_rows()
    run.update(models=())
    assert purged(shop, "--subject", f"customers={SUBJECT}")["subject"]["rows"] == {}
    left = [run.report.exists(), *(p.name for p in quarantined.iterdir())]
    assert left == [False]


def test_an_interrupted_run_that_holds_the_subject_is_given_up(shop: Any, run: StagedRun) -> None:
    """It would go on with rows that it no longer has."""
    run.update(outcome=None)
    found = purged(shop, "--subject", f"customers={SUBJECT}")
    assert (found["subject"]["unfinished"], run.folder.exists()) == (1, False)


def test_a_row_that_is_referred_to_takes_who_refers_to_it(shop: Any, run: StagedRun) -> None:
    """A customer whom another one recommended the shop to hangs on that one."""
    assert purged(shop, "--subject", "customers=3")["subject"]["rows"]["customers"] == 2


def test_a_key_of_two_columns(shop: Any, run: StagedRun) -> None:
    """The parts of the key are given in its order."""
    found = purged(shop, "--subject", "lines=30,2")
    assert found["subject"]["rows"] == {"lines": 1, "notes": 1}


def test_a_subject_whom_nobody_staged(shop: Any, run: StagedRun) -> None:
    """Nothing is deleted, and nothing has to be trained anew."""
    found = purged(shop, "--subject", "customers=999")
    assert (found["subject"]["rows"], found["retrain"]) == ({}, False)


def test_the_key_is_not_repeated(shop: Any, run: StagedRun) -> None:
    """Neither answers nor errors quote the subject's key."""
    said = [
        purge(shop, "--subject", f"customers={SUBJECT}", "--yes").output,
        purge(shop, "--subject", f"customers=no-{SUBJECT}", "--yes").output,
        purge(shop, "--subject", f"lines={SUBJECT}", "--yes").output,
    ]
    assert [str(SUBJECT) in text for text in said] == [False] * 3


def test_all_leaves_nothing(shop: Any, staging: Staging, run: StagedRun) -> None:
    """Only empty folders, the lock and what keeps them out of a repository are left."""
    staging.pseudonyms.write_bytes(b"k" * 32)
    purged(shop, "--all")
    files = sorted(p.name for p in shop.staging.rglob("*") if p.is_file())
    assert files == [".gitignore", "lock"]


@pytest.mark.parametrize(
    ("option", "left"),
    [
        ("--runs", {"models", "key"}),
        ("--models", {"runs", "key"}),
        ("--pseudonyms", {"runs", "models"}),
    ],
)
def test_a_part_is_deleted_alone(
    option: str, left: set[str], shop: Any, staging: Staging, run: StagedRun
) -> None:
    """Rows, models and the key can be deleted apart from each other."""
    staging.pseudonyms.write_bytes(b"k" * 32)
    purged(shop, option)
    there = {"runs": run.folder, "models": staging.root / "models/orders/f",
             "key": staging.pseudonyms}  # fmt: skip
    assert {name for name, path in there.items() if path.exists()} == left


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Nothing was chosen"),
        (("--all", "--json"), "Say --yes"),
        (("--subject", "customers", "--yes"), "TABLE=KEY"),
        (("--subject", "people=1", "--yes"), "not among the staged tables"),
        (("--subject", "lines=1", "--yes"), "has 2 columns"),
        (("--subject", "customers=abc", "--yes"), "is of the type int64"),
    ],
)
def test_what_cannot_be_purged_is_refused(
    options: tuple[str, ...], said: str, shop: Any, run: StagedRun
) -> None:
    """One sentence, exit code 2, and nothing is deleted."""
    result = purge(shop, *options)
    assert (result.exit_code, said in result.output, run.report.exists()) == (2, True, True)


def test_nothing_is_purged_while_a_refresh_is_going(shop: Any, staging: Staging) -> None:
    """The staging's lock is taken."""
    with staging.lock():
        result = purge(shop, "--all", "--yes")
    assert (result.exit_code, "A refresh of this project is going" in result.output) == (2, True)


def test_a_person_is_asked(shop: Any, run: StagedRun) -> None:
    """Without --yes the answer no deletes nothing."""
    command = ["purge", "--project", str(shop.folder), "--all"]
    result = CliRunner().invoke(app, command, input="n\n")
    assert (result.exit_code, Path(run.folder).exists()) == (2, True)
