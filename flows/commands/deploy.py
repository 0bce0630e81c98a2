"""`prefect-synth deploy`: a project's nights on a Prefect server, with workers to run them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from prefect_synth.flows.commands.answer import Answer
from prefect_synth.flows.project import Project, load_project, project_file
from prefect_synth.flows.quiet import surround_prefect
from prefect_synth.flows.run_settings import WorkPoolSettings
from prefect_synth.flows.server_errors import NoServerError
from prefect_synth.tasks.drift.lock import lock_file
from prefect_synth.tasks.warehouses.url import redact

if TYPE_CHECKING:
    from prefect_synth.flows.deploying.project_deployment import Deployed

PoolType = Literal["process", "docker", "kubernetes"]
_COLOURS = {"created": "green", "updated": "yellow", "deleted": "red", "unchanged": "dim"}


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for, where the project file says something else.

    Args:
        pool: Name of the work pool.
        type: Its type.
        image: Image of its containers.
        seen_as: The project file, as workers find it.
    """

    pool: str | None = None
    type: PoolType | None = None
    image: str | None = None
    seen_as: str | None = None

    def work_pool(self, settings: WorkPoolSettings) -> WorkPoolSettings:
        """The work pool.

        Args:
            settings: What the project file says of it.
        """
        said = {"name": self.pool, "type": self.type, "image": self.image}
        given = {key: value for key, value in said.items() if value is not None}
        return settings.model_copy(update=given)


def deploy_project(project: Path, wanted: Wanted, dry_run: bool, quiet: bool) -> Answer:
    """Create or update all that a project asks of the Prefect server in use.

    Args:
        project: The project file, or its folder.
        wanted: What the command line asks for.
        dry_run: Whether to change nothing.
        quiet: Whether to show nothing meanwhile.

    Raises:
        NoServerError: No server is configured.
        ServerError: The server does not answer, or refuses.
        DeployError: The project cannot be deployed as asked.
    """
    file = project_file(project)
    settings = load_project(file)
    surround_prefect()
    pool = wanted.work_pool(settings.run.work_pool)
    with Console(highlight=False, quiet=quiet).status("Deploying"):
        url = _api()
        deployed = _deploy(settings, file, wanted.seen_as or str(file), pool, dry_run)
    document = {
        "project": settings.project,
        "api": redact(url),
        "dry_run": dry_run,
        "work_pool": pool.name,
        "lock": str(lock_file(file)) if lock_file(file).is_file() else None,
        "notify": list(settings.notify),
        "steps": [_as_json(step) for step in deployed.steps],
    }
    return Answer(document, lambda console: _show(console, document, settings))


def _api() -> str:
    from prefect.settings import PREFECT_API_URL

    url = PREFECT_API_URL.value()
    if not url:
        raise NoServerError(
            "No Prefect server is configured to deploy to. Start one (`prefect server start`) and "
            "set PREFECT_API_URL, such as http://127.0.0.1:4200/api; or let `prefect-synth serve` "
            "do all of it on this machine."
        )
    return str(url)


def _deploy(
    settings: Project, file: Path, seen_as: str, pool: WorkPoolSettings, dry_run: bool
) -> Deployed:
    from prefect.client.orchestration import get_client

    from prefect_synth.flows.deploying.project_deployment import Target, deploy_to

    with get_client(sync_client=True) as client:
        return deploy_to(client, settings, Target(file, seen_as, pool), dry_run)


def _as_json(step: Any) -> dict[str, Any]:
    identifier = None if step.id is None else str(step.id)
    return {"kind": step.kind, "name": step.name, "action": step.action, "id": identifier}


def _show(console: Console, document: dict[str, Any], project: Project) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for step in document["steps"]:
        colour = _COLOURS[step["action"]]
        done = f"would be {step['action']}" if document["dry_run"] else step["action"]
        done = "unchanged" if step["action"] == "unchanged" else done
        table.add_row(f"[{colour}]{done}[/]", step["kind"], escape(step["name"]))
    console.print(table)
    if not project.notify:
        console.print(
            "\n[yellow]nobody is told of trouble[/]: name saved notification blocks under notify "
            "in the project file, such as slack-webhook/oncall",
            soft_wrap=True,
        )
    if document["lock"] is None:
        console.print(
            "\n[yellow]no synth.lock beside the project file[/]: what is accepted of the "
            "warehouse is then kept in private staging alone, and lost with it. Write one with "
            "[bold]prefect-synth drift accept --all[/], and commit it",
            soft_wrap=True,
        )
    if not document["dry_run"]:
        console.print("\nNext, where the runs shall go, and for as long as they shall:")
        console.print(f"  prefect worker start --pool {escape(document['work_pool'])}")
