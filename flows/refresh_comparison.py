"""What a refresh compares: real tables, synthetic ones, and what was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prefect_synth.flows.pinned import pinned_files
from prefect_synth.flows.refresh_work import Work
from prefect_synth.flows.user_checks import user_checks
from prefect_synth.tasks.comparison import Comparison
from prefect_synth.tasks.pins import pinned_rows
from prefect_synth.tasks.prints import print_tables
from prefect_synth.tasks.published import published_snapshots
from prefect_synth.tasks.references import ExtensionsRef, ModelRef, TableRef


def compare(
    work: Work,
    extensions: ExtensionsRef,
    synthetic: Mapping[str, TableRef],
    models: Sequence[ModelRef],
    balanced: Mapping[str, TableRef],
) -> Comparison:
    """Put together what the judgement needs.

    Args:
        work: The refresh.
        extensions: Where the rows trained on are counted.
        synthetic: The synthetic tables.
        models: The trained parts, which know the rules in force.
        balanced: The balanced tables.
    """
    project, staged, folder = work.setup.project, work.staged, work.staged.run.folder
    pinned = pinned_rows({name: synthetic[name].path for name in pinned_files(work.setup)})
    return Comparison(
        metadata=staged.metadata_file,
        real=work.synthesis.paths(),
        holdout={ref.table: ref.path for ref in staged.held_out},
        whole=staged.whole,
        synthetic={name: ref.path for name, ref in synthetic.items()},
        files={name: ref.files for name, ref in {**synthetic, **balanced}.items()},
        rows={name: (rows, synthetic[name].rows) for name, rows in staged.rows.items()},
        expected_rows=_expected_rows(work, extensions, pinned),
        pinned=pinned,
        balanced=dict(balanced),
        balances=project.balances(),
        profiles=folder / "profiles",
        verdicts=folder / "verdicts",
        prints=print_tables(staged.metadata, (*staged.tables, *staged.held_out), synthetic),
        known=work.setup.staging.last_figures(),
        figures=staged.run.figures,
        kept=project.copied(),
        excluded=project.excluded(),
        on_orphan=project.defaults.on_orphan,
        gates=project.gates,
        table_gates=project.table_gates(),
        units=staged.units,
        quasi_identifiers=project.privacy.quasi_identifiers,
        pulled=staged.run.state.started,
        last=published_snapshots(work.setup.sandbox),
        last_profiles=work.setup.staging.last_profiles,
        models=tuple(models),
        user_checks=user_checks(work.setup),
        scenarios=project.scenarios(),
    )


def _expected_rows(
    work: Work, extensions: ExtensionsRef, pinned: Mapping[str, int]
) -> dict[str, int]:
    """By table, how many rows were asked for, pinned ones included."""
    kept = work.setup.project.copied()
    return {
        name: rows
        if name in kept
        else max(round(rows * work.scales[name]), _fewest(work, name, rows)) + pinned.get(name, 0)
        for name, rows in extensions.rows.items()
    }


def _fewest(work: Work, table: str, trained: int) -> int:
    """A table that has real rows must have synthetic ones, unless all were dropped as orphans."""
    dropping = work.setup.project.defaults.on_orphan == "drop"
    return min(trained if dropping else work.staged.rows[table], 1)
