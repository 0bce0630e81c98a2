"""What each table may cost, before any row is seen; and which schemas can be learned at all."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from prefect_synth.synth.errors import RequestError
from prefect_synth.synth.hierarchy.plan import Plan
from prefect_synth.synth.hierarchy.settings import HierarchySettings
from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.synth.privacy.accounting import Spending, best_order, rho_for
from prefect_synth.synth.privacy.ledger import Charge, Ledger
from prefect_synth.synth.privacy.settings import DifferentialPrivacy
from prefect_synth.synth.rules.applying import Rules

MODELS = ("copula", "independent", "argn")
"""Row models that can be learned with differential privacy; `auto` is the first of them."""

COLUMNS = "columns"
"""What learning the columns one by one is called in the ledger."""
_MARGINALS = 1 / 3
_SELECTING = 0.01


@dataclass(frozen=True)
class TableCosts:
    """What learning one table costs, and whose it is.

    Args:
        unit: The table whose rows are the units.
        rows: Rows of one unit that are learned from.
        marginals: Cost of the columns, one by one.
        model: Cost of what the columns have to do with each other.
    """

    unit: str
    rows: int
    marginals: Spending
    model: Spending

    @property
    def whole(self) -> Spending:
        """Both together."""
        return self.marginals + self.model


def table_costs(metadata: Metadata, settings: HierarchySettings) -> dict[str, TableCosts]:
    """What learning each generated table costs; all tables of a unit come to the epsilon asked.

    What the columns cost does not depend on the model: they are learned before it is known.

    Args:
        metadata: The schema.
        settings: With `privacy`.

    Raises:
        RequestError: The schema, or a setting, cannot be had with differential privacy.
    """
    privacy = settings.privacy
    assert privacy is not None  # noqa: S101 - asked by the callers
    _check(metadata, settings, privacy)
    tops = {name: _top(metadata, settings, name) for name in metadata.tables}
    generated = {name: top for name, top in tops.items() if name not in settings.keep}
    selecting = _SELECTING * privacy.delta
    rho = rho_for(privacy.epsilon, privacy.delta - selecting)
    limit = best_order(rho, privacy.delta - selecting)
    found = {}
    for name, top in generated.items():
        share = 1 / list(generated.values()).count(top)
        alone = settings.row_model == "independent"
        trained = float(limit) if settings.row_model == "argn" else float("inf")
        found[name] = TableCosts(
            top,
            1 if name == top else privacy.rows.get(name, privacy.rows_per_unit),
            Spending(rho * share * _MARGINALS, delta=selecting * share),
            Spending() if alone else Spending(rho * share * (1 - _MARGINALS), trained),
        )
    return found


def charges(
    metadata: Metadata,
    settings: HierarchySettings,
    source: str = "",
    run: str = "",
    key: str = "",
) -> list[Charge]:
    """What training all tables costs, as a ledger has it: two charges for a table.

    Args:
        metadata: The schema.
        settings: With `privacy`.
        source: Where the tables are, without secrets.
        run: Which run asks.
        key: What is learned from, as `Charge` has it.
    """
    model = "copula" if settings.row_model == "auto" else settings.row_model
    found = []
    for name, costs in table_costs(metadata, settings).items():
        parts = {COLUMNS: costs.marginals, model: costs.model}
        found += [
            Charge(name, costs.unit, source, mechanism, spending, run, key)
            for mechanism, spending in parts.items()
            if spending.rho
        ]
    return found


def pay(metadata: Metadata, settings: HierarchySettings) -> None:
    """Pay for a training of all tables, where there is a ledger to pay into.

    Raises:
        OverspentError: The budget does not allow it.
        LedgerError: The ledger cannot be read.
    """
    privacy = settings.privacy
    if privacy is not None and privacy.ledger is not None:
        Ledger(Path(privacy.ledger), privacy.budget).charge(charges(metadata, settings))


def live_parent(metadata: Metadata, settings: HierarchySettings, name: str) -> Relationship | None:
    """The relation through which the rows of a table belong to somebody."""
    live = [r for r in metadata.parents(name) if r.parent not in settings.keep]
    return live[0] if live else None


def check_plan(plan: Plan, keep: Collection[str]) -> None:
    """See that every key to a public reference table is a category.

    Raises:
        RequestError: One is not.
    """
    for name, roles in plan.tables.items():
        wrong = [*roles.assigned, *roles.deferred, *roles.itself]
        if name not in keep and wrong:
            raise RequestError(
                f"'{wrong[0]}' refers to a table that is too large, or too closely tied to "
                f"'{name}', for its rows to be categories, which differential privacy does not "
                "cover here. Exclude the column."
            )


def without_rules(rules: Rules) -> bool:
    """Whether no rule is asked for, or only that they be looked for."""
    return isinstance(rules, str) or not any(rules.values())


def _top(metadata: Metadata, settings: HierarchySettings, name: str) -> str:
    line = [name]
    while (relation := live_parent(metadata, settings, line[-1])) is not None:
        if relation.parent in line:
            raise RequestError(
                f"The tables {', '.join(line)} refer to each other in a circle, so that nobody is "
                "at the top, which differential privacy does not cover here. Exclude "
                f"'{relation}'."
            )
        line.append(relation.parent)
    return line[-1]


def _check(metadata: Metadata, settings: HierarchySettings, privacy: DifferentialPrivacy) -> None:
    if settings.row_model not in ("auto", *MODELS):
        raise RequestError(
            f"The model '{settings.row_model}' cannot be trained with differential privacy. Use "
            f"{', '.join(MODELS)}, or leave `epsilon` out."
        )
    if not without_rules(settings.rules):
        raise RequestError(
            "Rules are checked against every row and repaired by what is found, which differential "
            "privacy does not cover. Take the rules out, or leave `epsilon` out."
        )
    if settings.encoding.marginal != "quantile" or settings.encoding.marginals:
        raise RequestError(
            "Parametric marginals are fitted to every row, which differential privacy does not "
            "cover. Take them out, or leave `epsilon` out."
        )
    for name in metadata.tables:
        if name not in settings.keep:
            _check_table(metadata, settings, name)
    if settings.unit is not None and _is_below(metadata, settings, settings.unit):
        raise RequestError(
            f"The unit of privacy is '{settings.unit}', whose rows hang on another table. With "
            f"differential privacy it is '{_top(metadata, settings, settings.unit)}': name that, "
            "or leave the relation out."
        )
    known = {f"{t.name}.{c}" for t in metadata.tables.values() for c in t.columns}
    for place in (*privacy.bounds, *privacy.categories):
        if place not in known:
            raise RequestError(
                f"Bounds or categories are given for '{place}', but there is no such column. Name "
                "it as table.column."
            )


def _is_below(metadata: Metadata, settings: HierarchySettings, unit: str) -> bool:
    return unit in metadata.tables and _top(metadata, settings, unit) != unit


def _check_table(metadata: Metadata, settings: HierarchySettings, name: str) -> None:
    """A generated table must hang on one generated table at most, and on nothing in a circle."""
    parents = metadata.parents(name)
    live = [r for r in parents if r.parent not in settings.keep]
    wrong = next((r for r in live if r.parent == name or r.when is not None), None)
    if len(live) > 1:
        raise RequestError(
            f"Table '{name}' hangs on several generated tables ({', '.join(map(str, live))}), so "
            "that a row belongs to several units, which differential privacy does not cover here. "
            "Copy all but one of them as public reference tables (`model: copy`), or exclude them."
        )
    if wrong is not None:
        raise RequestError(
            f"'{wrong}' is a relation of a table to itself, or to one of several tables, which "
            "differential privacy does not cover here. Exclude the column."
        )
    if metadata.tables[name].sequence_index is not None:
        raise RequestError(
            f"The rows of '{name}' are sequences, which differential privacy does not cover here. "
            "Take the sequence index out of the metadata."
        )
