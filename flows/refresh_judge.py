"""What the verdict on a table depends on, and verdicts of earlier nights that still hold."""

from __future__ import annotations

from prefect_synth.expectations.settings import TableGates
from prefect_synth.flows.refresh_work import Work
from prefect_synth.synth.descent import tables_above
from prefect_synth.tasks.comparison import Comparison
from prefect_synth.tasks.prints import judges
from prefect_synth.tasks.references import fingerprint
from prefect_synth.tasks.staged_run import SOUND
from prefect_synth.tasks.validate import validate_table


def judge_each(work: Work, comparison: Comparison) -> None:
    """Judge every table for itself; a verdict that still holds is taken over.

    Args:
        work: The refresh.
        comparison: What is compared.
    """
    staging, run = work.setup.staging, work.staged.run
    keys = {table: _what_is_judged(work, table, comparison) for table in comparison.synthetic}
    folders = {table: staging.judged(table, key) for table, key in keys.items()}
    futures = [
        work.start(
            validate_table,
            [folder / SOUND],
            table=table,
            fingerprint=keys[table],
            comparison=comparison,
            folder=folder,
        )
        for table, folder in folders.items()
    ]
    for future in futures:
        future.result()
    for table, folder in folders.items():
        run.adopt(table, folder)
    used = (str(folder.relative_to(staging.root)) for folder in folders.values())
    run.update(models=tuple(dict.fromkeys((*run.state.models, *used))))


def _what_is_judged(work: Work, table: str, comparison: Comparison) -> str:
    """Of a table's own rows, of the keys of all tables above, and of what is asked of it."""
    metadata, prints = work.staged.metadata, comparison.prints
    above = tables_above(metadata, table)
    related = [repr(r) for r in metadata.relationships if r.child in above or r.parent == table]
    return fingerprint(
        judges(),
        table,
        prints.rows[table],
        {name: prints.keys[name] for name in above},
        related,
        comparison.expected_rows[table],
        table in comparison.kept,
        comparison.on_orphan,
        comparison.units,
        comparison.quasi_identifiers.get(table, ()),
        work.setup.project.gates.with_overrides(_own_gates(work, table)).model_dump(mode="json"),
        comparison.user_checks.fingerprint(table),
    )


def _own_gates(work: Work, table: str) -> TableGates | None:
    settings = work.setup.project.tables.get(table)
    return None if settings is None else settings.gates
