"""What attackers would learn from a table: the attacks run, and their figures as scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from prefect_synth.expectations.scores import Score
from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.sides import Sides
from prefect_synth.expectations.structure import guarded
from prefect_synth.expectations.verdict import Check
from prefect_synth.synth.metrics.privacy import learned_columns
from prefect_synth.synth.metrics.privacy_scores import TablePrivacy, Units, assess_table
from prefect_synth.synth.metrics.risk import Risk


def attack_table(table: str, sides: Sides, gates: Gates) -> tuple[TablePrivacy | None, list[Check]]:
    """Attack a synthetic table by what models saw of the real one, and by what they did not.

    Args:
        table: Its name.
        sides: The tables of the judgement.
        gates: How many rows the attacks see.

    Returns:
        What they told, None where they broke; and a check that says so, or why nothing was told.
    """
    meaning = sides.metadata.tables[table]
    columns = [meaning.columns[name] for name in learned_columns(sides.metadata, table)]
    found: TablePrivacy | None = None
    blank = Check("attacks", table, None, "privacy", None, "every attack runs", "passed")

    def observe() -> Check:
        nonlocal found
        found = assess_table(
            sides.training[table],
            sides.synthetic[table],
            sides.holdout.get(table),
            columns,
            reference_rows=gates.compared_rows,
            seed=gates.seed,
            units=_units(table, sides),
        )
        if not found.why_not:
            return blank
        return replace(blank, observed="not judged", status="warned", detail=found.why_not)

    outcome = guarded(blank, observe)
    return found, [] if outcome.status == "passed" else [outcome]


def privacy_scores(table: str, told: TablePrivacy | None) -> tuple[Score, ...]:
    """The figures of the attacks on a table, each with its error and what the holdout suffers."""
    return () if told is None else tuple(_scores(table, told))


def _units(table: str, sides: Sides) -> Units | None:
    """Whose rows they are: the rows of one person count once."""
    if table not in sides.holdout:
        return None
    return Units(
        *(sides.families(side, table) for side in (sides.training, sides.synthetic, sides.unseen))
    )


def _scores(table: str, told: TablePrivacy) -> Iterator[Score]:
    nearer, members = told.nearer_to_training, told.membership
    if nearer is not None:
        yield Score(
            "nearer_to_training", "privacy", nearer.share, table, best=0.5, error=nearer.error
        )
    if told.worst_subset is not None:
        worst = told.worst_subset
        place = f"{len(worst.columns)} columns"
        yield Score(
            "nearer_to_training",
            "privacy",
            worst.share,
            table,
            place,
            best=0.5,
            error=worst.error,
        )
    if members is not None:
        yield Score("membership", "privacy", members.auc, table, best=0.5, error=members.error)
        found, error = members.tpr_at_1_fpr, members.tpr_error
        yield Score("membership_tpr", "privacy", found, table, best=0.01, error=error)
    if told.attribute_inference is not None:
        guessed = told.attribute_inference
        yield Score(
            "attribute_inference",
            "privacy",
            guessed.excess,
            table,
            guessed.column,
            best=0.0,
            error=guessed.error,
        )
    for name in ("singling_out", "linkability", "inference"):
        risk: Risk | None = getattr(told, name)
        if risk is not None:
            yield Score(
                name,
                "privacy",
                risk.value,
                table,
                risk.column,
                best=0.0,
                error=risk.value - risk.low,
            )
