"""Rows that train on half A of a data set and are scored against it, half B held out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from identities import identities
from marks import Figures, Row
from places import BENCH, OUT, SCORER, half, prefect_synth, run_json, script

PARTS = "sdmetrics,c2st,keys,tstr"


def measure(row: Row, seed: int, out: Path) -> Figures:
    """Fit and sample half A, and score what came."""
    return synthesize(row, half(row.data), seed, out) | score(row, out)


def measure_whole(row: Row, seed: int, out: Path) -> Figures:
    """Fit and sample a whole data set; its figures are time and memory."""
    return synthesize(row, half(row.data).with_name(row.data), seed, out)


def synthesize(row: Row, data: Path, seed: int, out: Path) -> Figures:
    """Run the command line on a folder of tables."""
    said = prefect_synth(
        "synthesize", data, out, "--metadata", data / "metadata.json", "--seed", str(seed),
        "--synthesizer", row.row_model, *(word for table in row.keep for word in ("--keep", table)),
    )  # fmt: skip
    return {
        "cpu s": said["fit_cpu_seconds"] + said["sample_cpu_seconds"],
        "fit cpu s": said["fit_cpu_seconds"],
        "sample cpu s": said["sample_cpu_seconds"],
        "wall s": said["fit_seconds"] + said["sample_seconds"],
        "peak GB": said["peak_memory_mb"] / 1024,
    }


def score(row: Row, synthetic: Path) -> Figures:
    """Score by the independent scorer, in the environment of SDMetrics."""
    metadata = scored_metadata(row)
    real, holdout = half(row.data, "A"), half(row.data, "B")
    targets = [word for target in row.targets for word in ("--target", target)]
    found = run_json(
        SCORER, BENCH / "score.py", "--real", real, "--synthetic", synthetic,
        "--holdout", holdout, "--metadata", metadata, "--only", PARTS, *targets,
    )  # fmt: skip
    figures = figures_of(found)
    nearer = script("nearer.py", BENCH, real, synthetic, holdout, metadata, python=SCORER)
    own = identities(synthetic) if row.data == "nyc20k" else {}
    return figures | nearer | own


def scored_metadata(row: Row) -> Path:
    """The data set's metadata without the columns that are not scored."""
    document = json.loads((half(row.data) / "metadata.json").read_text())
    for name in row.without:
        table, column = name.split(".")
        del document["tables"][table]["columns"][column]
    path = OUT / f"{row.name}.metadata.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def figures_of(found: dict[str, Any]) -> Figures:
    """The scorer's answer as figures by name; what it could not score is left out."""
    for part in ("sdmetrics", "c2st", "keys", "tstr"):
        if isinstance(found[part], dict) and "error" in found[part]:
            raise RuntimeError(f"the scorer's part {part} failed: {found[part]}")
    summary, properties = found["summary"], found["sdmetrics"]["quality"]
    figures = {
        "quality": properties["overall"],
        "diagnostic": found["sdmetrics"]["diagnostic"]["overall"],
        "shapes": properties.get("Column Shapes"),
        "pair trends": properties.get("Column Pair Trends"),
        "cardinality": properties.get("Cardinality"),
        "intertable trends": properties.get("Intertable Trends"),
        "c2st": summary["c2st_table_mean"],
        "c2st child": summary.get("c2st_child_mean"),
        "c2st parent": summary.get("c2st_parent_mean"),
        "children KS": summary.get("children_ks_complement_mean"),
        "foreign keys valid": summary.get("fk_valid_min"),
    }
    figures |= {f"c2st {table}": auc for table, auc in found["c2st"]["table"].items()}
    figures |= {f"tstr {x['target'].split('.')[1]}": x["train_on_synthetic"] for x in found["tstr"]}
    return {name: figure for name, figure in figures.items() if figure is not None}
