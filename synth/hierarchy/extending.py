"""One step of the bottom-up pass: a table encoded, and extended by what its rows know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Encoded, Ints, Layout
from prefect_synth.synth.encoding.table import fit_codec
from prefect_synth.synth.hierarchy.encoders import fit_levels, reference_layout
from prefect_synth.synth.hierarchy.extended import Extended
from prefect_synth.synth.hierarchy.levels import levels
from prefect_synth.synth.hierarchy.linking import Around
from prefect_synth.synth.hierarchy.loading import Overlaid
from prefect_synth.synth.hierarchy.part import Blocks
from prefect_synth.synth.hierarchy.relations import extend_relations
from prefect_synth.synth.hierarchy.roles import KeyRoles, key_roles
from prefect_synth.synth.hierarchy.settings import HierarchySettings
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.privacy.extending import extend_privately
from prefect_synth.synth.randomness import stream
from prefect_synth.synth.rules.applying import (
    family_of,
    own_codes,
    parent_codes,
    sequence_of,
    still_to_repair,
    take_out,
)


def extend_table(
    metadata: Metadata,
    name: str,
    tables: Mapping[str, pa.Table],
    around: Around,
    done: Mapping[str, Extended],
    settings: HierarchySettings,
) -> Extended:
    """Encode one table, and extend it by what its rows know of their children.

    Args:
        metadata: The schema.
        name: The table.
        tables: The real rows, without orphans that were dropped.
        around: What there is to know of the other tables.
        done: Its children, extended.
        settings: How the hierarchy is fitted.

    Raises:
        SynthesisError: A type is not known, or a key cannot be made.
    """
    if settings.privacy is not None and name not in settings.keep:
        return extend_privately(metadata, name, tables[name], around, settings)
    plan, links = around.plan, around.links
    known = {n: np.arange(around.rows[n]) for n in settings.keep if n in around.rows}
    known |= {
        n: own_codes(s, codec.layout.probabilities, len(s))
        for n, (s, codec) in around.named.items()
    }
    codes = parent_codes(metadata, plan.tables[name], links, known)
    chosen = settings.rules if name not in settings.keep else "none"
    family = family_of(metadata, plan, name, tables, links, around.units)
    rules, seen, data = take_out(family, name, codes, chosen, infer=settings.infer_rules)
    left = Overlaid(tables, {name: data})
    roles = key_roles(seen, name, left, around.narrow, stable=settings.keys == "stable")
    children = {n: done[n] for n in around.before}
    made = _extend(seen, name, data, around, children, roles, settings)
    return replace(
        made,
        schema=tables[name].schema,
        rules=rules,
        unique=still_to_repair(rules, made.unique),
        sequence=sequence_of(rules, tables[name]),
    )


def _extend(
    metadata: Metadata,
    name: str,
    data: pa.Table,
    around: Around,
    done: Mapping[str, Extended],
    roles: KeyRoles,
    settings: HierarchySettings,
) -> Extended:
    plan, links = around.plan, around.links
    rng = stream(settings.seed, "encode", name)
    codec = fit_codec(name, data, roles.own, roles.unique, settings.encoding, around.units)
    own = codec.encode(data, rng)
    own_links = {r.name: links[r.name] for r in metadata.parents(name)}
    known = extend_relations(
        metadata, plan, name, own, done, links, around.named, settings.seed,
        with_styles=settings.with_styles,
    )  # fmt: skip
    level_numbers = {r: levels(links[r]).astype(float)[:, None] for r in plan.tables[name].itself}
    level_codecs = {r: fit_levels(numbers[:, 0]) for r, numbers in level_numbers.items()}
    references = {
        r.name: reference_layout(links[r.name], around.rows[r.parent])
        for r in metadata.parents(name)
        if r.name in plan.tables[name].as_category
    }
    blocks = Blocks(
        known.encoded,
        {r: level_codecs[r].encode(level_numbers[r]) for r in level_codecs},
        own,
        {r: _encode_reference(links[r], layout) for r, layout in references.items()},
        known.style_columns,
        known.style_of,
    ).keyed(codec.modelled)
    kept = {c: data[c].combine_chunks() for c in data.column_names}
    return Extended(
        len(data), data.schema, codec, blocks.compact(), own_links, known.counts, known.codecs,
        known.styles, level_codecs, references, roles.keys, roles.counters, roles.repaired,
        roles.one_to_one, kept if name in settings.keep else None,
    )  # fmt: skip


def _encode_reference(link: Ints, layout: Layout) -> Encoded:
    pieces = np.where(link < 0, 0, link + int(layout.has_null))
    return Encoded(pieces[:, None], np.full((len(link), 1), 0.5), (layout,))
