"""`prefect-synth oversample`: SMOTE and its like on real rows, inside private staging."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prefect_synth.flows.commands.answer import Answer
from prefect_synth.flows.refresh_setup import open_setup
from prefect_synth.synth.oversampling import Method
from prefect_synth.tasks.oversampled import oversample_staged


def oversample_table(
    project: Path,
    table: str,
    column: str,
    method: Method,
    out: Path | None,
    features: Sequence[str],
    neighbours: int,
    seed: int,
) -> Answer:
    """Oversample a table's staged real rows; see `oversample_staged`."""
    made, path = oversample_staged(
        open_setup(project).staging,
        table,
        column,
        method,
        out or Path(f"{table}-{method}.parquet"),
        tuple(features),
        neighbours,
        seed,
    )
    document = {
        "file": str(path),
        "rows": made.table.num_rows,
        "added": made.added,
        "features": list(made.features),
        "left_out": made.left_out,
        "before": list(made.before),
        "after": list(made.after),
    }
    return Answer(
        document,
        lambda console: console.print(
            f"{made.table.num_rows:,} rows ({made.left_out:,} left out) are in {path}. They are "
            "laid between real rows, so they are real data: they stay in private staging, and no "
            "snapshot may hold them. `balance` in synth.yaml makes a balanced table that may be "
            "published."
        ),
    )
