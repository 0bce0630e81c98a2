"""Rows about what must hold whatever the scores are: constraints, canaries, planted structure."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
from canaries import in_model, in_output, planted_canaries
from databases import DATA_SETS, database, load, reflected
from folders import read_folder, write_folder
from marks import Figures, Row
from places import SHARED, half, script
from planted import planted, planted_metadata, statistics
from servers import postgres

from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.structure import key_duplicates, orphans
from prefect_synth.synth.rules.checking import broken_rows
from prefect_synth.synth.sdv import metadata_from_sdv

SCALES = (0.1, 1.0, 10.0)
HALVES = ("adult", "nyc20k", "cj200")


def measure_planted(row: Row, seed: int, out: Path) -> Figures:
    """How far each planted statistic is from the truth: the worse of the two relations.

    The tail is judged where it was planted: by the 99 % quantile of both relations' counts, and by
    the largest count of the sparse one. Every statistic is recorded as it was found.
    """
    real = planted()
    data = write_folder(out / "data", real, planted_metadata())
    spent = script(
        "drive.py", data, out / "made", "--row-model", row.row_model, "--seed", str(seed)
    )
    truth, found = statistics(real), statistics(read_folder(out / "made"))
    off = {name: abs(found[name] / truth[name] - 1) for name in truth}
    judged = {
        name: max(off[f"{child}: {name}"] for child in ("orders", "claims"))
        for name in ("same category", "ICC of log amount", "count-mean correlation", "childless")
    }
    tail = ("orders: 99 % of counts", "claims: 99 % of counts", "claims: largest count")
    judged["tail of counts"] = max(off[name] for name in tail)
    return judged | found | {f"true {k}": v for k, v in truth.items()} | {"cpu s": spent["cpu s"]}


def measure_databases(row: Row, seed: int, out: Path) -> Figures:
    """Load synthetic `chinook` and `sakila` at each scale, every constraint on.

    The metadata are the catalogue's, as `refresh` reads them. The data sets' own metadata.json
    does not declare every unique key of the schema; with it alone is a figure beside.
    """
    refused: dict[str, list[str]] = {"catalogue": [], "metadata.json": []}
    loads = 0
    with postgres() as uri:
        for name in DATA_SETS:
            real = read_folder(SHARED / "data" / name)
            given = {
                "catalogue": reflected(uri, name, real),
                "metadata.json": metadata_from_sdv(SHARED / "data" / name / "metadata.json"),
            }
            for source, metadata in given.items():
                model = HMASynthesizer(metadata, row_model=row.row_model, seed=seed).fit(real)
                for scale in SCALES:
                    with database(uri) as own:
                        said = load(own, name, model.sample(scale))
                    refused[source] += [f"{name} x{scale} by {source}: {what}" for what in said]
                    loads += len(real)
    for what in [*refused["catalogue"], *refused["metadata.json"]]:
        print(what[:300], file=sys.stderr)
    return {
        "tables rejected": float(len(refused["catalogue"])),
        "tables rejected, by metadata.json": float(len(refused["metadata.json"])),
        "tables loaded": float(loads - sum(map(len, refused.values()))),
    }


def measure_invariants(row: Row, seed: int, out: Path) -> Figures:
    """Orphans, repeated keys, changed columns and broken rules, over every data set there is."""
    names = ("data sets", "orphans", "repeated keys", "schema differences", "rows that break rules")
    found = dict.fromkeys(names, 0.0)
    folders = [*sorted((SHARED / "data").glob("*/")), *(half(name) for name in HALVES)]
    for folder in [f for f in folders if (f / "metadata.json").is_file()]:
        metadata, real = metadata_from_sdv(folder / "metadata.json"), read_folder(folder)
        metadata = metadata.subset(real)
        real = {name: real[name] for name in metadata.tables}
        model = HMASynthesizer(metadata, row_model=row.row_model, seed=seed).fit(real)
        made = model.sample()
        broken = violations(metadata, real, made) | {
            "rows that break rules": broken_rules(model, made)
        }
        for name, count in broken.items():
            found[name] += count
        if any(broken.values()):
            print(f"{folder.name}, seed {seed}: {broken}", file=sys.stderr)
        found["data sets"] += 1
    return found


def violations(
    metadata: Metadata, real: Mapping[str, pa.Table], made: Mapping[str, pa.Table]
) -> Figures:
    """Foreign keys without a parent, keys that repeat, and columns of another type."""
    keys = [
        key_duplicates(made[t.name].select(list(key)), key)
        for t in metadata.tables.values()
        for key in filter(None, (t.primary_key, *t.unique))
    ]
    lost = [
        orphans(
            made[r.child].select(list(r.child_columns)),
            r.child_columns,
            made[r.parent].select(list(r.parent_columns)),
            r.parent_columns,
        )
        for r in metadata.relationships
    ]
    changed = [name for name in real if not made[name].schema.equals(real[name].schema, True)]
    return {
        "orphans": float(sum(lost)),
        "repeated keys": float(sum(keys)),
        "schema differences": float(len(changed)),
    }


def broken_rules(model: HMASynthesizer, made: Mapping[str, pa.Table]) -> float:
    """Rows of finished tables that break a rule that the model found."""
    found = [
        sum(broken_rows(model.metadata, name, part.rules, made).values())
        for name, part in model.parts_.items()
    ]
    return float(sum(found))


def measure_canaries(row: Row, seed: int, out: Path) -> Figures:
    """Look for planted canaries in three times as many rows as were trained on."""
    real, metadata = planted_canaries(seed)
    model = HMASynthesizer(metadata, row_model=row.row_model, seed=seed).fit(real)
    model.save(out / "model")
    output, stored = in_output(model.sample(3.0), real), in_model(out / "model")
    for what in [*output, *stored]:
        print(f"canary: {what}", file=sys.stderr)
    return {"in the output": float(len(output)), "in the model": float(len(stored))}
