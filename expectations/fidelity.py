"""How faithful a snapshot is as a whole: every score of all tables together, beside its ceiling.

The ceiling is what the holdout reaches in the synthetic tables' place, computed by the same code in
the same run. It stands on the holdout's rows, so where these are few it lies lower by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from prefect_synth.expectations.fidelity_scores import (
    Covered,
    c2st_figures,
    dependence_figures,
    diagnostic_figures,
    khop_figures,
    quality_figures,
    sequence_figures,
    tstr_figures,
)
from prefect_synth.expectations.memory import Memory, Seen
from prefect_synth.expectations.scores import TITLES, Score
from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.sides import Sides
from prefect_synth.expectations.structure import guarded
from prefect_synth.expectations.verdict import Check
from prefect_synth.synth.descent import tables_above, tables_below
from prefect_synth.synth.metrics.c2st import SIDES, C2STScore, c2st
from prefect_synth.synth.metrics.classifier import one_thread
from prefect_synth.synth.metrics.dependence import (
    DependencePart,
    DependenceScore,
    dependence_parts,
    whole_dependence,
)
from prefect_synth.synth.metrics.diagnostic import (
    DiagnosticPart,
    DiagnosticScore,
    diagnostic_parts,
    whole_diagnostic,
)
from prefect_synth.synth.metrics.khop import KhopScore, khop_parts, khop_ways, whole_khop
from prefect_synth.synth.metrics.quality import (
    QualityPart,
    QualityScore,
    quality_parts,
    whole_quality,
)
from prefect_synth.synth.metrics.sequences import SequenceScore, sequence_scores
from prefect_synth.synth.metrics.sources import count_rows
from prefect_synth.synth.metrics.tstr import TSTRScore, tstr
from prefect_synth.synth.row_models.threads import one_blas_thread

T = TypeVar("T")

_TREES = 40  # of a classifier, every night; `evaluate` grows more

Pair = tuple[T, T | None]
"""What the synthetic tables reach, and what the holdout does; None without a holdout."""


@dataclass
class Fidelity:
    """Every measurement of all tables together; None or empty where one was not made.

    Args:
        quality: SDMetrics' quality.
        diagnostic: SDMetrics' diagnosis: whether the tables are valid at all.
        khop: Trends with grandparents.
        dependence: How much dependence is kept.
        sequences: Autocorrelation and gaps.
        c2st: Classifier two-sample tests.
        tstr: Predictors trained on synthetic rows.
        crashed: A check for each measurement that broke.
        untold: A note for each target of which nothing can be told.
    """

    quality: Pair[QualityScore] | None = None
    diagnostic: DiagnosticScore | None = None
    khop: Pair[KhopScore] | None = None
    dependence: DependenceScore | None = None
    sequences: Pair[SequenceScore] | None = None
    c2st: Pair[C2STScore] | None = None
    tstr: list[TSTRScore] = field(default_factory=list)
    crashed: list[Check] = field(default_factory=list)
    untold: list[Check] = field(default_factory=list)

    def scores(self, sides: Sides) -> tuple[Score, ...]:
        """All figures, each beside its ceiling."""
        names = [r.name for r in sides.whole_relations]
        covered = Covered(sides.metadata, tuple(sides.holdout), names)
        return (
            *(quality_figures(*self.quality, covered) if self.quality else ()),
            *(diagnostic_figures(self.diagnostic) if self.diagnostic else ()),
            *(khop_figures(*self.khop, covered) if self.khop else ()),
            *(dependence_figures(self.dependence, covered) if self.dependence else ()),
            *(sequence_figures(*self.sequences, covered) if self.sequences else ()),
            *(c2st_figures(*self.c2st, covered) if self.c2st else ()),
            *tstr_figures(self.tstr, covered),
        )


def measure_fidelity(
    sides: Sides,
    gates: Gates,
    kept: frozenset[str] = frozenset(),
    *,
    related: bool = False,
    memory: Memory | None = None,
) -> Fidelity:
    """Measure the fidelity of all tables together.

    Args:
        sides: The tables.
        gates: How many rows are compared, and for which targets predictors are trained.
        kept: Tables that are published as they are: they are not told from the real ones.
        related: Whether classifiers also see rows joined with their parents and children; it takes
            as long as all the rest.
        memory: Figures of the same rows that were computed before; it learns those of these rows.

    Returns:
        The measurements; one that broke is among `crashed`, and takes none of the others with it.
    """
    found, asked = Fidelity(), SIDES if related else SIDES[:1]
    memory = memory or Memory()
    steps: dict[str, Callable[[], None]] = {
        "quality": lambda: _measure_quality(found, sides, gates, memory),
        "validity": lambda: _measure_diagnostic(found, sides, memory),
        "trends with grandparents": lambda: _measure_khop(found, sides, gates, memory),
        "dependence": lambda: _measure_dependence(found, sides, gates, memory),
        "sequences": lambda: _measure_sequences(found, sides, gates),
        "classifier two-sample test": lambda: _measure_c2st(
            found, sides, gates, kept, asked, memory
        ),
        "trained on synthetic, tested on real": lambda: _measure_tstr(found, sides, gates),
    }
    with one_blas_thread, one_thread:  # once for all: looking the libraries up takes its time
        checks = [_attempted(name, step) for name, step in steps.items()]
    found.crashed = [check for check in checks if check.status == "crashed"]
    return found


def _attempted(name: str, step: Callable[[], None]) -> Check:
    blank = Check(name, None, None, "fidelity", None, "computed", "passed")

    def observe() -> Check:
        step()
        return blank

    return guarded(blank, observe)


def _measure_quality(found: Fidelity, sides: Sides, gates: Gates, memory: Memory) -> None:
    names, settings = _seen_by_parts(sides, gates.max_rows), (gates.max_rows, gates.seed)

    def measure(
        what: str, side: Mapping[str, Path], whole: Mapping[str, Path] | None
    ) -> list[QualityPart]:
        def made(asked: Sequence[str]) -> dict[str, Any]:
            rows, seed = settings
            parts = quality_parts(
                sides.training, side, sides.metadata, asked, rows=rows, seed=seed, degrees=whole
            )
            return {part.name: asdict(part) for part in parts}

        return [QualityPart(**p) for p in memory.each(what, names, settings, made).values()]

    every = [r.name for r in sides.metadata.relationships]
    score = whole_quality(measure("quality", sides.synthetic, sides.whole), every)
    ceiling = None
    if sides.holdout:
        parts = measure("quality of the holdout", sides.unseen, None)
        ceiling = whole_quality(parts, [r.name for r in sides.whole_relations])
    found.quality = score, ceiling


def _measure_diagnostic(found: Fidelity, sides: Sides, memory: Memory) -> None:
    def measure(asked: Sequence[str]) -> dict[str, Any]:
        parts = diagnostic_parts(sides.whole, sides.synthetic, sides.metadata, asked)
        return {part.name: asdict(part) for part in parts}

    names: dict[str, Seen] = {t: ({t}, {t}) for t in sides.metadata.tables}
    names |= {r.name: ((), {r.parent, r.child}) for r in sides.metadata.relationships}
    parts = memory.each("validity", names, (), measure)
    found.diagnostic = whole_diagnostic(DiagnosticPart(**part) for part in parts.values())


def _measure_khop(found: Fidelity, sides: Sides, gates: Gates, memory: Memory) -> None:
    ways, settings = khop_ways(sides.metadata), (gates.compared_rows, gates.seed)
    keys = _keys_seen(sides, gates.compared_rows)
    ends = {way: {steps[0].child, steps[-1].parent} for way, steps in ways.items()}
    names = {way: (both, set().union(*map(keys, both))) for way, both in ends.items()}

    def measure(what: str, side: Mapping[str, Path]) -> KhopScore:
        def made(asked: Sequence[str]) -> dict[str, Any]:
            chosen = {way: ways[way] for way in asked}
            return khop_parts(sides.training, side, sides.metadata, chosen, *settings)

        return whole_khop(memory.each(what, names, settings, made).values())

    ceiling = measure("k-hop trends of the holdout", sides.unseen) if sides.holdout else None
    found.khop = measure("k-hop trends", sides.synthetic), ceiling


def _measure_dependence(found: Fidelity, sides: Sides, gates: Gates, memory: Memory) -> None:
    def measure(asked: Sequence[str]) -> dict[str, Any]:
        parts = dependence_parts(
            sides.training,
            sides.synthetic,
            sides.metadata,
            asked,
            holdout=sides.unseen if sides.holdout else None,
            rows=gates.compared_rows,
            seed=gates.seed,
        )
        return {part.name: asdict(part) for part in parts}

    names = _seen_by_parts(sides, gates.compared_rows)
    parts = memory.each("dependence", names, (gates.compared_rows, gates.seed), measure)
    found.dependence = whole_dependence(DependencePart(**part) for part in parts.values())


def _seen_by_parts(sides: Sides, most: int) -> dict[str, Seen]:
    """By table and relationship, what its dependence depends on.

    Families reach up to the ancestors; and which rows of a table are compared, where it has more
    than so many, depends on all that hang on it. Of both the keys alone are looked at.
    """
    metadata, keys = sides.metadata, _keys_seen(sides, most)
    tables: dict[str, Seen] = {name: ({name}, keys(name)) for name in metadata.tables}
    return tables | {
        r.name: ({r.parent, r.child}, keys(r.parent) | keys(r.child))
        for r in metadata.relationships
    }


def _keys_seen(sides: Sides, most: int) -> Callable[[str], set[str]]:
    """By table, the tables whose keys its families and its choice of rows depend on."""
    metadata = sides.metadata
    every = (sides.training, sides.synthetic, sides.unseen)
    large = {n for n in metadata.tables if any(count_rows(side[n]) > most for side in every)}

    def keys(table: str) -> set[str]:
        above = tables_above(metadata, table)
        return above.union(*(tables_below(metadata, name) for name in above & large))

    return keys


def _measure_sequences(found: Fidelity, sides: Sides, gates: Gates) -> None:
    found.sequences = _both(
        sides,
        lambda side: sequence_scores(
            sides.training, side, sides.metadata, rows=gates.max_rows, seed=gates.seed
        ),
    )


def _measure_c2st(
    found: Fidelity,
    sides: Sides,
    gates: Gates,
    kept: frozenset[str],
    asked: Collection[str],
    memory: Memory,
) -> None:
    def ask(side: Mapping[str, Path], tables: Collection[str]) -> C2STScore:
        rows, seed = gates.classified_rows, gates.seed
        measure = partial(c2st, tables=tables, sides=asked, rounds=_TREES)
        return measure(sides.training, side, sides.metadata, rows, seed)

    def known(what: str, side: Mapping[str, Path], tables: Collection[str]) -> C2STScore:
        if len(asked) > 1:  # with their relatives, tables depend on too many others
            return ask(side, tables)
        settings = (gates.classified_rows, gates.seed, _TREES)
        names: dict[str, Seen] = {table: ({table}, ()) for table in tables}
        return C2STScore(memory.each(what, names, settings, lambda t: ask(side, t).per_table))

    made = [name for name in sides.metadata.tables if name not in kept]
    # shared tables are the same on both sides: there is nothing to tell apart
    seen = [name for name in sides.metadata.tables if name in sides.holdout]
    ceiling = known("c2st of the holdout", sides.unseen, seen) if sides.holdout else None
    found.c2st = known("c2st", sides.synthetic, made), ceiling


def _measure_tstr(found: Fidelity, sides: Sides, gates: Gates) -> None:
    tables = sorted(sides.metadata.tables, key=len, reverse=True)
    for target in gates.targets:
        table = next((t for t in tables if target.startswith(f"{t}.")), target)
        if table not in sides.holdout:
            found.untold.append(_untold(table, target))
            continue
        found.tstr.append(
            tstr(
                sides.training,
                sides.synthetic,
                sides.unseen,
                sides.metadata,
                target,
                rows=gates.compared_rows,
                seed=gates.seed,
            )
        )
        if found.tstr[-1].train_on_synthetic is None:
            found.untold.append(_untold(table, target))


def _untold(table: str, target: str) -> Check:
    """Shared tables and data without a holdout have no rows on which a predictor can be tested."""
    column = target.removeprefix(f"{table}.")
    required, detail = "rows that no model saw", "nothing to test predictors of it on"
    name, told = TITLES["tstr"], "not judged"
    return Check(name, table, column, "fidelity", told, required, "warned", detail)


def _both(sides: Sides, measure: Callable[[Mapping[str, Path]], T]) -> Pair[T]:
    return measure(sides.synthetic), measure(sides.unseen) if sides.holdout else None
