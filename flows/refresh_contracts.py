"""What test-data contracts add to a sample: pinned rows, and balanced tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from prefect_synth.flows.pinned import pinned_files
from prefect_synth.flows.refresh_work import Work
from prefect_synth.tasks.balance import STEP as BALANCE
from prefect_synth.tasks.balance import balance_table
from prefect_synth.tasks.pins import PART, STEP, pin_rows
from prefect_synth.tasks.progress import step
from prefect_synth.tasks.references import (
    ModelRef,
    TableRef,
    file_fingerprint,
    fingerprint,
    part_file,
    whole_table,
)


def add_pins(
    work: Work, models: list[ModelRef], synthetic: Mapping[str, TableRef]
) -> dict[str, TableRef]:
    """Put pinned rows behind the synthetic ones.

    Args:
        work: The refresh.
        models: The trained parts.
        synthetic: The synthetic tables.

    Returns:
        All tables, those with pinned rows as they are now.
    """
    files, run = pinned_files(work.setup), work.staged.run
    if not files:
        return dict(synthetic)
    folders = {name: run.synthetic(name) for name in synthetic}
    key = fingerprint(
        {name: (file, file_fingerprint(path)) for name, (file, path) in files.items()},
        {name: ref.fingerprint for name, ref in synthetic.items()},
    )
    with step(STEP, len(files)):
        written = work.start(
            pin_rows,
            [folders[name] / PART for name in files],
            fingerprint=key,
            files=files,
            metadata=work.staged.metadata_file,
            plan=run.plan,
            models=models,
            pseudonyms=work.setup.staging.pseudonyms,
            folders=folders,
            real=work.staged.whole,
            kept=work.setup.project.copied(),
            facts=work.facts(models),
            k=work.setup.project.gates.privacy.k,
        ).result()
    pinned = {ref.table: ref for ref in written}
    return {
        name: whole_table([ref, pinned[name]]) if name in pinned else ref
        for name, ref in synthetic.items()
    }


def balanced_tables(
    work: Work, models: list[ModelRef], synthetic: Mapping[str, TableRef]
) -> dict[str, TableRef]:
    """Draw the balanced tables.

    Args:
        work: The refresh.
        models: The trained parts.
        synthetic: The synthetic tables.

    Returns:
        The balanced tables by name.
    """
    balances, run = work.setup.project.balances(), work.staged.run
    if not balances:
        return {}
    facts = work.facts(models)
    with step(BALANCE, len(balances)):
        futures = [
            work.start(
                balance_table,
                [part_file(run.synthetic(balance.name), 0)],
                balance=balance,
                fingerprint=fingerprint(asdict(balance), synthetic[balance.table].fingerprint),
                metadata=work.staged.metadata_file,
                plan=run.plan,
                models=models,
                pseudonyms=work.setup.staging.pseudonyms,
                like=synthetic[balance.table].path,
                folder=run.synthetic(balance.name),
                facts=facts[balance.table].model_copy(update={"table": balance.name}),
            )
            for balance in balances
        ]
        return {ref.table: ref for ref in (future.result() for future in futures)}
