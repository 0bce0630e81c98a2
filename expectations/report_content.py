"""What a report says, before it is a page: one content, from which both editions are written.

Fields marked *private* may hold values of the real data, or what a few rows alone decide. They are
shown in the private edition only; `report_public.public` makes a content without them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from prefect_synth.expectations.scores import Score
from prefect_synth.expectations.shapes import FEWEST_ROWS
from prefect_synth.expectations.verdict import Verdict
from prefect_synth.synth.hierarchy.summary import PartSummary
from prefect_synth.synth.metadata import Metadata

Edition = Literal["private", "public"]

Matrix = tuple[tuple[float, ...], ...]
"""Rows of a square matrix; NaN where there is nothing to tell."""

DRIFT_KINDS = (
    "new table",
    "table gone",
    "new column",
    "column gone",
    "type changed",
    "key changed",
    "rows changed",
    "nulls changed",
    "distribution moved",
    "new categories",
    "categories gone",
    "range moved",
)
"""What may be said to have moved; the public edition calls all else `changed`."""


@dataclass(frozen=True)
class ColumnView:
    """The distribution of one column, real beside synthetic.

    Args:
        name: The column.
        kind: `number` and `datetime` have bins from low to high; `category` the largest first.
        rows: Real values that are not null, which the shares are of.
        real: Share of the real values in each bin.
        synthetic: Share of the synthetic values in each bin.
        holdout: *Private where bins are small*: share of the holdout's values in each bin.
        holdout_rows: Values of the holdout that are not null.
        widths: Width of each bin of a number, together 1; empty for categories.
        labels: *Private*: the name of each bin.
        axis: *Private*: values at the left end, the middle and the right end of a number's axis.
        others: Real and synthetic share of all categories without a bin; None for numbers.
        nulls: Real and synthetic share of nulls; None where it is not known or not to be told.
        score: How alike the two are, 1 at best.
    """

    name: str
    kind: Literal["number", "datetime", "category"]
    rows: int
    real: tuple[float, ...]
    synthetic: tuple[float, ...]
    holdout: tuple[float, ...] | None = None
    holdout_rows: int = 0
    widths: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    axis: tuple[str, str, str] | None = None
    others: tuple[float, float] | None = None
    nulls: tuple[float, float] | None = None
    score: float | None = None


@dataclass(frozen=True)
class PairView:
    """How strongly each two columns of a table depend on each other, from 0 to 1.

    Args:
        columns: Their names, in the order of the matrices.
        real: Association in the real table; exact in the private edition, in tenths in the public.
        synthetic: Association in the synthetic table.
        scores: How alike the two are for each pair, where it was scored; may be empty.
    """

    columns: tuple[str, ...]
    real: Matrix
    synthetic: Matrix
    scores: Matrix = ()


@dataclass(frozen=True)
class DegreeView:
    """How many children a parent has, along one foreign key.

    Args:
        name: The foreign key.
        parents: Real parents, which the shares are of.
        starts: Fewest children of each bin, rising; the last bin has no end.
        real: Share of the real parents in each bin.
        synthetic: Share of the synthetic parents in each bin.
        score: How alike the two are, 1 at best.
    """

    name: str
    parents: int
    starts: tuple[int, ...]
    real: tuple[float, ...]
    synthetic: tuple[float, ...]
    score: float | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """`0`, `1`, `3-4`, `5 or more`."""
        ends = [after - 1 for after in self.starts[1:]]
        named = [str(a) if a == b else f"{a}-{b}" for a, b in zip(self.starts, ends, strict=False)]
        return (*named, f"{self.starts[-1]} or more") if self.starts else ()


@dataclass(frozen=True)
class PrivacyView:
    """How near the synthetic rows of a table are to real ones.

    Args:
        table: The table.
        dcr_edges: Edges of bins of the distance to the closest training row; one more than bins.
        dcr_synthetic: Synthetic rows in each bin.
        dcr_holdout: Rows of the holdout in each bin: how near people are that were never seen.
        figures: Share nearer to training, attacks and risks, with their errors.
        why_not: Why there are no figures; empty where there are.
    """

    table: str
    dcr_edges: tuple[float, ...] = ()
    dcr_synthetic: tuple[int, ...] = ()
    dcr_holdout: tuple[int, ...] = ()
    figures: tuple[Score, ...] = ()
    why_not: str = ""


@dataclass(frozen=True)
class DriftLine:
    """Something that moved since the last snapshot.

    Args:
        table: The table.
        column: The column; None where the whole table is meant.
        what: One of `DRIFT_KINDS`.
        size: How far, from 0 to 1, where it can be told.
        detail: *Private*: more of it, such as the names of new categories.
        rows: *Private*: real rows that decide it; None where the schema does.
    """

    table: str
    column: str | None
    what: str
    size: float | None = None
    detail: str = ""
    rows: int | None = None


@dataclass(frozen=True)
class PastScores:
    """The overall scores of one snapshot of the past.

    Args:
        snapshot: Its name.
        created: The moment of its data.
        scores: Score by name.
    """

    snapshot: str
    created: datetime
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Notes:
    """What a reader must know besides; names of tables and columns only.

    Args:
        kept: Tables published as they are.
        sampled: Tables judged on a sample.
        generated: By table, columns whose values are made up.
        excluded: Tables and columns that were left out by request.
        quarantined: Tables and columns that wait for somebody to accept them.
        untold: Tables in which copied rows cannot be told from chance.
        unattacked: Tables on which attacks tell nothing.
        unscored: Columns without a score, since a side holds no value.
        shared: Tables without a holdout of their own, shared by all families.
    """

    kept: tuple[str, ...] = ()
    sampled: tuple[str, ...] = ()
    generated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    excluded: tuple[str, ...] = ()
    quarantined: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()
    unattacked: tuple[str, ...] = ()
    unscored: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportContent:
    """All that a report says.

    Args:
        project: The project's name.
        snapshot: The snapshot's name, or the run's.
        created: The moment of the data.
        verdict: What was found; aggregates only.
        metadata: The schema.
        rows: Real and synthetic rows by table.
        scores: Figures of the snapshot and of its tables.
        columns: Distributions by table.
        pairs: Associations by table.
        degrees: Children per parent.
        privacy: Nearness to real rows by table.
        models: How each table was modelled. *Private*: constants in the texts of rules.
        notes: What is not covered.
        drift: What moved since the last snapshot.
        history: Snapshots of the past, the oldest first.
        identity: Fingerprints, seed and versions, by name.
        fewest: Fewest real rows that a bin of the public edition stands for.
    """

    project: str
    snapshot: str
    created: datetime
    verdict: Verdict
    metadata: Metadata
    rows: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    scores: tuple[Score, ...] = ()
    columns: Mapping[str, tuple[ColumnView, ...]] = field(default_factory=dict)
    pairs: Mapping[str, PairView] = field(default_factory=dict)
    degrees: tuple[DegreeView, ...] = ()
    privacy: Mapping[str, PrivacyView] = field(default_factory=dict)
    models: tuple[PartSummary, ...] = ()
    notes: Notes = Notes()
    drift: tuple[DriftLine, ...] = ()
    history: tuple[PastScores, ...] = ()
    identity: Mapping[str, str] = field(default_factory=dict)
    fewest: int = FEWEST_ROWS
