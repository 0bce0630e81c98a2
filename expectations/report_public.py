"""What of a report may leave private staging: aggregates and bands, nothing few rows decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, floor

from prefect_synth.expectations.disclosure import DIGITS, Disclosure, short
from prefect_synth.expectations.report_content import (
    DRIFT_KINDS,
    ColumnView,
    DegreeView,
    DriftLine,
    Matrix,
    PairView,
    PrivacyView,
    ReportContent,
)


def public(content: ReportContent) -> ReportContent:
    """Leave out of a content what only the private edition may show.

    Labels, axis values and what is remembered of declared categories go. Bins of fewer than
    `content.fewest` real rows are merged into their neighbours, shares are rounded to a tenth of a
    percent, associations to tenths, and of tables of fewer rows they go. So does drift that fewer
    rows decide. Verdict, figures, schema and rules are told as `Disclosure` tells them.

    Args:
        content: What the private edition shows.

    Returns:
        A content of which every field may be published.
    """
    told, k = Disclosure(content.metadata), content.fewest
    columns = {t: tuple(_column(v, k) for v in views) for t, views in content.columns.items()}
    return replace(
        content,
        verdict=told.verdict(content.verdict),
        metadata=told.metadata,
        scores=tuple(told.score(score) for score in content.scores),
        columns={t: tuple(v for v in views if v is not None) for t, views in columns.items()},
        pairs={t: _pair(v) for t, v in content.pairs.items() if content.rows.get(t, (0,))[0] >= k},
        degrees=tuple(_degree(view, k, told) for view in content.degrees),
        privacy={table: _privacy(view, k, told) for table, view in content.privacy.items()},
        models=tuple(told.model(made) for made in content.models),
        drift=tuple(_drift(line) for line in content.drift if line.rows is None or line.rows >= k),
    )


def _column(view: ColumnView, k: int) -> ColumnView | None:
    """The view without labels, every bin of at least `k` real rows; None where no two are left."""
    bare = replace(view, labels=(), axis=None, nulls=_nulls(view, k))
    kept = _categories(bare, k) if view.kind == "category" else _bins(bare, k)
    if len(kept.real) + bool(kept.others and kept.others[0]) < 2:
        return None
    return kept


def _nulls(view: ColumnView, k: int) -> tuple[float, float] | None:
    if view.nulls is None:
        return None
    share = view.nulls[0]
    rows = share * view.rows / (1 - share) if share < 1 else 0.0
    if 0 < round(rows) < k or view.rows < k:
        return None
    return round(share, DIGITS), round(view.nulls[1], DIGITS)


def _bins(view: ColumnView, k: int) -> ColumnView:
    starts = merged_starts(_counts(view.real, view.rows), k)
    real, found, widths = (
        _merged(part, starts) for part in (view.real, view.synthetic, view.widths)
    )
    return replace(
        view, real=real, synthetic=found, widths=widths, holdout=_unseen(view, starts, k)
    )


def _categories(view: ColumnView, k: int) -> ColumnView:
    counts, (rest, found) = _counts(view.real, view.rows), view.others or (0.0, 0.0)
    kept = sum(count >= k for count in counts)  # the largest come first
    # others stand for enough rows too, or the smallest bar joins them
    while kept and 0 < round(view.rows * (rest + sum(view.real[kept:]))) < k:
        kept -= 1
    others = (rest + sum(view.real[kept:]), found + sum(view.synthetic[kept:]))
    return replace(
        view,
        real=_rounded(view.real[:kept]),
        synthetic=_rounded(view.synthetic[:kept]),
        holdout=_unseen(view, list(range(kept)), k),
        others=(round(others[0], DIGITS), round(others[1], DIGITS)),
    )


def _unseen(view: ColumnView, starts: Sequence[int], k: int) -> tuple[float, ...] | None:
    """The holdout's shares in merged bins; None where a bin has few of its rows."""
    if view.holdout is None or not starts:
        return None
    shares = view.holdout[: starts[-1] + 1] if view.kind == "category" else view.holdout
    merged = [sum(shares[a:b]) for a, b in zip(starts, [*starts[1:], None], strict=True)]
    enough = all(count >= k for count in _counts(merged, view.holdout_rows))
    rest = round((1 - sum(merged)) * view.holdout_rows)
    return _rounded(merged) if enough and (rest == 0 or rest >= k) else None


def _counts(shares: Sequence[float], rows: int) -> list[int]:
    return [round(share * rows) for share in shares]


def merged_starts(counts: Sequence[int], k: int) -> list[int]:
    """Where merged bins start, such that each holds at least `k`; one bin where they do not."""
    starts, held = [0], 0
    for place, count in enumerate(counts):
        if held >= k:
            starts.append(place)
            held = 0
        held += count
    if held < k and len(starts) > 1:
        starts.pop()
    return starts


def _merged(shares: Sequence[float], starts: Sequence[int]) -> tuple[float, ...]:
    return _rounded([sum(shares[a:b]) for a, b in zip(starts, [*starts[1:], None], strict=True)])


def _rounded(shares: Sequence[float]) -> tuple[float, ...]:
    return tuple(round(share, DIGITS) for share in shares)


def _pair(view: PairView) -> PairView:
    return replace(view, real=_tenths(view.real), synthetic=_tenths(view.synthetic), scores=())


def _tenths(matrix: Matrix) -> Matrix:
    return tuple(tuple(round(value, 1) for value in row) for row in matrix)


def _degree(view: DegreeView, k: int, told: Disclosure) -> DegreeView:
    starts = merged_starts(_counts(view.real, view.parents), k)
    return replace(
        view,
        name=told.name(view.name),
        starts=tuple(view.starts[start] for start in starts),
        real=_merged(view.real, starts),
        synthetic=_merged(view.synthetic, starts),
    )


def _privacy(view: PrivacyView, k: int, told: Disclosure) -> PrivacyView:
    figures = tuple(told.score(figure) for figure in view.figures)
    if not view.dcr_holdout or sum(view.dcr_holdout) < k or sum(view.dcr_synthetic) < k:
        return PrivacyView(view.table, figures=figures, why_not=view.why_not)
    fewer = [min(pair) for pair in zip(view.dcr_synthetic, view.dcr_holdout, strict=True)]
    starts = merged_starts(fewer, k)
    edges = [view.dcr_edges[start] for start in starts]
    # the ends are the distances of single rows, so they move outwards
    ends = (floor(edges[0] * 10) / 10, ceil(view.dcr_edges[-1] * 10) / 10)
    stops = [*starts[1:], None]
    sides = [
        tuple(sum(side[a:b]) for a, b in zip(starts, stops, strict=True))
        for side in (view.dcr_synthetic, view.dcr_holdout)
    ]
    inner = (round(edge, 2) for edge in edges[1:])
    return replace(
        view,
        dcr_edges=(ends[0], *inner, ends[1]),
        dcr_synthetic=sides[0],
        dcr_holdout=sides[1],
        figures=figures,
    )


def _drift(line: DriftLine) -> DriftLine:
    what = line.what if line.what in DRIFT_KINDS else "changed"
    return replace(line, what=what, size=short(line.size), detail="", rows=None)
