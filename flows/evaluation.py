"""The body of `prefect-synth evaluate`: score a folder of synthetic tables against real ones.

The privacy half is in `evaluation_privacy`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from prefect_synth.flows.evaluation_privacy import evaluate_privacy
from prefect_synth.synth.inference import infer_metadata
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.c2st import c2st
from prefect_synth.synth.metrics.coverage import column_scores
from prefect_synth.synth.metrics.dependence import dependence
from prefect_synth.synth.metrics.diagnostic import diagnostic
from prefect_synth.synth.metrics.keys import read_references
from prefect_synth.synth.metrics.khop import khop_trends
from prefect_synth.synth.metrics.quality import QualityScore, quality
from prefect_synth.synth.metrics.sequences import sequence_scores
from prefect_synth.synth.metrics.sources import MetricsError, count_rows, read_columns, read_schema
from prefect_synth.synth.metrics.structure import key_duplicates, orphans, schema_differences
from prefect_synth.synth.metrics.tstr import tstr
from prefect_synth.synth.sdv import metadata_from_sdv

PROPERTIES = (
    "quality",
    "column_shapes",
    "column_pair_trends",
    "cardinality",
    "intertable_trends",
)
"""The scores of an evaluation, the overall one first; each from 0 to 1, or None."""

CLASSIFIED_ROWS = 20_000
"""Most rows of a side that a classifier or an attack sees."""


def evaluate_folders(
    real: Path,
    synthetic: Path,
    metadata: Path | None = None,
    holdout: Path | None = None,
    rows: int | None = 20_000,
    targets: Sequence[str] = (),
    unit: str | None = None,
) -> dict[str, Any]:
    """Score synthetic tables: fidelity, structure and privacy.

    Args:
        real: Folder of the real tables, each `<table>.parquet` or `<table>/*.parquet`.
        synthetic: Folder of the synthetic tables, likewise.
        metadata: Our metadata or SDV's, as JSON; else REAL/metadata.json, else inferred.
        holdout: Folder of real tables that no synthesizer saw. Their scores are what an honest
            synthesizer can reach at best; they are given beside the synthetic ones.
        rows: At most so many rows of a table are compared; None for all.
        targets: Columns as `table.column` that predictors are trained for; they need a holdout.
        unit: The table whose rows are people, where it is known.

    Returns:
        Plain JSON values: `PROPERTIES`, `c2st`, `diagnostic`, `dependence`, `khop_trends`,
        `sequences`, `tstr`, `columns`, `column_metrics`, `relationships`, `tables`, `structure`,
        `privacy`, and with a holdout `ceiling` and `privacy.excess_copies`.

    Raises:
        MetricsError: A folder, a table or a column is missing.
    """
    left, right = find_tables(real), find_tables(synthetic)
    unseen = find_tables(holdout) if holdout else None
    schema = read_metadata(metadata, real)
    missing = [table for table in schema.tables if table in left and table not in right]
    schema = schema.subset(left.keys() & right.keys())
    if not schema.tables:
        raise MetricsError(
            f"No table of '{real}' ({', '.join(left)}) is in '{synthetic}' ({', '.join(right)}). "
            "The files' names must be the tables' names."
        )
    score = quality(left, right, schema, rows=rows)
    result = _properties(score) | _further(left, right, unseen, schema, rows, targets)
    result |= {
        "rows_compared": rows,
        "columns": dict(score.per_column),
        "column_metrics": column_scores(left, right, schema, rows=rows),
        "relationships": dict(score.per_relationship),
        "unscored": list(score.unscored),
        "tables": {
            table: {
                "rows": [count_rows(left[table]), count_rows(right[table])],
                "quality": score.per_table.get(table),
            }
            for table in schema.tables
        },
        "structure": _structure(left, right, schema, missing),
        "privacy": evaluate_privacy(left, right, schema, unseen, unit),
    }
    if unseen is not None:
        result["ceiling"] = _properties(quality(left, unseen, schema, rows=rows))
        result["ceiling"]["c2st"] = _c2st(left, unseen, schema, rows)["c2st"]
    return result


def _further(
    real: Mapping[str, Path],
    synthetic: Mapping[str, Path],
    holdout: Mapping[str, Path] | None,
    schema: Metadata,
    rows: int | None,
    targets: Sequence[str],
) -> dict[str, Any]:
    """What goes beyond SDMetrics' quality."""
    sequences = sequence_scores(real, synthetic, schema, rows=rows)
    kept = dependence(real, synthetic, schema, holdout=holdout, rows=rows or CLASSIFIED_ROWS)
    return _c2st(real, synthetic, schema, rows) | {
        "diagnostic": diagnostic(real, synthetic, schema).to_dict(),
        "dependence": kept.to_dict(),
        "khop_trends": khop_trends(real, synthetic, schema, rows=rows).score,
        "sequences": sequences.score,
        "tstr": [
            tstr(real, synthetic, holdout, schema, target, CLASSIFIED_ROWS).to_dict()
            for target in targets
            if holdout is not None
        ],
    }


def _c2st(
    real: Mapping[str, Path], other: Mapping[str, Path], schema: Metadata, rows: int | None
) -> dict[str, Any]:
    """The mean over tables, where chance counts as one half, and each part by itself."""
    score = c2st(real, other, schema, rows=min(rows or CLASSIFIED_ROWS, CLASSIFIED_ROWS))
    told = [max(0.5, auc) for auc in score.per_table.values() if auc is not None]
    return {"c2st": fmean(told) if told else None, "c2st_parts": score.to_dict()}


def _properties(score: QualityScore) -> dict[str, Any]:
    return {"quality": score.overall} | {name: getattr(score, name) for name in PROPERTIES[1:]}


def find_tables(folder: Path) -> dict[str, Path]:
    """Find the tables of a folder: `<table>.parquet` files and folders of Parquet parts.

    Raises:
        MetricsError: The folder does not exist or holds no table.
    """
    files = {path.stem: path for path in sorted(folder.glob("*.parquet")) if path.is_file()}
    parts = {path.parent.name: path.parent for path in sorted(folder.glob("*/*.parquet"))}
    if not (files or parts):
        raise MetricsError(
            f"There is no table in '{folder}'. Give a folder with <table>.parquet files, or with "
            "one folder of Parquet parts for each table."
        )
    return parts | files


def read_metadata(path: Path | None, folder: Path) -> Metadata:
    """Read metadata in our form or SDV's; without a file, infer it from the tables of a folder.

    Args:
        path: A JSON file; None for `metadata.json` in the folder, where there is one.
        folder: Where the tables are.
    """
    beside = folder / "metadata.json"
    path = path or (beside if beside.is_file() else None)
    if path is None:
        return infer_metadata(find_tables(folder))
    if not path.is_file():
        raise MetricsError(f"There is no metadata file '{path}'. Give our JSON or SDV's.")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise MetricsError(f"The metadata file '{path}' is not JSON: {error}.") from None
    return Metadata.from_dict(document) if "version" in document else metadata_from_sdv(document)


def _structure(
    real: Mapping[str, Path], synthetic: Mapping[str, Path], schema: Metadata, missing: list[str]
) -> dict[str, Any]:
    differences = {
        table: schema_differences(read_schema(real[table]), read_schema(synthetic[table]))
        for table in schema.tables
    }
    return {
        "missing_tables": missing,
        "schema_differences": {table: found for table, found in differences.items() if found},
        "key_duplicates": {
            f"{table.name}({', '.join(key)})": key_duplicates(
                read_columns(synthetic[table.name], key), key
            )
            for table in schema.tables.values()
            for key in filter(None, (table.primary_key, *table.unique))
        },
        "orphans": {
            r.name: orphans(
                read_references(synthetic[r.child], r),
                r.child_columns,
                read_columns(synthetic[r.parent], r.parent_columns),
                r.parent_columns,
            )
            for r in schema.relationships
        },
    }
