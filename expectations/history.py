"""How the figures of a project's runs moved, in a table for Prefect's artifacts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from prefect_synth.expectations.scorecard import markdown_row
from prefect_synth.expectations.verdict import Verdict

RunEnd = Literal["Published", "Rejected"]

MOST = 12
"""How many runs are shown."""

_TRENDS = "▁▂▃▄▅▆▇█"


class RunFigures(BaseModel):
    """What one run came to; aggregates only.

    Args:
        run_id: The run.
        started: When its real rows were read.
        state: How it ended.
        quality: Overall quality.
        c2st: The classifier two-sample test of the table that is told apart most easily.
        nearer: Nearer to training than to holdout, of the table where that is most.
        checks: Checks that can fail.
        failed: Those that did.
        rows: Synthetic rows.
        seconds: Time on the clock from the pull to the verdict.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    started: datetime
    state: RunEnd
    quality: float | None = None
    c2st: float | None = None
    nearer: float | None = None
    checks: int
    failed: int
    rows: int
    seconds: float | None = None


def run_figures(
    run_id: str,
    started: datetime,
    scores: Mapping[str, float],
    verdict: Verdict,
    rows: int,
    seconds: float | None,
) -> RunFigures:
    """Put together what a run came to.

    Args:
        run_id: The run.
        started: When its real rows were read.
        scores: Its figures by their keys (`Score.key`).
        verdict: Its verdict.
        rows: Synthetic rows.
        seconds: Time from the pull to the verdict, where it is known.
    """
    return RunFigures(
        run_id=run_id,
        started=started,
        state="Published" if verdict.passed else "Rejected",
        quality=scores.get("quality"),
        c2st=_worst(scores, "c2st"),
        nearer=_worst(scores, "nearer_to_training"),
        checks=sum(check.status != "warned" for check in verdict.checks),
        failed=len(verdict.failures),
        rows=rows,
        seconds=seconds,
    )


def merged(*found: Iterable[RunFigures]) -> tuple[RunFigures, ...]:
    """The runs of several sources, each once, the oldest first; no more than are shown."""
    by_run = {figures.run_id: figures for source in found for figures in source}
    return tuple(sorted(by_run.values(), key=lambda figures: figures.started)[-MOST:])


def history_markdown(runs: Sequence[RunFigures]) -> str:
    """Write the runs as a table, the newest first, each figure beside how far it moved.

    Args:
        runs: The runs, the oldest first.

    Returns:
        Markdown that Prefect's UI renders; empty where there is one run only.
    """
    if len(runs) < 2:
        return ""
    lines = [
        "## Against the last runs",
        "",
        markdown_row("run", "", *_COLUMNS),
        "|---|---|" + "---:|" * len(_COLUMNS),
        markdown_row("trend", "", *(_trend([of(run) for run in runs]) for of in _FIGURES.values())),
    ]
    pairs = zip(reversed(runs), [*reversed(runs[:-1]), None], strict=True)
    lines += [_line(run, before) for run, before in pairs]
    return "\n".join([*lines, "", _LEGEND])


_FIGURES: dict[str, Callable[[RunFigures], float | None]] = {
    "quality": lambda run: run.quality,
    "C2ST": lambda run: run.c2st,
    "nearer": lambda run: run.nearer,
    "failed": lambda run: run.failed,
    "rows": lambda run: run.rows,
    "seconds": lambda run: run.seconds,
}
_COLUMNS = ("quality", "C2ST", "nearer", "failed checks", "rows", "seconds")
_LEGEND = (
    "*C2ST*: how well a classifier tells the worst table from real rows, 0.5 is ideal. *Nearer*: "
    "how many rows of the worst table are nearer to training than to holdout, 0.5 is ideal. "
    "*Seconds*: from the pull to the verdict. In brackets: how far it moved since the run before."
)


def _line(run: RunFigures, before: RunFigures | None) -> str:
    found = {name: of(run) for name, of in _FIGURES.items()}
    last = {name: of(before) if before else None for name, of in _FIGURES.items()}
    shares = (_share(found[name], last[name]) for name in ("quality", "C2ST", "nearer"))
    return markdown_row(
        f"{run.started:%Y-%m-%d %H:%M}",
        run.state,
        *shares,
        f"{run.failed} of {run.checks}",
        f"{run.rows:,}" + (_moved(run.rows - before.rows, "+,") if before else ""),
        "-" if run.seconds is None else f"{run.seconds:.1f}",
    )


def _share(found: float | None, last: float | None) -> str:
    if found is None:
        return "-"
    return f"{found:.3f}" + ("" if last is None else _moved(round(found - last, 3), "+.3f"))


def _moved(change: float, form: str) -> str:
    return f" ({change:{form}})".replace("-", "\N{MINUS SIGN}") if change else ""


def _trend(figures: Sequence[float | None]) -> str:
    """Bars from the lowest to the highest, the oldest first."""
    # as they are shown: what is equal there is no trend
    known = [round(figure, 3) for figure in figures if figure is not None]
    if len(known) < 2:
        return ""
    low, span = min(known), max(known) - min(known)
    top = len(_TRENDS) - 1
    heights = [round((figure - low) / span * top) if span else 0 for figure in known]
    return "".join(_TRENDS[height] for height in heights)


def _worst(scores: Mapping[str, float], name: str) -> float | None:
    """The figure of the worst table."""
    found = [figure for key, figure in scores.items() if key.split(" ")[0] == name]
    return max(found, default=None)
