"""Fitting one table's part under differential privacy."""

from __future__ import annotations

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded
from prefect_synth.synth.hierarchy.extended import Extended
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.plan import TablePlan
from prefect_synth.synth.hierarchy.settings import HierarchySettings
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.privacy.argn import fit_argn
from prefect_synth.synth.privacy.copula import fit_copula
from prefect_synth.synth.privacy.counting import Counting
from prefect_synth.synth.privacy.noise import Noise
from prefect_synth.synth.privacy.planning import table_costs
from prefect_synth.synth.row_models.base import RowModel
from prefect_synth.synth.row_models.choice import Choice


def fit_privately(
    metadata: Metadata,
    name: str,
    table: Extended,
    plan: TablePlan,
    context: Encoded,
    settings: HierarchySettings,
) -> TablePart:
    """Fit the part of table `name`.

    Args:
        metadata: The schema.
        name: The table.
        table: It after the bottom-up pass.
        plan: Roles of its keys.
        context: What its rows are told of their parents, [n, c].
        settings: Row model and privacy.
    """
    privacy = settings.privacy
    assert privacy is not None  # noqa: S101 - by the caller
    assert table.units is not None  # noqa: S101
    costs = table_costs(metadata, settings)[name]
    learned = np.flatnonzero(table.units >= 0)
    rows, context = table.blocks.joined().take(learned), context.take(learned)
    noise = Noise(costs.model, privacy.noise_seed, name, "rows")
    counting = Counting(table.units[learned], costs.rows, noise)
    chosen = "copula" if settings.row_model == "auto" else settings.row_model
    if chosen == "argn":
        units = max(round(table.counted / costs.rows), 1)
        fitted: RowModel = fit_argn(rows, context, counting, units, costs.model)
    else:
        fitted = fit_copula(rows, context, counting, table.counted, costs.model.rho)
    bound = f"(epsilon {privacy.epsilon:g}, delta {privacy.delta:g})-differentially private"
    choice = Choice(chosen, f"{chosen}, {bound} towards a row of '{costs.unit}' and all below it.")
    return TablePart(
        name, table.counted, table.schema, plan, table.codec, table.relations, {}, {}, {},
        table.references, dict.fromkeys(table.links, 0.0), table.one_to_one, {}, fitted,
        table.keys, {}, table.unique, None, choice=choice,
    )  # fmt: skip
