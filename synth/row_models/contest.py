"""A small contest between row models: each learns from one part of the rows, another judges them.

The judge is the classifier two-sample test (Lopez-Paz and Oquab 2017): rows that are drawn for the
contexts of held-back rows, against those rows. Who copies loses: a model whose rows are surely
nearer to what it learned from than to what it never saw (Platzer and Reutterer 2021) is out.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from time import thread_time

import numpy as np

from prefect_synth.synth.effort import Effort
from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints
from prefect_synth.synth.metrics.classifier import auc_by_folds, group_folds, row_folds
from prefect_synth.synth.metrics.gower import GowerRows, nearest
from prefect_synth.synth.row_models.choice import Choice
from prefect_synth.synth.row_models.factory import LIBRARIES, MAKERS, make_row_model

CANDIDATES = ("copula", "trees", "argn", "tvae")
"""Who takes part: the quickest first, who wins where two are equally good."""
MOST_ROWS = 3000
"""Rows to learn from, and as many to be judged by."""
NEARER = 0.53
"""Share of rows nearer to what was learned from above which, if it is certain, a model copies."""
_CATEGORIES = 200
_TIE = 0.01
_SURE = 1.96


@dataclass(frozen=True)
class Entry:
    """How a candidate did.

    Args:
        name: The row model.
        auc: Of the classifier; 0.5 is best.
        nearer: Share of its rows nearer to rows it learned from than to held-back ones.
        error: Half width of that share's 95 % interval.
        seconds: Processor seconds of fitting and drawing.
    """

    name: str
    auc: float
    nearer: float
    error: float
    seconds: float

    @property
    def copies(self) -> bool:
        """Whether its rows are surely nearer to rows it learned from."""
        return self.nearer - self.error > NEARER

    @property
    def badness(self) -> float:
        """How far a classifier is from guessing."""
        return abs(self.auc - 0.5)


def candidates() -> tuple[str, ...]:
    """The candidates whose library is installed."""
    return tuple(
        name
        for name in CANDIDATES
        if name in MAKERS
        if name not in LIBRARIES or importlib.util.find_spec(LIBRARIES[name].split(".")[0])
    )


def hold_contest(
    rows: Encoded,
    context: Encoded,
    effort: Effort,
    budget_seconds: float | None,
    rng: np.random.Generator,
    names: Sequence[str] | None = None,
) -> tuple[Choice, tuple[Entry, ...]]:
    """Fit each candidate to a part of the rows, and choose.

    Args:
        rows: The table's encoded rows, [n, d]; at least a few hundred.
        context: Their contexts, [n, c]; rows of one context are on one side.
        effort: What networks may spend.
        budget_seconds: Processor seconds that the whole table may take; who would take longer,
            by what it took for its part, is out. Only then does the clock have a say.
        rng: Source of all draws.
        names: The candidates; those whose library is installed where None.

    Returns:
        The winner and why, and how all did.
    """
    seed = int(rng.integers(2**31))
    learned, judged = _parts(context, rng)
    known, held_back = rows.take(learned), rows.take(judged)
    told, asked = context.take(learned), context.take(judged)
    judge = _Judge(known, held_back, asked, seed)
    entries = []
    for name in names or candidates():
        begun, own = thread_time(), np.random.default_rng([seed, 1])
        model = make_row_model(name, effort).fit(known, told, own)
        drawn = model.sample(asked, own)
        seconds = thread_time() - begun
        again = model.sample(told, own) if context.width else drawn
        entries.append(judge.of(name, drawn, again, seconds))
    return _choose(entries, len(rows) / len(learned), budget_seconds, len(judged)), tuple(entries)


def _choose(
    entries: Sequence[Entry], factor: float, budget_seconds: float | None, judged: int
) -> Choice:
    """The honest candidate whose rows are told the least; the first of those who tie."""
    quick = [
        e for e in entries if budget_seconds is None or e.seconds * factor <= budget_seconds
    ] or [min(entries, key=lambda e: e.seconds)]
    honest = [e for e in quick if not e.copies] or quick
    best = min(e.badness for e in honest)
    winner = next(e for e in honest if e.badness <= best + _TIE)
    told = "; ".join(f"{e.name} {e.auc:.3f}{_why_out(e, quick)}" for e in entries)
    return Choice(
        winner.name,
        f"{winner.name} won a contest on {judged:,} held-back rows, by how well a classifier tells "
        f"its rows (0.5 is best): {told}.",
    )


def _why_out(entry: Entry, quick: Sequence[Entry]) -> str:
    if entry not in quick:
        return " (beyond the budget)"
    return f" (copies: {entry.nearer:.2f} nearer to known rows)" if entry.copies else ""


def _parts(context: Encoded, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Rows to learn from, and rows to be judged by; those of one context on one side."""
    n = len(context)
    group = np.arange(n)
    if context.width:
        group = np.unique(context.pieces, axis=0, return_inverse=True)[1].ravel()
    side = rng.random(int(group.max()) + 1)[group] < 1 / 2
    if min(side.sum(), n - side.sum()) < n // 4:  # one context has most of the rows
        side = rng.random(n) < 1 / 2
    halves = (np.flatnonzero(side), np.flatnonzero(~side))
    size = min(MOST_ROWS, *(len(h) for h in halves))
    first, second = (np.sort(rng.choice(h, size, replace=False)) for h in halves)
    return first, second


class _Judge:
    """Compares drawn rows with held-back ones, in the same contexts."""

    def __init__(self, known: Encoded, held_back: Encoded, context: Encoded, seed: int) -> None:
        self.context, self.seed = _features(context), seed
        self.held_back, self.known = _features(held_back), _features(known)
        self.categories = np.concatenate([_is_category(context), _is_category(held_back)])
        self.groups = None
        if context.width:
            self.groups = np.unique(context.pieces, axis=0, return_inverse=True)[1].ravel()

    def of(self, name: str, drawn: Encoded, again: Encoded, seconds: float) -> Entry:
        """How well a candidate's rows are told from real ones, and whether it copies.

        Args:
            name: The row model.
            drawn: Its rows for the contexts of the held-back rows, [n, d].
            again: Its rows for the contexts that it learned from: a row is nearest to rows of its
                own context, so that only both together say whether it copies, [n, d].
            seconds: What it took.
        """
        own = _features(drawn)
        sides = [np.hstack([self.context, side]) for side in (self.held_back, own)]
        labels = np.repeat([0, 1], [len(s) for s in sides])
        rng = np.random.default_rng(self.seed)
        folds = (
            row_folds(labels, rng)
            if self.groups is None
            else group_folds([self.groups, self.groups], rng)
        )
        auc = auc_by_folds(np.vstack(sides), labels, folds, self.categories, self.seed)
        nearer = (self._nearer(drawn) + self._nearer(again)) / 2
        error = _SURE * np.sqrt(0.25 / max(len(own), 1))
        return Entry(name, 0.5 if auc is None else auc, nearer, float(error), seconds)

    def _nearer(self, drawn: Encoded) -> float:
        nominal = np.array([layout.nominal for layout in drawn.layouts], bool)
        asked = _gower(_features(drawn), nominal)
        near, far = (
            nearest(asked, _gower(side, nominal), 1)[0][:, 0]
            for side in (self.known, self.held_back)
        )
        return float(np.mean((near < far) + 0.5 * (near == far)))


def _features(rows: Encoded) -> Floats:
    """The middle of each value in [0, 1], and the piece of each category, [n, d]."""
    lower, upper = rows.intervals()
    middle = (lower + upper) / 2
    nominal = [layout.nominal for layout in rows.layouts]
    capped = np.minimum(rows.pieces, _CATEGORIES)
    return np.where(nominal, capped, middle) if rows.width else middle


def _is_category(rows: Encoded) -> np.ndarray:
    return np.array([layout.nominal for layout in rows.layouts], bool)


def _gower(features: Floats, nominal: np.ndarray) -> GowerRows:
    names = [str(j) for j in range(features.shape[1])]
    numbers = features[:, ~nominal].T.astype(np.float32)
    codes = features[:, nominal].T.astype(np.int32)
    told = [tuple(n for n, c in zip(names, nominal, strict=True) if c == kind) for kind in (0, 1)]
    return GowerRows(told[0], told[1], numbers, codes)
