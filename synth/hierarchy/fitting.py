"""Fitting one table's part after the bottom-up pass; no table waits for another."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded, Ints
from prefect_synth.synth.hierarchy.context import inherit, parent_context
from prefect_synth.synth.hierarchy.encoders import fit_numbers, fit_traits
from prefect_synth.synth.hierarchy.extensions import Extended, Extensions, HierarchySettings
from prefect_synth.synth.hierarchy.part import KeptRows, StructureModel, TablePart
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.randomness import stream
from prefect_synth.synth.row_models.factory import make_row_model


def fit_part(
    metadata: Metadata, extensions: Extensions, name: str, settings: HierarchySettings
) -> TablePart:
    """Fit the part of table `name`.

    Args:
        metadata: The schema.
        extensions: The bottom-up pass over all tables.
        name: The table.
        settings: Row model and seed.
    """
    table, plan = extensions.tables[name], extensions.plan.tables[name]
    rng = stream(settings.seed, "fit", name)
    nulls = {r: _null_share(link) for r, link in table.links.items()}
    contexts: list[Encoded] = []
    structure = {}
    for relation in [r for r in (plan.primary, *plan.assigned) if r is not None]:
        if relation in plan.assigned:
            known = Encoded.beside(contexts, table.rows)
            structure[relation] = _fit_structure(
                metadata, extensions, relation, table.links[relation], known, settings, rng
            )
        contexts.append(_context(metadata, extensions, table, relation, nulls, rng))
    row_model = make_row_model(settings.row_model).fit(
        table.blocks.joined(), Encoded.beside(contexts, table.rows), rng
    )
    kept = None if table.kept is None else KeptRows(table.kept, table.blocks.joined())
    return TablePart(
        name, table.rows, table.schema, plan, table.codec, table.relations, table.levels,
        table.references, nulls, table.one_to_one, structure, row_model, table.keys,
        table.counters, table.unique, kept, table.rules,
    )  # fmt: skip


def _null_share(link: Ints) -> float:
    return float((link < 0).mean()) if len(link) else 0.0


def _context(
    metadata: Metadata,
    extensions: Extensions,
    table: Extended,
    relation: str,
    nulls: Mapping[str, float],
    rng: np.random.Generator,
) -> Encoded:
    parent = _parent(metadata, relation)
    return parent_context(
        extensions.tables[parent].blocks,
        _inherited(metadata, extensions, parent, rng),
        relation,
        table.links[relation],
        nulls[relation],
        rng,
    )


def _inherited(
    metadata: Metadata, extensions: Extensions, name: str, rng: np.random.Generator
) -> Encoded:
    """What the rows of `name` inherit, built from the top of its line of primary parents."""
    line = [name]
    while (primary := extensions.plan.tables[line[-1]].primary) is not None:
        line.append(_parent(metadata, primary))
    blocks = {n: t.blocks for n, t in extensions.tables.items()}
    inherited: dict[str, Encoded] = {}
    for each in reversed(line):
        table = extensions.tables[each]
        inherited[each] = inherit(
            metadata,
            extensions.plan.tables[each].primary,
            table.links,
            blocks,
            inherited,
            table.rows,
            rng,
        )
    return inherited[name]


def _fit_structure(
    metadata: Metadata,
    extensions: Extensions,
    relation: str,
    link: Ints,
    known: Encoded,
    settings: HierarchySettings,
    rng: np.random.Generator,
) -> StructureModel:
    parent = extensions.tables[_parent(metadata, relation)]
    seen = parent.blocks.for_child(relation)
    traits = fit_traits(seen, parent.counts[relation])
    wanted = np.full((len(link), traits.axes.shape[1]), np.nan)
    wanted[link >= 0] = traits.of(seen)[link[link >= 0]]
    codec = fit_numbers(wanted, whole=False)
    row_model = make_row_model(settings.row_model).fit(codec.encode(wanted), known, rng)
    return StructureModel(traits, codec, row_model)


def _parent(metadata: Metadata, relation: str) -> str:
    return next(r.parent for r in metadata.relationships if r.name == relation)
