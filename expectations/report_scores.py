"""The scorecard of the report: one line a figure, beside its ceiling and what it was before."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from prefect_synth.expectations.report_content import PastScores
from prefect_synth.expectations.scores import Score, score_title

_SAME = 0.0005
_THIN = 0.6  # percent: the least width of a bar that can be seen


@dataclass(frozen=True)
class ScoreLine:
    """A line of the scorecard, as it is drawn; places are percents of the bar.

    Args:
        title: What the figure is.
        place: Column or foreign key; empty for a whole table or snapshot.
        found: The figure.
        error: Its error, or empty.
        ceiling: The holdout's, or empty.
        last: The last snapshot's, or empty.
        change: `better`, `worse`, `same` or empty.
        moved: By how much it changed.
        ideal: What is best, in words.
        bar: Where the bar starts, and its width.
        band: Where the interval of error starts, and its width; None where there is none.
        tick: Where the ceiling lies; None where there is none.
        goal: Where the ideal lies.
    """

    title: str
    place: str
    found: str
    error: str
    ceiling: str
    last: str
    change: str
    moved: str
    ideal: str
    bar: tuple[float, float]
    band: tuple[float, float] | None
    tick: float | None
    goal: float


@dataclass(frozen=True)
class Tile:
    """A key figure, with what it was in past snapshots.

    Args:
        title: What the figure is.
        value: The figure.
        note: A few words under it.
        history: Past values and this one, the oldest first; empty where there is no past.
    """

    title: str
    value: str
    note: str
    history: tuple[float, ...] = ()


def score_line(score: Score) -> ScoreLine:
    """Lay out a figure."""
    change, moved = score_change(score)
    start = 0.5 if score.best == 0.5 else 0.0
    low, high = sorted((start, _inside(score.found)))
    band = None
    if score.error is not None:
        left, right = _inside(score.found - score.error), _inside(score.found + score.error)
        band = (100 * left, 100 * (right - left))
    return ScoreLine(
        score_title(score.name),
        score.column or "",
        f"{score.found:.3f}",
        "" if score.error is None else f"± {score.error:.3f}",
        _figure(score.ceiling),
        _figure(score.last),
        change,
        moved,
        f"{score.best:g} is ideal{_on_part(score)}",
        (100 * low, max(100 * (high - low), _THIN)),
        band,
        None if score.ceiling is None else 100 * _inside(score.ceiling),
        100 * score.best,
    )


def _on_part(score: Score) -> str:
    """What the tables reach that the ceiling is about, where it is not about all of them."""
    if score.like is None or abs(score.like - score.found) < _SAME:
        return ""
    return f"; {score.like:.3f} on what it covers"


def score_change(score: Score) -> tuple[str, str]:
    """Whether a figure is `better`, `worse` or the `same` as last time, and how far it moved."""
    if score.last is None:
        return "", ""
    moved = score.found - score.last
    if abs(moved) < _SAME:
        return "same", ""
    nearer = abs(score.found - score.best) < abs(score.last - score.best)
    return "better" if nearer else "worse", f"{moved:+.3f}".replace("-", "\N{MINUS SIGN}")


def score_groups(scores: Iterable[Score]) -> list[tuple[str, list[ScoreLine]]]:
    """The snapshot's own figures, and the worst of those that tables alone have.

    Fidelity comes first, then privacy; empty groups are left out.
    """
    scores = list(scores)
    whole = [(score, score_line(score)) for score in scores if score.table is None]
    lines = [*whole, *_worst(scores, {score.name for score, _ in whole})]
    groups = [
        (title, [line for score, line in lines if (score.kind == "privacy") == is_privacy])
        for title, is_privacy in (("Fidelity", False), ("Privacy", True))
    ]
    return [group for group in groups if group[1]]


def _worst(scores: Iterable[Score], known: Collection[str]) -> list[tuple[Score, ScoreLine]]:
    by_name: dict[str, list[Score]] = {}
    for score in scores:
        if score.name not in known:
            by_name.setdefault(score.name, []).append(score)
    found = [(max(own, key=_certainly_off), len(own)) for own in by_name.values()]
    return [(score, _worst_line(score, count)) for score, count in found]


def _certainly_off(score: Score) -> float:
    """How far a figure is from the ideal, less what may be chance."""
    return abs(score.found - score.best) - (score.error or 0.0)


def _worst_line(score: Score, count: int) -> ScoreLine:
    line, column = score_line(score), score.column or ""
    # a column's name, or words such as `its children`
    place = f"{score.table}{': ' if ' ' in column else '.' if column else ''}{column}"
    more = f"; the worst of {count}" if count > 1 else ""
    return replace(line, place=place, ideal=line.ideal + more)


def table_scores(scores: Iterable[Score], table: str) -> list[ScoreLine]:
    """The fidelity of one table, of its columns and foreign keys."""
    return [score_line(s) for s in scores if s.table == table and s.kind != "privacy"]


def risk_lines(
    scores: Iterable[Score], table: str, figures: Sequence[Score] = ()
) -> list[ScoreLine]:
    """The privacy figures of one table: those of the snapshot's, and further ones."""
    own = [s for s in scores if s.table == table and s.kind == "privacy"]
    known = {score.key for score in own}
    return [score_line(s) for s in (*own, *(f for f in figures if f.key not in known))]


def score_tiles(
    scores: Sequence[Score], history: Sequence[PastScores], most: int = 5
) -> list[Tile]:
    """The first of the snapshot's own figures as tiles."""
    whole = [score for score in scores if score.table is None]
    return [
        Tile(
            score_title(score.name),
            f"{score.found:.3f}",
            f"ceiling {score.ceiling:.3f}{_on_part(score)}"
            if score.ceiling is not None
            else f"{score.best:g} is ideal",
            _past(score, history),
        )
        for score in whole[:most]
    ]


def _past(score: Score, history: Sequence[PastScores]) -> tuple[float, ...]:
    past = tuple(point.scores[score.name] for point in history if score.name in point.scores)
    return (*past, score.found) if past else ()


def _inside(value: float) -> float:
    return min(1.0, max(0.0, value))


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
