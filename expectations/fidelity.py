"""How faithful a snapshot is as a whole: every score of all tables together, beside its ceiling.

The ceiling is what the holdout reaches in the synthetic tables' place, computed by the same code in
the same run. It stands on the holdout's rows, so where these are few it lies lower by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from prefect_synth.expectations.scores import Score
from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.sides import Sides
from prefect_synth.expectations.structure import guarded
from prefect_synth.expectations.verdict import Check
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.c2st import C2STScore, c2st
from prefect_synth.synth.metrics.classifier import one_thread
from prefect_synth.synth.metrics.dependence import DependenceScore, dependence
from prefect_synth.synth.metrics.diagnostic import DiagnosticScore, diagnostic
from prefect_synth.synth.metrics.khop import KhopScore, khop_trends
from prefect_synth.synth.metrics.quality import QualityScore, quality
from prefect_synth.synth.metrics.sequences import SequenceScore, sequence_scores
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
        unseen: The tables of which something is held out.
        crashed: A check for each measurement that broke.
    """

    quality: Pair[QualityScore] | None = None
    diagnostic: DiagnosticScore | None = None
    khop: Pair[KhopScore] | None = None
    dependence: DependenceScore | None = None
    sequences: Pair[SequenceScore] | None = None
    c2st: Pair[C2STScore] | None = None
    tstr: list[TSTRScore] = field(default_factory=list)
    unseen: Collection[str] = ()
    crashed: list[Check] = field(default_factory=list)

    def scores(self, metadata: Metadata) -> tuple[Score, ...]:
        """All figures, each beside its ceiling."""
        tables = sorted(metadata.tables, key=len, reverse=True)
        return (
            *_of_quality(self.quality, self.unseen),
            *_of_diagnostic(self.diagnostic),
            *_of_one("khop", self.khop),
            *_of_dependence(self.dependence, tables),
            *_of_one("sequences", self.sequences),
            *_of_c2st(self.c2st, tables),
            *(_of_tstr(score, tables) for score in self.tstr),
        )


def measure_fidelity(sides: Sides, gates: Gates, kept: frozenset[str] = frozenset()) -> Fidelity:
    """Measure the fidelity of all tables together.

    Args:
        sides: The tables.
        gates: How many rows are compared, and for which targets predictors are trained.
        kept: Tables that are published as they are: they are not told from the real ones.

    Returns:
        The measurements; one that broke is among `crashed`, and takes none of the others with it.
    """
    found = Fidelity(unseen=tuple(sides.holdout))
    steps: dict[str, Callable[[], None]] = {
        "quality": lambda: _measure_quality(found, sides, gates),
        "validity": lambda: _measure_diagnostic(found, sides),
        "trends with grandparents": lambda: _measure_khop(found, sides, gates),
        "dependence": lambda: _measure_dependence(found, sides, gates),
        "sequences": lambda: _measure_sequences(found, sides, gates),
        "classifier two-sample test": lambda: _measure_c2st(found, sides, gates, kept),
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


def _measure_quality(found: Fidelity, sides: Sides, gates: Gates) -> None:
    measure = partial(quality, rows=gates.max_rows, seed=gates.seed)
    score = measure(sides.training, sides.synthetic, sides.metadata, degrees=sides.whole)
    ceiling = None
    if sides.holdout:
        whole = sides.whole_relations
        ceiling = measure(sides.training, sides.unseen, sides.metadata, cardinality_of=whole)
    found.quality = score, ceiling


def _measure_diagnostic(found: Fidelity, sides: Sides) -> None:
    found.diagnostic = diagnostic(sides.whole, sides.synthetic, sides.metadata)


def _measure_khop(found: Fidelity, sides: Sides, gates: Gates) -> None:
    found.khop = _both(
        sides,
        lambda side: khop_trends(
            sides.training, side, sides.metadata, rows=gates.compared_rows, seed=gates.seed
        ),
    )


def _measure_dependence(found: Fidelity, sides: Sides, gates: Gates) -> None:
    found.dependence = dependence(
        sides.training,
        sides.synthetic,
        sides.metadata,
        holdout=sides.unseen if sides.holdout else None,
        rows=gates.compared_rows,
        seed=gates.seed,
    )


def _measure_sequences(found: Fidelity, sides: Sides, gates: Gates) -> None:
    found.sequences = _both(
        sides,
        lambda side: sequence_scores(
            sides.training, side, sides.metadata, rows=gates.max_rows, seed=gates.seed
        ),
    )


def _measure_c2st(
    found: Fidelity, sides: Sides, gates: Gates, kept: frozenset[str] = frozenset()
) -> None:
    def ask(side: Mapping[str, Path], tables: Collection[str]) -> C2STScore:
        rows, seed = gates.classified_rows, gates.seed
        measure = partial(c2st, tables=tables, rounds=_TREES)
        return measure(sides.training, side, sides.metadata, rows, seed)

    made = [name for name in sides.metadata.tables if name not in kept]
    # shared tables are the same on both sides: there is nothing to tell apart
    ceiling = ask(sides.unseen, list(sides.holdout)) if sides.holdout else None
    found.c2st = ask(sides.synthetic, made), ceiling


def _measure_tstr(found: Fidelity, sides: Sides, gates: Gates) -> None:
    for target in gates.targets if sides.holdout else ():
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


def _both(sides: Sides, measure: Callable[[Mapping[str, Path]], T]) -> Pair[T]:
    return measure(sides.synthetic), measure(sides.unseen) if sides.holdout else None


def _of_quality(pair: Pair[QualityScore] | None, unseen: Collection[str]) -> Iterator[Score]:
    if pair is None:
        return
    score, ceiling = pair
    names = {"quality": "overall", "intertable": "intertable_trends"}
    for name in ("quality", "column_shapes", "column_pair_trends", "cardinality", "intertable"):
        attribute = names.get(name, name)
        value = getattr(score, attribute)
        if value is not None:
            beside = None if ceiling is None else getattr(ceiling, attribute)
            yield Score(name, "fidelity", value, ceiling=beside)
    best = {} if ceiling is None else {t: ceiling.per_table.get(t) for t in unseen}
    for table, value in score.per_table.items():
        yield Score("quality", "fidelity", value, table, ceiling=best.get(table))


def _of_diagnostic(score: DiagnosticScore | None) -> Iterator[Score]:
    for name in ("data_validity", "relationship_validity"):
        value = getattr(score, name, None)
        if value is not None:
            yield Score(name, "fidelity", value)


def _of_one(name: str, pair: Pair[KhopScore] | Pair[SequenceScore] | None) -> Iterator[Score]:
    if pair is not None and pair[0].score is not None:
        ceiling = None if pair[1] is None else pair[1].score
        yield Score(name, "fidelity", pair[0].score, ceiling=ceiling)


def _of_dependence(score: DependenceScore | None, tables: Sequence[str]) -> Iterator[Score]:
    if score is None:
        return
    for name, parts in (("dependence", score.per_column), ("relations", score.per_relationship)):
        for place, kept in parts.items():
            yield Score(name, "fidelity", kept, *_place(place, tables))


def _of_c2st(pair: Pair[C2STScore] | None, tables: Sequence[str]) -> Iterator[Score]:
    if pair is None:
        return
    score, ceiling = pair
    for part, name in _C2ST.items():
        best = {} if ceiling is None else getattr(ceiling, part)
        for place, value in getattr(score, part).items():
            if value is None:
                continue
            table, column = _place(place, tables)
            column = "its children" if part == "per_parent" else column
            beside = best.get(place)
            yield Score(name, "fidelity", value, table, column, ceiling=beside, best=0.5)


_C2ST = {"per_table": "c2st", "per_child": "c2st_relations", "per_parent": "c2st_relations"}


def _of_tstr(score: TSTRScore, tables: Sequence[str]) -> Score:
    found = score.train_on_synthetic or 0.0
    place = _place(score.target, tables)
    return Score("tstr", "fidelity", found, *place, ceiling=score.train_on_real)


def _place(name: str, tables: Sequence[str]) -> tuple[str, str | None]:
    """Table and column of `table.column` or of a foreign key's name; tables may hold dots."""
    table = next((t for t in tables if name == t or name.startswith(f"{t}.")), name)
    return table, name[len(table) + 1 :] or None
