"""The privacy budget of a project: what a refresh pays, and whether it may train."""

from __future__ import annotations

from prefect_synth.flows.private_settings import all_charges
from prefect_synth.flows.refresh_setup import Setup
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.privacy.ledger import FILE, OverspentError
from prefect_synth.tasks.connections import warehouse_url
from prefect_synth.tasks.paying import Paying
from prefect_synth.tasks.synthesis import Synthesis
from prefect_synth.tasks.telling import run_log
from prefect_synth.tasks.warehouses.url import redact

_MOSTLY_SPENT = 0.8


def paying_of(setup: Setup, run: str = "") -> Paying | None:
    """Who pays, and into which ledger; None where the project is not differentially private.

    Args:
        setup: The project and its places.
        run: The run that pays.
    """
    asked = setup.project.privacy
    if asked.epsilon is None:
        return None
    return Paying(
        ledger=setup.staging.root / FILE,
        source=redact(warehouse_url(setup.project.warehouse, setup.base)),
        run=run,
        budget=asked.budget,
        budget_delta=asked.budget_delta,
    )


def refusal(setup: Setup, metadata: Metadata, *, warn: bool = True) -> OverspentError | None:
    """Why nothing may be trained, where the budget has not room for training all tables.

    Args:
        setup: The project and its places.
        metadata: The schema to synthesize.
        warn: Whether to say where most of the budget is spent.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    paying = paying_of(setup)
    if paying is None or paying.budget is None:
        return None
    try:
        paying.opened.check(all_charges(metadata, setup.project, paying.source))
    except OverspentError as error:
        return error
    if warn:
        _warn(paying)
    return None


def was_begun(setup: Setup, synthesis: Synthesis) -> bool:
    """Whether a run has begun to train from just this; what it has done is paid for.

    Args:
        setup: The project and its places.
        synthesis: What models would be trained from.
    """
    return setup.staging.links(synthesis.fingerprint()).is_dir()


def _warn(paying: Paying) -> None:
    """Say it where most of the budget is spent."""
    ledger = paying.opened
    for unit in dict.fromkeys(entry.unit for entry in ledger.entries()):
        spent = ledger.spent(unit).epsilon(paying.budget_delta)
        if paying.budget is not None and spent > _MOSTLY_SPENT * paying.budget:
            run_log().warning(
                "Epsilon %.3g of the privacy budget %g of a row of %s is spent: see "
                "'prefect-synth ledger'.",
                spent,
                paying.budget,
                unit,
            )
