"""The command line: one JSON document, one clear sentence, one exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from prefect_synth.flows.cli import app

HEAVY = ("prefect", "torch", "great_expectations", "sklearn", "pandas", "duckdb", "sqlalchemy")


def run(*arguments: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, [str(a) for a in arguments])


def document(*arguments: object) -> Any:
    """The one JSON document of a command that went well."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two related tables as Parquet files."""
    data = tmp_path / "data"
    data.mkdir()
    people = pa.table({"person_id": range(100), "age": [20 + i % 50 for i in range(100)]})
    visits = pa.table(
        {
            "visit_id": range(300),
            "person_id": [i % 100 for i in range(300)],
            "cost": [i % 7 for i in range(300)],
        }
    )
    pq.write_table(people, data / "people.parquet")
    pq.write_table(visits, data / "visits.parquet")
    return data


@pytest.mark.parametrize(
    "code",
    [
        "import prefect_synth",
        "from typer.testing import CliRunner; from prefect_synth.flows.cli import app;"
        "assert CliRunner().invoke(app, ['refresh', '--help']).exit_code == 0",
    ],
)
def test_help_is_quick(code: str) -> None:
    """Neither the package nor its help loads a heavy library."""
    look = f"{code}\nimport sys; print([m for m in {HEAVY} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_every_command_is_explained() -> None:
    """Each command has a sentence of help."""
    commands = [
        *app.registered_commands,
        *app.registered_groups[0].typer_instance.registered_commands,
    ]
    assert [c.callback.__name__ for c in commands if not (c.callback and c.callback.__doc__)] == []


def test_init_makes_a_project_from_a_catalogue(shop: Any, tmp_path: Path) -> None:
    """The scaffolded project passes its own check."""
    project = tmp_path / "new" / "synth.yaml"
    made = document("init", "--from", f"duckdb:///{shop.warehouse}", "--project", project)
    assert made["tables"]["orders"] == 500
    checked = document("check", "--project", project)
    assert checked["warehouse"]["tables"]["customers"]["pii"] == ["email"]


def test_init_does_not_overwrite(shop: Any) -> None:
    """A project file is a person's work."""
    result = run("init", "--from", f"duckdb:///{shop.warehouse}", "--project", shop.folder)
    assert (result.exit_code, "already" in result.stderr) == (2, True)


def test_init_keeps_a_password_out_of_the_file(tmp_path: Path) -> None:
    """A URL that cannot be reached is told without its password."""
    url = "postgresql://ann:hush-hush@127.0.0.1:1/shop"
    result = run("init", "--from", url, "--project", tmp_path)
    assert (result.exit_code, "hush" in result.output) == (3, False)


def test_init_needs_to_know_from_where() -> None:
    """Neither demo nor URL is a question, not a guess."""
    assert run("init").exit_code == 2


def test_init_demo_can_be_given_again(tmp_path: Path) -> None:
    """An existing project file is kept."""
    first, second = (document("init", "--demo", "--project", tmp_path / "demo") for _ in range(2))
    assert [first["kept"], second["kept"]] == [False, True]
    assert 100_000 < sum(first["tables"].values()) < 250_000


def test_check_names_what_is_missing(shop: Any) -> None:
    """A warehouse that is not there is a failed connection."""
    shop.warehouse.unlink()
    result = run("check", "--project", shop.folder, "--json")
    error = json.loads(result.stdout)
    assert (result.exit_code, error["exit"], error["error"]["kind"]) == (3, 3, "ConnectionFailed")


@pytest.mark.parametrize("line", ["99 2 * * *", "30 2 * * tuesdays"])
def test_check_tries_the_schedule(shop: Any, line: str) -> None:
    """A cron line that Prefect would refuse is found before the night."""
    shop.configure(f"run: {{schedule: '{line}'}}\n")
    result = run("check", "--project", shop.folder)
    assert (result.exit_code, f"'{line}' is not a cron line" in result.stderr) == (2, True)


def test_check_tells_the_schedule(shop: Any) -> None:
    """When `serve` would refresh, and by whose clock."""
    shop.configure("run: {schedule: '15 3 * * mon-fri', timezone: Europe/Madrid}\n")
    told = document("check", "--project", shop.folder)
    assert told["schedule"] == "15 3 * * mon-fri Europe/Madrid"


def test_check_tells_whether_people_are_known(shop: Any) -> None:
    """Whose rows rare values are counted in is nobody's guess."""
    assert "privacy.unit" in run("check", "--project", shop.folder).stdout
    shop.configure("privacy: {unit: customers}\n")
    assert document("check", "--project", shop.folder)["unit"] == "customers"


def test_a_wrong_project_file_is_a_configuration_error(shop: Any) -> None:
    """The sentence goes to the error stream, without a traceback."""
    shop.configure("stagging: {}\n")
    result = run("check", "--project", shop.file)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("synth.yaml:4: unknown key 'stagging'. Did you mean 'staging'?")


def test_a_file_that_is_not_there_is_a_configuration_error(tmp_path: Path) -> None:
    """The cure is in the sentence."""
    result = run("refresh", "--project", tmp_path)
    assert (result.exit_code, "prefect-synth init" in result.stderr) == (2, True)


def test_schema_draws_the_warehouse(shop: Any) -> None:
    """Tables and foreign keys come out as Mermaid."""
    drawing = document("schema", "--project", shop.folder)["mermaid"]
    assert drawing.startswith("erDiagram")
    assert "customers" in drawing


def test_schema_draws_a_folder(folder: Path) -> None:
    """No warehouse is needed to look at Parquet files."""
    assert "people" in run("schema", folder).stdout


def test_synthesize_needs_nothing_but_a_folder(folder: Path, tmp_path: Path) -> None:
    """Tables come out with the asked size, and what it cost is told."""
    options = ("--scale", "2", "--seed", "7", "--keys", "stable", "--memory", "1GB")
    told = document("synthesize", folder, tmp_path / "out", *options)
    assert told["rows"] == {"people": 200, "visits": 600}
    costs = {"fit_seconds", "sample_seconds", "fit_cpu_seconds", "sample_cpu_seconds"}
    assert costs | {"peak_memory_mb"} <= told.keys()
    assert pq.read_table(tmp_path / "out" / "visits.parquet").num_rows == 600


def test_synthesize_tells_which_models_it_took(folder: Path, tmp_path: Path) -> None:
    """Each table's model has its reason; a small budget is met by the copula."""
    options = ("--unit", "people", "--budget", "0.001", "--rules", "none")
    told = document("synthesize", folder, tmp_path / "out", *options)["models"]
    assert {name: made["row_model"] for name, made in told.items()} == {
        "people": "copula", "visits": "copula"
    }  # fmt: skip
    assert "the budget is 0.0" in told["visits"]["reason"]
    assert [made["rules"] for made in told.values()] == [[], []]


def test_synthesize_keeps_a_table_only_if_asked(folder: Path, tmp_path: Path) -> None:
    """`--keep` writes the real rows of that table."""
    document("synthesize", folder, tmp_path / "out", "--keep", "people")
    kept = pq.read_table(tmp_path / "out" / "people.parquet")
    assert kept.equals(pq.read_table(folder / "people.parquet"))


@pytest.mark.parametrize(
    ("option", "value", "part"),
    [
        ("--synthesizer", "magic", "Use one of: auto, fast, copula, trees, argn"),
        ("--scale", "0", "--scale must be above 0, got 0.0."),
        ("--keep", "peopel", "people"),
        ("--unit", "person", "Tables: people, visits."),
        ("--budget", "-1", "--budget must be above 0, got -1.0."),
        ("--memory", "lots", "memory must be a size such as 2GB or 512MB, got 'lots'."),
    ],
)
def test_synthesize_refuses_what_it_cannot_do(
    folder: Path, tmp_path: Path, option: str, value: str, part: str
) -> None:
    """Each refusal says what is allowed."""
    result = run("synthesize", folder, tmp_path / "out", option, value)
    assert (result.exit_code, part in result.stderr) == (2, True), result.output


def test_synthesize_does_not_overwrite_the_real_tables(folder: Path) -> None:
    """DATA and OUT are two folders."""
    result = run("synthesize", folder, folder)
    assert "would be lost" in result.stderr


def test_evaluate_scores_two_folders(folder: Path, tmp_path: Path) -> None:
    """A folder is as good as itself."""
    told = document("evaluate", folder, folder)
    assert told["quality"] == pytest.approx(1.0)


def test_snapshots_are_listed_shown_rolled_back_and_kept(shop: Any, prefect_url: str) -> None:
    """The versions in the sandbox are at hand, and a refresh keeps what was asked for."""
    first, second = (shop.refresh(force=True)[1].snapshot_id for _ in range(2))
    project = ("--project", shop.folder)
    listed = document("snapshots", "ls", *project)["snapshots"]
    assert [info["snapshot_id"] for info in listed] == [second, first]
    assert document("snapshots", "show", *project)["snapshot_id"] == second
    assert document("snapshots", "rollback", first, *project)["generation"] == 3
    assert shop.latest()["snapshot_id"] == first
    report = shop.folder / "r.html"
    document("report", "--out", report, *project)
    assert report.read_text().lower().startswith("<!doctype html>")
    keep = "{url: sandbox, retain: {last: 1, weekly: 0}}"
    shop.file.write_text(shop.file.read_text().replace("{url: sandbox}", keep))
    document("snapshots", "pin", second, *project)
    third = shop.refresh(force=True)[1].snapshot_id
    listed = document("snapshots", "ls", *project)["snapshots"]
    assert [info["snapshot_id"] for info in listed] == [third, second]


def test_nothing_published_yet_is_told(shop: Any) -> None:
    """An empty sandbox is answered with the command that fills it."""
    result = run("report", "--project", shop.folder)
    assert (result.exit_code, "prefect-synth refresh" in result.stderr) == (2, True)


def refresh(
    shop: Any, environment: dict[str, str], *options: str
) -> subprocess.CompletedProcess[str]:
    """Run the refresh as a person would."""
    command = [sys.executable, "-c", "from prefect_synth.flows.cli import main; main()", "refresh"]
    return subprocess.run(
        [*command, "--project", str(shop.folder), *options],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_refresh_prints_one_document(shop: Any, prefect_environment: dict[str, str]) -> None:
    """With --json nothing else is on the standard output, and nothing at all beside it."""
    done = refresh(shop, prefect_environment, "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["published"], done.stderr) == (0, True, "")
    assert told["tables"]["orders"]["real"] == 500


def test_refresh_tells_people_what_was_published_and_what_to_try(
    shop: Any, prefect_environment: dict[str, str]
) -> None:
    """A gate table, the place, the report, and three commands."""
    done = refresh(shop, prefect_environment)
    assert (done.returncode, done.stderr) == (0, "")
    for part in ("order_items", "published", "report.html", "pd.read_parquet", "snapshots ls"):
        assert part in done.stdout


def test_a_failed_gate_exits_with_one(shop: Any, prefect_environment: dict[str, str]) -> None:
    """The checks that failed are named, and nothing was published."""
    shop.configure("gates: {quality: {min: 1.0}}\n")
    done = refresh(shop, prefect_environment)
    assert (done.returncode, shop.latest()) == (1, None)
    assert "snapshot: quality failed" in done.stdout
