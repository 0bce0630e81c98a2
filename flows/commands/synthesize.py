"""`prefect-synth synthesize`: the library on a folder of Parquet files, and nothing else."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import pyarrow as pa
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from prefect_synth.flows.commands.answer import Answer
from prefect_synth.flows.evaluation import find_tables, read_metadata
from prefect_synth.flows.tables import RuleSearch
from prefect_synth.flows.terminal import showing_progress
from prefect_synth.synth.effort import Effort
from prefect_synth.synth.errors import RequestError
from prefect_synth.synth.generation.keys import Keys
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.hierarchy.links import OnOrphan
from prefect_synth.synth.hierarchy.sampling import Sampler
from prefect_synth.synth.hierarchy.spill import parse_size
from prefect_synth.synth.hierarchy.summary import summarize
from prefect_synth.synth.interpolated import is_marked
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.sources import read_schema
from prefect_synth.synth.registry import SYNTHESIZERS, resolve
from prefect_synth.synth.row_models.factory import load_library
from prefect_synth.tasks.parquet_form import FileFacts, write_published
from prefect_synth.tasks.progress import progress, step
from prefect_synth.tasks.watched_training import shown_epochs

_TRAIN = "train"


@dataclass(frozen=True)
class Request:
    """What to synthesize, and how.

    Args:
        data: Folder of the real tables, each `<table>.parquet` or `<table>/*.parquet`.
        out: Folder to write `<table>.parquet` to.
        metadata: Our metadata or SDV's, as JSON; else DATA/metadata.json, else inferred.
        synthesizer: Name of the row model.
        scale: Synthetic rows for each real row.
        seed: Of every draw.
        keep: Tables whose real rows are written as they are.
        on_orphan: What to do with a foreign key whose parent does not exist.
        keys: Whether minted keys are fresh or stable.
        memory: What sampling may use, as "2GB"; all that it needs where None.
        unit: The table whose rows are people, where it is known.
        budget: Processor seconds that `auto` may spend on a table; without end where None.
        rules: Whether rules are found and held, or not.
        effort: What networks may spend on a table.
    """

    data: Path
    out: Path
    metadata: Path | None
    synthesizer: str
    scale: float
    seed: int
    keep: tuple[str, ...]
    on_orphan: OnOrphan
    keys: Keys = "fresh"
    memory: str | None = None
    unit: str | None = None
    budget: float | None = None
    rules: RuleSearch = "infer"
    effort: Effort = field(default_factory=Effort)


@dataclass
class Stopwatch:
    """Time on the clock and time of the processors since it was started."""

    wall: float = field(default_factory=perf_counter)
    cpu: float = field(default_factory=lambda: sum(os.times()[:4]))

    def lap(self, name: str) -> dict[str, float]:
        """`<name>_seconds` and `<name>_cpu_seconds` since the start or the last lap."""
        wall, cpu = perf_counter(), sum(os.times()[:4])
        spent = {f"{name}_seconds": wall - self.wall, f"{name}_cpu_seconds": cpu - self.cpu}
        self.wall, self.cpu = wall, cpu
        return {name: round(seconds, 3) for name, seconds in spent.items()}


def synthesize_folder(request: Request) -> Answer:
    """Fit a folder of tables, sample them, and write what was sampled.

    Raises:
        RequestError: An option has a value that cannot be.
        SynthesisError: The data cannot be synthesized.
        MetricsError: There is no table, or no metadata file of that name.
    """
    tables = find_tables(request.data)
    metadata = read_metadata(request.metadata, request.data)
    _check(request, metadata)
    model = HMASynthesizer(
        metadata,
        row_model=request.synthesizer,
        seed=request.seed,
        keep=request.keep,
        on_orphan=request.on_orphan,
        keys=request.keys,
        unit=request.unit,
        budget_seconds=request.budget,
        rules=request.rules,
        effort=request.effort,
    )
    load_library(resolve(request.synthesizer))
    watch = Stopwatch()
    with showing_progress(Console(stderr=True)):
        _fit(model, {name: tables[name] for name in metadata.tables if name in tables})
    spent = watch.lap("fit")
    sampler = model.sampler(request.scale, memory=request.memory)
    spent |= watch.lap("sample")
    rows = _write(request, sampler, metadata, spent)
    document = {
        **spent,
        "rows": rows,
        "models": {name: asdict(summarize(part)) for name, part in model.parts_.items()},
        "peak_memory_mb": _peak_memory(),
        "out": str(request.out),
    }
    return Answer(document, lambda console: _show(console, document))


def _fit(model: HMASynthesizer, tables: dict[str, Path]) -> None:
    """Fit table by table, so that it can be seen how far it is."""
    extensions, parts = model.extend(tables), {}
    with step(_TRAIN, len(extensions.plan.order)):
        for table in extensions.plan.order:
            progress().advance(_TRAIN, 0, table)
            with shown_epochs(_TRAIN, table):
                parts[table] = model.fit_part(table, extensions)
            progress().advance(_TRAIN, 1, table)
    model.assemble(extensions.plan, parts)


def _check(request: Request, metadata: Metadata) -> None:
    if request.synthesizer not in SYNTHESIZERS:
        raise RequestError(
            f"The synthesizer '{request.synthesizer}' is not known. "
            f"Use one of: {', '.join(SYNTHESIZERS)}."
        )
    if not request.scale > 0:
        raise RequestError(f"--scale must be above 0, got {request.scale}.")
    if request.memory is not None:
        parse_size(request.memory)
    if request.budget is not None and not request.budget > 0:
        raise RequestError(f"--budget must be above 0, got {request.budget}.")
    if request.out.resolve() == request.data.resolve():
        raise RequestError(
            f"DATA and OUT are the same folder '{request.out}': the real tables would be lost. "
            "Give another folder to write to."
        )
    if not metadata.tables:
        raise RequestError("The metadata has no table. Describe at least one.")
    _check_names(request, metadata)


def _check_names(request: Request, metadata: Metadata) -> None:
    named = [(name, "is to be kept") for name in request.keep]
    named += [(request.unit, "is the unit of privacy")] if request.unit is not None else []
    for name, role in named:
        if name not in metadata.tables:
            raise RequestError(
                f"The table '{name}' {role}, but there is no such table. "
                f"Tables: {', '.join(metadata.tables)}."
            )
    files = find_tables(request.data)
    for name in request.keep:
        if is_marked(read_schema(files[name])):
            raise RequestError(
                f"The rows of '{name}' are laid between real ones (SMOTE or its like), so they "
                "cannot be kept. Leave out --keep."
            )
    if request.unit in request.keep:
        raise RequestError(
            f"The rows of '{request.unit}' are people, so they cannot be kept. Leave out --unit "
            "or --keep."
        )


def _write(
    request: Request, sampler: Sampler, metadata: Metadata, spent: dict[str, float]
) -> dict[str, int]:
    """Write the tables block by block; only the time of drawing them is added to `spent`."""
    for name, part in sampler.parts.items():
        blocks = _timed(sampler.table_batches(name), spent)
        facts = FileFacts(table=name, copied=name in request.keep, seed=request.seed)
        path = request.out / f"{name}.parquet"
        write_published(path, part.schema, blocks, facts, metadata.tables[name])
    return sampler.rows


def _timed(batches: Iterator[pa.RecordBatch], spent: dict[str, float]) -> Iterator[pa.RecordBatch]:
    watch = Stopwatch()
    for batch in batches:
        for name, seconds in watch.lap("sample").items():
            spent[name] = round(spent[name] + seconds, 3)
        yield batch
        watch.lap("sample")  # what came between was the writing


def _peak_memory() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)


def _show(console: Console, document: Mapping[str, Any]) -> None:
    rows, models = document["rows"], document["models"]
    table = Table("table", box=None, pad_edge=False)
    for name in ("rows", "rules"):
        table.add_column(name, justify="right")
    for name in ("model", "why"):
        table.add_column(name)
    for name, count in rows.items():
        made = models[name]
        rules, why = f"{len(made['rules']) or '-'}", f"[dim]{escape(made['reason'])}[/]"
        table.add_row(escape(name), f"{count:,}", rules, made["row_model"], why)
    console.print(table)
    console.print(
        f"\nfit {document['fit_seconds']} s, sample {document['sample_seconds']} s, "
        f"at most {document['peak_memory_mb']} MB"
    )
    console.print(f"[green]written[/] to {escape(str(document['out']))}", soft_wrap=True)
