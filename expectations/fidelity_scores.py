"""The measurements of a snapshot as figures, each beside its ceiling.

The ceiling covers the tables of which something is held out, and the foreign keys of their rows.
Where the schema has other tables too, a figure of the whole also tells what the synthetic tables
reach on that part, so that gates compare like with like.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from statistics import fmean

from prefect_synth.expectations.scores import Score
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.c2st import C2STScore
from prefect_synth.synth.metrics.dependence import DependenceScore
from prefect_synth.synth.metrics.diagnostic import DiagnosticScore
from prefect_synth.synth.metrics.khop import KhopScore
from prefect_synth.synth.metrics.quality import QualityScore
from prefect_synth.synth.metrics.sequences import SequenceScore
from prefect_synth.synth.metrics.tstr import TSTRScore

_ACROSS = " -> "
_C2ST = {"per_table": "c2st", "per_child": "c2st_relations", "per_parent": "c2st_relations"}


class Covered:
    """What of a schema the ceiling covers.

    Args:
        metadata: The schema.
        tables: The tables of which something is held out.
        relations: Names of the foreign keys whose parents are held out with all their children.
    """

    def __init__(
        self, metadata: Metadata, tables: Collection[str], relations: Collection[str]
    ) -> None:
        self.metadata, self.tables, self.relations = metadata, tables, relations
        self._names = sorted(metadata.tables, key=len, reverse=True)

    def place(self, name: str) -> tuple[str, str | None]:
        """Table and column of `table.column` or of a foreign key's name; tables may hold dots."""
        named = (t for t in self._names if name == t or name.startswith(f"{t}."))
        table = next(named, name)
        return table, name[len(table) + 1 :] or None

    def mean(self, parts: Mapping[str, float], *, across: bool | None = None) -> float | None:
        """The mean of the parts that are covered; of pairs, those within or across tables."""
        return _mean(
            value
            for name, value in parts.items()
            if self.place(name)[0] in self.tables and across in (None, _ACROSS in name)
        )


def quality_figures(
    score: QualityScore, ceiling: QualityScore | None, covered: Covered
) -> Iterator[Score]:
    """Quality and its parts, then the quality of each table."""
    whole = {
        "quality": score.overall,
        "column_shapes": score.column_shapes,
        "column_pair_trends": score.column_pair_trends,
        "cardinality": score.cardinality,
        "intertable": score.intertable_trends,
    }
    like, best = (_parts(part, covered) if part else {} for part in (score, ceiling))
    for name, value in whole.items():
        if value is not None:
            beside = best.get(name)
            on_part = None if beside is None else like.get(name)
            yield Score(name, "fidelity", value, ceiling=beside, like=on_part)
    tables = {} if ceiling is None else {t: ceiling.per_table.get(t) for t in covered.tables}
    for table, value in score.per_table.items():
        yield Score("quality", "fidelity", value, table, ceiling=tables.get(table))


def diagnostic_figures(score: DiagnosticScore) -> Iterator[Score]:
    """Whether the tables are valid at all."""
    for name in ("data_validity", "relationship_validity"):
        value = getattr(score, name)
        if value is not None:
            yield Score(name, "fidelity", value)


def khop_figures(score: KhopScore, ceiling: KhopScore | None, covered: Covered) -> Iterator[Score]:
    """Trends with grandparents."""
    if score.score is not None:
        like, best = (covered.mean(part.per_pair) if part else None for part in (score, ceiling))
        on_part = None if best is None else like
        yield Score("khop", "fidelity", score.score, ceiling=best, like=on_part)


def sequence_figures(
    score: SequenceScore, ceiling: SequenceScore | None, covered: Covered
) -> Iterator[Score]:
    """Autocorrelation and gaps, table by table: all that has an order."""
    for table, parts in score.per_table.items():
        best = ceiling.per_table.get(table) if ceiling and table in covered.tables else None
        found = _mean(parts.values())
        if found is not None:
            beside = None if best is None else _mean(best.values())
            yield Score("sequences", "fidelity", found, table, ceiling=beside)


def dependence_figures(score: DependenceScore, covered: Covered) -> Iterator[Score]:
    """How much dependence is kept, by column and by foreign key."""
    for name, parts in (("dependence", score.per_column), ("relations", score.per_relationship)):
        for place, kept in parts.items():
            yield Score(name, "fidelity", kept, *covered.place(place))


def c2st_figures(score: C2STScore, ceiling: C2STScore | None, covered: Covered) -> Iterator[Score]:
    """How well rows are told from real ones: alone, with parents, with children."""
    for part, name in _C2ST.items():
        best = {} if ceiling is None else getattr(ceiling, part)
        for place, value in getattr(score, part).items():
            if value is not None:
                table, column = covered.place(place)
                column = "its children" if part == "per_parent" else column
                beside = best.get(place)
                yield Score(name, "fidelity", value, table, column, ceiling=beside, best=0.5)


def tstr_figures(scores: Sequence[TSTRScore], covered: Covered) -> Iterator[Score]:
    """Predictors trained on synthetic rows, beside those trained on real ones."""
    for score in scores:
        found, beside = score.train_on_synthetic, score.train_on_real
        if found is not None:
            place = covered.place(score.target)
            yield Score("tstr", "fidelity", max(0.0, found), *place, ceiling=beside)


def _parts(score: QualityScore, covered: Covered) -> dict[str, float | None]:
    """SDMetrics' properties over what is covered."""
    degrees = {k: v for k, v in score.per_relationship.items() if k in covered.relations}
    parts = {
        "column_shapes": covered.mean(score.per_column),
        "column_pair_trends": covered.mean(score.per_pair, across=False),
        "cardinality": _mean(degrees.values()),
        "intertable": covered.mean(score.per_pair, across=True),
    }
    return {"quality": _mean(v for v in parts.values() if v is not None), **parts}


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return fmean(found) if found else None
