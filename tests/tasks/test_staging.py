"""Private staging: private, locked while it is used, resumed after a kill, emptied by policy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from prefect_synth.synth.hierarchy.summary import PartSummary
from prefect_synth.tasks.private_folder import StagingError
from prefect_synth.tasks.references import ExtensionsRef, ModelRef, table_ref
from prefect_synth.tasks.reuse import Trained
from prefect_synth.tasks.settings import StagingSettings
from prefect_synth.tasks.staged_run import RESUME_WITHIN, StagedRun
from prefect_synth.tasks.staging import RefreshRunningError, Staging, open_staging

HOLDS_THE_LOCK = """
import sys, time
from pathlib import Path
from prefect_synth.tasks.staging import Staging
with Staging(Path(sys.argv[1])).lock():
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    """An empty staging folder."""
    return Staging(tmp_path / "staging")


def pulled(staging: Staging, plan: str = "plan") -> StagedRun:
    """A run that has staged its one table."""
    run = staging.begin(plan)
    file = run.divided("orders") / "training.parquet"
    file.parent.mkdir()
    file.write_bytes(b"real rows")
    run.update(pulled=(table_ref("orders", file, 1),))
    return run


def ended(staging: Staging, outcome: str = "published") -> StagedRun:
    """A run that came to its end."""
    run = pulled(staging)
    run.update(outcome=outcome)
    return run


def test_staging_is_private(staging: Staging) -> None:
    """Only the owner may look at real rows, and no repository takes them in."""
    assert [staging.root.stat().st_mode & 0o777, (staging.root / ".gitignore").read_text()] == [
        0o700,
        "*\n",
    ]


def test_an_open_staging_folder_is_closed(staging: Staging) -> None:
    """A folder that was made with other rights holds real rows no longer than that."""
    staging.root.chmod(0o755)
    assert Staging(staging.root).root.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o770])
def test_an_open_folder_with_other_things_is_refused(tmp_path: Path, mode: int) -> None:
    """Its rights are not ours to change."""
    (tmp_path / "letters").write_text("")
    tmp_path.chmod(mode)
    with pytest.raises(StagingError, match=rf"mode {mode:04o}, so others .* must be 0700"):
        Staging(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == mode


def test_staging_lies_beside_the_project_file(tmp_path: Path) -> None:
    """By default the folder is named after the project."""
    assert open_staging(StagingSettings(), "shop", tmp_path).root == tmp_path / ".synth" / "shop"


def test_staging_in_a_bucket_is_refused(tmp_path: Path) -> None:
    """Real rows stay on this machine."""
    with pytest.raises(StagingError, match="must be a local folder, got one of the kind 's3://'"):
        open_staging(StagingSettings(url="s3://bucket/x"), "shop", tmp_path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """The message names the folder and the setting."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StagingError, match=r"file/staging.* Give another folder as staging.url"):
        open_staging(StagingSettings(url="file/staging"), "shop", tmp_path)


@pytest.fixture
def holder(staging: Staging) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock."""
    command = [sys.executable, "-c", HOLDS_THE_LOCK, str(staging.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_a_second_refresh_is_refused_while_one_is_going(
    staging: Staging, holder: subprocess.Popen[bytes]
) -> None:
    """The message names the process that holds the project."""
    with (
        pytest.raises(RefreshRunningError, match=f"process {holder.pid}"),
        staging.lock(),
    ):
        pass


def test_the_lock_is_free_after_a_kill(staging: Staging, holder: subprocess.Popen[bytes]) -> None:
    """The kernel lets go of the lock of a process that was killed."""
    holder.kill()
    holder.wait()
    with staging.lock():
        assert (staging.root / "lock").exists()


def test_an_interrupted_run_goes_on_with_its_rows(staging: Staging) -> None:
    """What was pulled as one state of the warehouse is used again, whole."""
    interrupted = pulled(staging)
    assert staging.begin("plan").folder == interrupted.folder


def test_another_plan_begins_anew(staging: Staging) -> None:
    """Rows that were pulled for another schema or setting are deleted."""
    interrupted = pulled(staging)
    assert staging.begin("other plan").folder != interrupted.folder
    assert not interrupted.folder.exists()


def test_a_half_pulled_run_begins_anew(staging: Staging) -> None:
    """Tables of two states of the warehouse are never mixed."""
    interrupted = staging.begin("plan")
    interrupted.real("orders").write_bytes(b"half")
    staging.begin("plan")
    assert not interrupted.folder.exists()


def test_rows_that_are_gone_are_pulled_again(staging: Staging) -> None:
    """A run whose files somebody has deleted is not resumed."""
    interrupted = pulled(staging)
    interrupted.state.pulled[0].path.unlink()
    assert staging.begin("plan").folder != interrupted.folder


def test_rows_of_an_older_version_are_pulled_again(staging: Staging) -> None:
    """It staged all tables in one folder, which is not the folder of any."""
    interrupted = staging.begin("plan")
    interrupted.real("orders").write_bytes(b"real rows")
    interrupted.update(pulled=(table_ref("orders", interrupted.real("orders"), 1),))
    assert staging.begin("plan").folder != interrupted.folder


def test_stale_rows_are_pulled_again(staging: Staging) -> None:
    """Last week's interrupted run is not this night's snapshot."""
    interrupted = pulled(staging)
    interrupted.update(started=interrupted.state.started - RESUME_WITHIN - timedelta(seconds=1))
    assert staging.begin("plan").folder != interrupted.folder


@pytest.mark.parametrize("outcome", ["published", "rejected", "failed"])
def test_a_run_that_came_to_its_end_is_not_resumed(staging: Staging, outcome: str) -> None:
    """The next night pulls again."""
    assert staging.begin("plan").folder != ended(staging, outcome).folder


def test_a_torn_state_is_nobodys_run(staging: Staging) -> None:
    """A folder without a readable state is deleted, not resumed."""
    run = pulled(staging)
    (run.folder / "run.json").write_text("{")
    staging.begin("plan")
    assert not run.folder.exists()


@pytest.mark.parametrize(
    ("keep_runs", "expected"), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 3), (5, 3), (9, 3)]
)
def test_real_rows_are_deleted_by_policy(staging: Staging, keep_runs: int, expected: int) -> None:
    """Only the last runs keep what came out of the warehouse."""
    for _ in range(3):
        ended(staging)
    staging.clean(keep_runs)
    assert len(list(staging.root.glob("runs/*/real/*"))) == expected


def test_error_texts_go_with_the_real_rows(staging: Staging) -> None:
    """A library's error text may quote a row."""
    for _ in range(2):
        run = ended(staging, "failed")
        run.errors.mkdir()
    staging.errors.mkdir()
    staging.clean(1)
    assert [len(list(staging.root.glob("runs/*/errors"))), staging.errors.exists()] == [1, False]


def test_models_of_the_unfinished_run_stay(staging: Staging) -> None:
    """A run that could not reach the sandbox is finished by the next one, without training."""
    model = staging.model("orders", "trained")
    model.mkdir(parents=True)
    ended(staging)
    pulled(staging).update(models=(str(model.relative_to(staging.root)),))
    staging.clean(1)
    assert model.exists()


def test_failed_runs_do_not_drive_models_out(staging: Staging) -> None:
    """Two nights without a warehouse do not cost the models of the nights before."""
    model = staging.model("orders", "trained")
    model.mkdir(parents=True)
    ended(staging).update(models=(str(model.relative_to(staging.root)),))
    for _ in range(3):
        ended(staging, "failed")
    staging.clean(1)
    assert model.exists()


def test_results_and_reports_of_old_runs_are_deleted(staging: Staging) -> None:
    """What Prefect keeps of a run goes once nothing uses it; a model that is used keeps its own."""
    first, *_ = [ended(staging) for _ in range(31)]
    ended(staging).update(models=("models/orders/used",))
    for name, age in {"train-used": 9, "train-gone": 9, "sample-now": -9}.items():
        (staging.results / name).write_text("{}")
        os.utime(staging.results / name, times=(time.time() - age,) * 2)
    staging.clean(1)
    assert not first.folder.exists()
    assert sorted(file.name for file in staging.results.iterdir()) == ["sample-now", "train-used"]


def test_a_run_whose_snapshot_is_visible_is_over(staging: Staging) -> None:
    """It was cut off after publishing: resuming it would publish old rows as if they were new."""
    interrupted = pulled(staging)
    staging.settle(lambda: [interrupted.state.run_id])
    assert staging.begin("plan").folder != interrupted.folder


def test_a_snapshot_is_told_of_before_its_run_is_over(staging: Staging) -> None:
    """So that a run which is killed in between is told of by the next one."""
    interrupted, told = pulled(staging), []

    def tell(run_id: str) -> None:
        told.append((run_id, interrupted.state.finished))

    staging.settle(lambda: [interrupted.state.run_id], tell)
    staging.settle(lambda: [interrupted.state.run_id], tell)
    assert told == [(interrupted.state.run_id, False)]


def test_a_run_whose_snapshot_is_visible_is_remembered(staging: Staging) -> None:
    """What moves is told from the last snapshot, though its run was killed right after."""
    interrupted = pulled(staging)
    (interrupted.folder / "profiles" / "orders").mkdir(parents=True)
    staging.settle(lambda: [interrupted.state.run_id])
    assert (staging.last_profiles / "orders").is_dir()


def test_the_schema_is_remembered_beside_the_profiles(staging: Staging) -> None:
    """So that the next refresh can tell of changed keys."""
    run = pulled(staging)
    (run.folder / "profiles").mkdir()
    (run.folder / "metadata.json").write_text("{}")
    staging.remember(run)
    assert [path.name for path in staging.last_profiles.iterdir()] == ["metadata.json"]


def test_what_was_remembered_stays_without_profiles(staging: Staging) -> None:
    """A run that has none takes nothing from those of the snapshot before."""
    (staging.last_profiles / "orders").mkdir(parents=True)
    interrupted = pulled(staging)
    staging.settle(lambda: [interrupted.state.run_id])
    assert ((staging.last_profiles / "orders").is_dir(), interrupted.state.outcome) == (
        True,
        "published",
    )


def test_a_refusal_that_was_cut_off_is_done_again(staging: Staging) -> None:
    """The run that goes on has sampled and judged anew; its tables replace those of before."""
    run = pulled(staging)
    run.report.write_text("report")
    for part in ("synthetic", "verdicts", "synthetic"):
        (run.folder / part / "orders").mkdir(parents=True)
        folder = staging.quarantine(run)
    assert sorted(p.name for p in folder.iterdir()) == ["report.html", "synthetic", "verdicts"]


def test_no_file_of_another_key_counts(staging: Staging) -> None:
    """A run that goes on with other models finds no synthetic table of the models of before."""
    run = pulled(staging)
    file = run.synthetic("orders") / "part-00000.parquet"
    run.draw_by("a")
    file.parent.mkdir()
    file.write_text("rows")
    run.draw_by("a")
    assert file.exists()
    run.draw_by("b")
    assert not file.exists()
    file.parent.mkdir()
    file.write_text("rows")
    (run.folder / "synthetic" / ".key").unlink()  # killed while it was emptied
    run.draw_by("b")
    assert not file.exists()


def test_models_of_the_last_runs_stay(staging: Staging) -> None:
    """What no recent run used is deleted; what may be used again is not."""
    old, new = staging.model("orders", "old"), staging.model("orders", "new")
    for model in (old, new):
        model.mkdir(parents=True)
    ended(staging).update(models=(str(new.relative_to(staging.root)),))
    staging.clean(1)
    assert [old.exists(), new.exists()] == [False, True]


def remembered(staging: Staging) -> tuple[Path, Path]:
    """Folders of the extensions and the model of a published snapshot that is remembered."""
    extensions, published = staging.links("e"), staging.model("orders", "published")
    for folder in (extensions, published, staging.last_profiles):
        folder.mkdir(parents=True)
    made = PartSummary("orders", "trees", "", (), 0)
    known = ExtensionsRef(
        path=extensions,
        fingerprint="e",
        parts={},
        rows={},
        tables={"orders": staging.extended("orders", "o")},
        shared=staging.shared("s"),
    )
    Trained(
        run_id="r",
        depends_on={},
        extensions=known,
        models=(ModelRef(table="orders", path=published, fingerprint="p", made=made, seconds=1.0),),
        rows={},
    ).save(staging.last_profiles)
    return extensions, published


def test_models_of_the_last_snapshot_stay(staging: Staging) -> None:
    """Refused runs with models of their own do not cost those that can be drawn with again."""
    extensions, published = remembered(staging)
    for name in ("one", "two", "three"):
        ended(staging, "rejected").update(models=(f"models/orders/{name}",))
    staging.clean(1)
    assert (extensions.exists(), published.exists()) == (True, True)


def test_models_are_where_staging_is_now(staging: Staging, tmp_path: Path) -> None:
    """Every folder that is remembered lies in this staging, though it was moved or copied."""
    remembered(staging)
    moved = Staging(shutil.copytree(staging.root, tmp_path / "moved"))
    trained = moved.last_models
    assert trained is not None
    known = trained.extensions
    folders = (*trained.paths, *known.tables.values(), known.shared)
    expected = ("links/e", "models/orders/published", "extensions/orders/o", "shared/s")
    assert folders == tuple(moved.root / name for name in expected)


def test_names_of_tables_are_no_paths(staging: Staging) -> None:
    """A table called `../x` stays inside its run."""
    run = staging.begin("plan")
    assert run.real("../x").resolve().parent == (run.folder / "real").resolve()
