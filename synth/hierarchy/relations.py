"""What the rows of a table know of their children: the bottom-up pass, relation by relation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints
from prefect_synth.synth.hierarchy.encoders import fit_counts, fit_numbers, fit_traits
from prefect_synth.synth.hierarchy.extension import RelationExtension, extend_relation
from prefect_synth.synth.hierarchy.part import RelationCodec
from prefect_synth.synth.hierarchy.plan import Plan
from prefect_synth.synth.hierarchy.styles import (
    StyleCodec,
    class_styles,
    encode_styles,
    is_reference,
    link_styles,
    named_styles,
)
from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.synth.randomness import stream

if TYPE_CHECKING:
    from prefect_synth.synth.hierarchy.extended import Extended

NAMED = "rows"
"""Where the styles of a table whose rows have a style each are kept; no relation is called so."""
_COUNT_WEIGHT = 0.7
_MOST_OPEN = 3
_STRONG, _OPEN = 0.1, 0.05


@dataclass
class Relations:
    """What the rows of one table know of each relation to their children.

    Args:
        counts: Children of each row, by relation.
        codecs: Encoders of counts and effects, by relation; none where a style says it all.
        encoded: Counts and effects, by relation.
        styles: Codecs of styles.
        style_of: Which style the children through a relation are told.
        style_columns: The styles of the rows.
    """

    counts: dict[str, Ints] = field(default_factory=dict)
    codecs: dict[str, RelationCodec] = field(default_factory=dict)
    encoded: dict[str, Encoded] = field(default_factory=dict)
    styles: dict[str, StyleCodec] = field(default_factory=dict)
    style_of: dict[str, str] = field(default_factory=dict)
    style_columns: dict[str, Encoded] = field(default_factory=dict)


Named = Mapping[str, tuple[Ints, StyleCodec]]
"""Styles of tables whose rows have one each, by table."""


def name_rows(
    metadata: Metadata,
    plan: Plan,
    tables: Mapping[str, pa.Table],
    links: Mapping[str, Ints],
    keep: Mapping[str, object] | tuple[str, ...],
    unit: str | None,
) -> dict[str, tuple[Ints, StyleCodec]]:
    """Find the small reference tables whose rows have a style each."""
    found = {}
    for name, data in tables.items():
        live = [r for r in metadata.children(name) if _is_live(plan, r)]
        if name in keep or not live or not is_reference(metadata, name, data, unit):
            continue
        counts = {r.name: _count(links[r.name], len(data)) for r in live}
        styles = named_styles(counts)
        if styles is not None:
            found[name] = styles
    return found


def extend_relations(
    metadata: Metadata,
    plan: Plan,
    name: str,
    own: Encoded,
    done: Mapping[str, Extended],
    links: Mapping[str, Ints],
    named: Named,
    seed: int,
    *,
    with_styles: bool,
) -> Relations:
    """Extend the rows of table `name` by what they know of their children."""
    found = Relations()
    if name in named:
        codes, codec = named[name]
        found.styles[NAMED] = codec
        found.style_columns[NAMED] = encode_styles(codes, codec.layout)
    for relation in metadata.children(name):
        if relation.name in plan.tables[relation.child].as_category:
            continue
        rng = stream(seed, "extend", relation.name)
        siblings = _siblings(metadata, plan, relation, done, named, len(links[relation.name]))
        known = extend_relation(siblings, links[relation.name], own, rng)
        found.counts[relation.name] = known.counts
        if name in named and _is_live(plan, relation):
            found.style_of[relation.name] = NAMED
            continue
        is_class = with_styles and _add_classes(plan, relation, own, known, found, rng)
        effects = _left_open(found, relation.name, known) if is_class else known.effects
        _add_numbers(found, relation.name, known.counts, effects)
    return found


def _add_numbers(found: Relations, relation: str, counts: Ints, effects: Floats) -> None:
    codec = RelationCodec(fit_counts(counts), fit_numbers(effects, whole=False))
    found.codecs[relation] = codec
    columns = [
        codec.counts.encode(counts.astype(float)[:, None]),
        codec.effects.encode(effects),
    ]
    found.encoded[relation] = Encoded.beside(columns, len(counts))


def _add_classes(
    plan: Plan,
    relation: Relationship,
    own: Encoded,
    known: RelationExtension,
    found: Relations,
    rng: np.random.Generator,
) -> bool:
    """Add classes of parents, where there is something that they can be told apart by."""
    assigned = relation.name in plan.tables[relation.child].assigned
    if not _is_live(plan, relation) or not (assigned or known.means.shape[1]):
        return False
    log_count = np.log1p(known.counts.astype(float))[:, None]
    compared = [known.means, _COUNT_WEIGHT * _standard(log_count)]
    if assigned and own.width:
        compared.append(_standard(fit_traits(own, known.counts).of(own)))
    styles = class_styles(np.hstack(compared), {relation.name: known.counts}, rng)
    if styles is None:
        return False
    codes, codec = styles
    found.styles[relation.name] = codec
    found.style_of[relation.name] = relation.name
    found.style_columns[relation.name] = encode_styles(codes, codec.layout)
    return True


def _left_open(found: Relations, relation: str, known: RelationExtension) -> Floats:
    """The strongest effects, where rows of one style differ in them still, [parents, k].

    Rows without children have none: nothing is known of it, and nobody will ask.
    """
    there = known.counts > 0
    style = found.style_columns[relation].pieces[there, 0]
    rows = np.maximum(np.bincount(style), 1)
    keep = []
    for k in range(min(known.means.shape[1], _MOST_OPEN)):
        mean = known.means[there, k]
        within = mean - (np.bincount(style, mean) / rows)[style]
        open_share = within.var() / max(mean.var(), 1e-12)
        if known.ratios[k] > _STRONG and open_share > _OPEN:
            keep.append(k)
    return np.where(there[:, None], known.effects[:, keep], np.nan)


def _siblings(
    metadata: Metadata,
    plan: Plan,
    relation: Relationship,
    done: Mapping[str, Extended],
    named: Named,
    rows: int,
) -> Encoded:
    """The child rows to compare; without columns where the relation carries no context."""
    if relation.child not in done or relation.name in plan.tables[relation.child].deferred:
        return Encoded.empty(rows)
    child = done[relation.child]
    others = [
        link_styles(child.links[r.name], named[r.parent][0], len(named[r.parent][1].layout.ranges))
        for r in metadata.parents(relation.child)
        if r != relation and r.parent in named and r.name in child.links
    ]
    return Encoded.beside([child.blocks.joined(), *(o[0] for o in others)], rows)


def _is_live(plan: Plan, relation: Relationship) -> bool:
    """Whether the relation's parents are told to the child rows before these are drawn."""
    role = plan.tables[relation.child]
    return relation.name == role.primary or relation.name in role.assigned


def _count(link: Ints, parents: int) -> Ints:
    return np.bincount(link[link >= 0], minlength=parents)


def _standard(x: Floats) -> Floats:
    if not len(x):
        return x
    if not len(x):
        return x
    spread = x.std(axis=0)
    return np.asarray((x - x.mean(axis=0)) / np.where(spread > 1e-9, spread, 1.0))
