"""`prefect-synth watch --listen`, with a real PostgreSQL and a real Prefect server."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prefect.settings import PREFECT_API_URL, temporary_settings
from typer.testing import CliRunner

from prefect_synth.flows.cli import app
from prefect_synth.tasks.warehouses.postgres_trigger import INSTALL

MAIN = "from prefect_synth.flows.cli import main; main()"
ENDED = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"


class Listener:
    """The command, running."""

    def __init__(self, output: Path, process: subprocess.Popen[bytes]) -> None:
        self.output, self.process = output, process

    def said(self, word: str) -> list[str]:
        """What it said of one kind."""
        lines = map(json.loads, self.output.read_text().splitlines())
        return [line["message"] for line in lines if line.get("event") == word]


@contextmanager
def listening(shop: Any, environment: dict[str, str]) -> Iterator[Listener]:
    """Listen to a shop's warehouse; looks are due once in an hour."""
    output = shop.folder / "said.jsonl"
    options = ["--listen", "--json", "--every", "60", "--project", str(shop.file)]
    with (
        output.open("wb") as said,
        subprocess.Popen(
            [sys.executable, "-c", MAIN, "watch", *options], stdout=said, env=environment
        ) as process,
    ):
        try:
            yield Listener(output, process)
        finally:
            process.kill()


def test_what_postgres_notifies_is_looked_at_at_once(
    postgres_shop: Any, prefect_environment: dict[str, str], wait: Any
) -> None:
    """A notification leads to a look and no more, a lost connection is made again, SIGTERM ends."""
    postgres_shop.execute(INSTALL)
    postgres_shop.accept()
    with listening(postgres_shop, prefect_environment) as listener:
        wait(lambda: listener.said("start"), 60)
        postgres_shop.execute("NOTIFY prefect_synth")
        wait(lambda: listener.said("notified"), 30)
        postgres_shop.execute("ALTER TABLE customers ADD COLUMN ssn text")
        wait(lambda: len(listener.said("notified")) == 2, 30)
        postgres_shop.execute(ENDED)
        wait(lambda: len(listener.said("start")) == 2, 30)
        listener.process.send_signal(signal.SIGTERM)
        assert listener.process.wait(15) == 0
    nothing, something = listener.said("notified")
    assert nothing.startswith("Nothing new.")
    assert "column 'customers.ssn' is new" in something
    assert listener.said("start")[1].startswith("Nothing new.")
    assert "reads-only" not in listener.output.read_text()


def test_only_postgres_can_be_listened_to(shop: Any, prefect_url: str) -> None:
    """For others there is the deployment that looks every few minutes."""
    with temporary_settings({PREFECT_API_URL: prefect_url}):
        answer = CliRunner().invoke(app, ["watch", "--listen", "--project", str(shop.file)])
    assert (answer.exit_code, "Only PostgreSQL" in answer.stderr) == (2, True)


def test_nobody_listens_for_nobody(postgres_shop: Any) -> None:
    """Without a Prefect server nobody would be told of what is heard."""
    with temporary_settings({PREFECT_API_URL: None}):
        answer = CliRunner().invoke(
            app, ["watch", "--listen", "--project", str(postgres_shop.file)]
        )
    assert (answer.exit_code, "PREFECT_API_URL" in answer.stderr) == (2, True)
