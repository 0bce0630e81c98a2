"""Every failure has an exit code of its own choice, and says everything that cures it."""

from __future__ import annotations

import importlib
import json
import pkgutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import prefect_synth
from prefect_synth.flows.cli import app
from prefect_synth.flows.commands.answer import Answer, respond
from prefect_synth.flows.failures import EXIT_CODES, exit_code_of
from prefect_synth.synth.errors import OrphanError
from prefect_synth.tasks.snapshots.errors import SandboxFullError
from prefect_synth.tasks.snapshots.policy import bucket_policy
from prefect_synth.tasks.warehouses.errors import StagedFileError, UnrepresentableValue

ROOMS = ("deployments", "expectations", "flows", "synth", "tasks")


def error_classes() -> Iterator[str]:
    """Every error that this package defines, by its name below the package; no warning is one."""
    for room in ROOMS:
        package = importlib.import_module(f"prefect_synth.{room}")
        names = [m.name for m in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
        for module in map(importlib.import_module, names):
            for name, value in vars(module).items():
                ours = isinstance(value, type) and value.__module__ == module.__name__
                if ours and issubclass(value, BaseException) and not issubclass(value, Warning):
                    yield f"{module.__name__}.{name}".removeprefix(f"{prefect_synth.__name__}.")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Great Expectations imports what is old
def test_every_error_of_ours_has_a_code() -> None:
    """A new class makes somebody choose, and one that is gone leaves no entry."""
    assert sorted(error_classes()) == sorted(EXIT_CODES)


def test_what_a_setting_cures_is_a_matter_of_configuration() -> None:
    """So the caller looks into the project file, not at the network."""
    orphans = OrphanError("orders.customer_id", 3, 10)
    assert [exit_code_of(orphans), exit_code_of(UnrepresentableValue("x"))] == [2, 2]


def test_a_full_disk_is_ours_or_the_sandboxes() -> None:
    """One's own disk is no connection; the sandbox's is."""
    errors = [OSError(28, "full"), StagedFileError("full"), SandboxFullError("full")]
    assert [exit_code_of(error) for error in errors] == [4, 4, 3]


def test_an_interruption_is_told_with_the_code_of_the_process(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ctrl-C: the document and the process agree."""

    def work() -> Answer:
        signal.raise_signal(signal.SIGINT)
        raise AssertionError

    with pytest.raises(typer.Exit) as ended:
        respond(True, work)
    assert (ended.value.exit_code, json.loads(capsys.readouterr().out)["exit"]) == (130, 130)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_bucket_without_permission_is_told_with_the_policy(
    options: list[str], shop: Any, s3_server: Any
) -> None:
    """What the message calls 'the policy below' is below it."""
    bucket, user = s3_server.fresh_bucket(), s3_server.read_only
    Path(shop.file).write_text(
        "project: shop\nwarehouse: {url: 'duckdb:///shop.duckdb'}\n"
        f"sandbox: {{url: 's3://{bucket}/shop', endpoint_url: '{s3_server.endpoint_url}',\n"
        f"  key: {user.key}, secret: {user.secret}}}\n"
    )
    result = CliRunner().invoke(app, ["check", "--project", str(shop.file), *options])
    shown = json.loads(result.stdout)["error"]["message"] if options else result.stderr
    _, policy = shown.split("for a publisher:\n")
    assert (result.exit_code, json.loads(policy)) == (3, bucket_policy(bucket, "shop"))
