"""Whether a refresh draws with the models of the last published snapshot."""

from __future__ import annotations

from prefect_synth import __version__
from prefect_synth.flows.refresh_pull import Staged
from prefect_synth.flows.refresh_setup import Setup
from prefect_synth.tasks.connections import warehouse_url
from prefect_synth.tasks.references import fingerprint
from prefect_synth.tasks.reuse import Trained
from prefect_synth.tasks.synthesis import Synthesis
from prefect_synth.tasks.telling import run_log
from prefect_synth.tasks.warehouses.url import redact


def depends_on(setup: Setup, staged: Staged, synthesis: Synthesis) -> dict[str, str]:
    """Fingerprints of all that models depend on, but the rows that they learn from.

    Args:
        setup: The project and its places.
        staged: The staged real tables.
        synthesis: What models would be trained from.
    """
    project = setup.project
    source = project.warehouse.model_dump(mode="json", exclude={"url"})
    held = staged.run.state.held
    copied = [ref.fingerprint for ref in staged.tables if ref.table in synthesis.keep]
    return {
        "the version of prefect-synth": __version__,
        "the schema, or what its columns mean,": fingerprint(staged.metadata.to_dict()),
        "settings that models depend on": fingerprint(synthesis.settings()),
        "the warehouse": fingerprint(
            redact(warehouse_url(project.warehouse, setup.base)), source
        ),
        "the holdout": fingerprint(project.privacy.holdout),
        "a table that is published as it is": fingerprint(copied),
        **({"what is held of the schema": fingerprint(held)} if held else {}),
    }  # fmt: skip


def reusable(setup: Setup, staged: Staged, depends: dict[str, str]) -> Trained | None:
    """The models of the last published snapshot; None where they have to be trained.

    The log says which of both it is, and why.

    Args:
        setup: The project and its places.
        staged: The staged real tables.
        depends: What `depends_on` gave.
    """
    last, log = setup.staging.last_models, run_log()
    rows = {ref.table: ref.rows for ref in staged.tables}
    reason = last.obstacle(depends, rows) if last else "no published snapshot has left any"
    if last is None or reason:
        log.warning(f"Models are trained and not reused, because {reason}.")
        return None
    log.info(f"Nothing is trained: the models of run {last.run_id} are reused.")
    return last
