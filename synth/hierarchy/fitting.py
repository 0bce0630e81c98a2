"""Fitting one table's part after the bottom-up pass; no table waits for another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded, Ints
from prefect_synth.synth.hierarchy.context import inherit, parent_context
from prefect_synth.synth.hierarchy.encoders import fit_numbers, fit_traits
from prefect_synth.synth.hierarchy.extended import Extended
from prefect_synth.synth.hierarchy.extensions import Extensions
from prefect_synth.synth.hierarchy.families import family_rows
from prefect_synth.synth.hierarchy.part import KeptRows, StructureModel, StyleModel, TablePart
from prefect_synth.synth.hierarchy.sequences import fit_rows
from prefect_synth.synth.hierarchy.settings import HierarchySettings
from prefect_synth.synth.hierarchy.styles import link_styles
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.privacy.fitting import fit_privately
from prefect_synth.synth.randomness import stream
from prefect_synth.synth.row_models.base import RowModel
from prefect_synth.synth.row_models.choice import AUTO, Choice, choose
from prefect_synth.synth.row_models.contest import hold_contest
from prefect_synth.synth.row_models.factory import make_row_model

FEWEST_FOR_CONTEST = 600
"""Rows of which a contest can tell models apart: half to learn from, half to judge."""


def fit_part(
    metadata: Metadata,
    extensions: Extensions,
    name: str,
    settings: HierarchySettings,
    row_model: RowModel | None = None,
) -> TablePart:
    """Fit the part of table `name`.

    Args:
        metadata: The schema.
        extensions: The bottom-up pass over all tables.
        name: The table.
        settings: Row model and seed.
        row_model: The row model to fit; one of the settings' name where None.
    """
    table, plan = extensions.tables[name], extensions.plan.tables[name]
    if settings.privacy is not None and table.units is not None:
        told = _private_context(metadata, extensions, name, settings)
        return fit_privately(metadata, name, table, plan, told, settings)
    rows = family_rows(metadata, extensions, name, settings.seed)
    rng, width = stream(settings.seed, "fit", name), table.blocks.joined().width
    seen = width + _context_width(metadata, extensions, name)
    asked = settings.row_model
    choice = choose(table.rows, seen, settings.budget_seconds, asked)
    settings = replace(settings, row_model=choice.row_model)
    nulls = {r: _null_share(link) for r, link in table.links.items()}
    contexts: list[Encoded] = []
    structure = {}
    for relation in [r for r in (plan.primary, *plan.assigned) if r is not None]:
        if relation in plan.assigned:
            known = Encoded.beside(contexts, len(rows))
            structure[relation] = _fit_structure(
                metadata, extensions, relation, table.links[relation], rows, known, settings, rng
            )
        link = table.links[relation][rows]
        contexts.append(_context(metadata, extensions, relation, link, nulls, rng))
    styles = _fit_styles(table, rows, contexts, settings, rng)
    known = Encoded.beside(contexts, len(rows))
    if asked == AUTO and settings.effort.contest and len(rows) >= FEWEST_FOR_CONTEST:
        choice = _contest(name, table.blocks.joined().take(rows), known, settings)
        settings = replace(settings, row_model=choice.row_model)
    row_model = row_model or make_row_model(settings.row_model, settings.effort)
    row_model, sequence = fit_rows(table, rows, known, row_model, settings, rng)
    kept = None if table.kept is None else KeptRows(table.kept, table.blocks)
    return TablePart(
        name, table.rows, table.schema, plan, table.codec, table.relations, styles,
        table.blocks.style_of, table.levels,
        table.references, nulls, table.one_to_one, structure, row_model, table.keys,
        table.counters, table.unique, kept, table.rules, choice,
        sequence, table.shared,
    )  # fmt: skip


def _contest(name: str, rows: Encoded, known: Encoded, settings: HierarchySettings) -> Choice:
    """The row model that did best on a part of the rows."""
    rng = stream(settings.seed, "contest", name)
    return hold_contest(rows, known, settings.effort, settings.budget_seconds, rng)[0]


def _private_context(
    metadata: Metadata, extensions: Extensions, name: str, settings: HierarchySettings
) -> Encoded:
    """What all rows of a table are told of their parents."""
    table, primary = extensions.tables[name], extensions.plan.tables[name].primary
    if primary is None:
        return Encoded.empty(len(table.blocks.own))
    rng = stream(settings.seed, "fit", name)
    return _context(metadata, extensions, primary, table.links[primary], {primary: 0.0}, rng)


def _context_width(metadata: Metadata, extensions: Extensions, name: str) -> int:
    """Columns that the rows of a table are told of their parents, and of theirs."""
    plan, width = extensions.plan.tables[name], 0
    for relation in (plan.primary, *plan.assigned):
        while relation is not None:
            parent = _parent(metadata, relation)
            width += sum(e.width for e in extensions.tables[parent].blocks.seen(relation))
            relation = extensions.plan.tables[parent].primary
    return width


def _fit_styles(
    table: Extended,
    rows: Ints,
    contexts: list[Encoded],
    settings: HierarchySettings,
    rng: np.random.Generator,
) -> dict[str, StyleModel]:
    """Fit each style given what stands before it; the styles join the contexts."""
    models = {}
    for name, column in table.blocks.styles.items():
        known, some = Encoded.beside(contexts, len(rows)), column.take(rows)
        model = make_row_model(settings.row_model, settings.effort).fit(some, known, rng)
        models[name] = StyleModel(table.styles[name], model)
        contexts.append(some)
    return models


def _null_share(link: Ints) -> float:
    return float((link < 0).mean()) if len(link) else 0.0


def _context(
    metadata: Metadata,
    extensions: Extensions,
    relation: str,
    link: Ints,
    nulls: Mapping[str, float],
    rng: np.random.Generator,
) -> Encoded:
    parent = _parent(metadata, relation)
    return parent_context(
        extensions.tables[parent].blocks,
        _inherited(metadata, extensions, parent, rng),
        relation,
        link,
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
    rows: Ints,
    known: Encoded,
    settings: HierarchySettings,
    rng: np.random.Generator,
) -> StructureModel:
    parent = extensions.tables[_parent(metadata, relation)]
    if relation in parent.blocks.style_of:
        style = parent.blocks.style_of[relation]
        codes = parent.blocks.styles[style].pieces[:, 0]
        wanted, layout = link_styles(link, codes, len(parent.styles[style].layout.ranges))
        model = make_row_model(settings.row_model, settings.effort).fit(
            wanted.take(rows), known, rng
        )
        return StructureModel(None, None, layout, model)
    seen = parent.blocks.for_child(relation)
    traits = fit_traits(seen, parent.counts[relation])
    numbers = np.full((len(link), traits.axes.shape[1]), np.nan)
    numbers[link >= 0] = traits.of(seen)[link[link >= 0]]
    codec = fit_numbers(numbers, whole=False)
    sought = codec.encode(numbers[rows])
    row_model = make_row_model(settings.row_model, settings.effort).fit(sought, known, rng)
    return StructureModel(traits, codec, None, row_model)


def _parent(metadata: Metadata, relation: str) -> str:
    return next(r.parent for r in metadata.relationships if r.name == relation)
