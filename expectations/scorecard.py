"""The verdict and the scores in a few lines of Markdown, for Prefect's artifacts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from prefect_synth.expectations.report_scores import score_change
from prefect_synth.expectations.scores import Score, score_title
from prefect_synth.expectations.verdict import Check, Verdict
from prefect_synth.synth.metrics.quality import QualityScore

_MOST = 20


def scorecard_markdown(
    verdict: Verdict,
    quality: QualityScore | None = None,
    rows: Mapping[str, tuple[int, int]] | None = None,
    *,
    title: str = "Scorecard",
    kept: Collection[str] = (),
    scores: Sequence[Score] = (),
    history: str = "",
) -> str:
    """Write the scorecard. It holds aggregates only.

    Args:
        verdict: What was found.
        quality: Where the quality of each table stands, where it was computed.
        rows: Real and synthetic rows by table.
        title: The heading.
        kept: Tables published as they are.
        scores: All figures, of which those of the whole snapshot are shown.
        history: What `history_markdown` wrote of the last runs.

    Returns:
        Markdown that Prefect's UI renders.
    """
    parts = [f"# {title}", _headline(verdict)]
    if verdict.failures:
        parts.append(_checks("Failed", verdict.failures))
    whole = [score for score in scores if score.table is None]
    if whole:
        parts.append(_figures(whole))
    if history:
        parts.append(history)
    if rows:
        parts.append(_tables(verdict, quality, rows))
    if kept:
        parts.append(f"Published as they are, real rows included: {_names(kept)}.")
    if verdict.warnings:
        parts.append(_checks("Notes", verdict.warnings))
    return "\n\n".join(parts) + "\n"


def headline(verdict: Verdict) -> str:
    """`Passed: 120 checks, 3 notes.` or `Refused: 2 of 120 checks failed.`"""
    total, notes, failed = len(verdict.checks), len(verdict.warnings), len(verdict.failures)
    if failed:
        return f"Refused: {failed} of {counted(total, 'check')} failed."
    return f"Passed: {counted(total - notes, 'check')}" + (
        f", {counted(notes, 'note')}." if notes else "."
    )


def table_score(verdict: Verdict) -> str:
    """`14 of 14`: the checks that passed, of those that can fail."""
    judged = [c for c in verdict.checks if c.status != "warned"]
    return f"{sum(c.status == 'passed' for c in judged)} of {len(judged)}"


def _headline(verdict: Verdict) -> str:
    return f"**{headline(verdict)}**"


def counted(number: int, noun: str) -> str:
    """`1 check`, `1,200 checks`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _checks(title: str, checks: tuple[Check, ...]) -> str:
    lines = [f"## {title}", "", "| place | check | found | required | |", "|---|---|---|---|---|"]
    lines += [
        markdown_row(c.place, f"{c.name} ({c.status})", c.found, c.required, c.detail)
        for c in checks[:_MOST]
    ]
    if len(checks) > _MOST:
        lines.append(markdown_row(f"and {len(checks) - _MOST} more, in the report", "", "", "", ""))
    return "\n".join(lines)


def _figures(scores: Sequence[Score]) -> str:
    lines = ["## Scores", "", "| score | found | ceiling | last | best |"]
    lines.append("|---|---:|---:|---|---:|")
    lines += [
        markdown_row(
            score_title(score.name),
            f"{score.found:.3f}" + (f" ± {score.error:.3f}" if score.error is not None else ""),
            "-" if score.ceiling is None else f"{score.ceiling:.3f}",
            "-" if score.last is None else " ".join((f"{score.last:.3f}", *_moved(score))),
            f"{score.best:g}",
        )
        for score in scores
    ]
    return "\n".join(lines)


def _moved(score: Score) -> tuple[str, ...]:
    change, moved = score_change(score)
    return (f"({moved}, {change})",) if moved else ()


def _tables(
    verdict: Verdict, quality: QualityScore | None, rows: Mapping[str, tuple[int, int]]
) -> str:
    scores = quality.per_table if quality else {}
    lines = ["## Tables", "", "| table | real rows | synthetic rows | quality | checks passed |"]
    lines.append("|---|---:|---:|---:|---:|")
    lines += [
        markdown_row(
            table,
            f"{real:,}",
            f"{synthetic:,}",
            f"{scores[table]:.3f}" if table in scores else "-",
            table_score(verdict.of(table)),
        )
        for table, (real, synthetic) in rows.items()
    ]
    return "\n".join(lines)


def _names(tables: Collection[str]) -> str:
    return ", ".join(f"`{table}`" for table in sorted(tables))


def markdown_row(*cells: str) -> str:
    """A line of a table."""
    # A bar inside a cell would start a new one.
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
