"""The bottom-up pass: every table encoded, linked, and extended by what it knows of its children.

After it every table's row model can be fitted on its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Encoded, Ints, Layout
from prefect_synth.synth.encoding.table import TableCodec, fit_codec
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.generation.keys import KeyGenerator
from prefect_synth.synth.hierarchy.encoders import (
    NumbersCodec,
    fit_levels,
    reference_layout,
)
from prefect_synth.synth.hierarchy.levels import levels
from prefect_synth.synth.hierarchy.links import link_tables
from prefect_synth.synth.hierarchy.loading import LoadedTables, Overlaid
from prefect_synth.synth.hierarchy.part import Blocks, RelationCodec
from prefect_synth.synth.hierarchy.plan import Plan, make_plan
from prefect_synth.synth.hierarchy.polymorphic import check_owners
from prefect_synth.synth.hierarchy.relations import Named, extend_relations, name_rows
from prefect_synth.synth.hierarchy.roles import KeyRoles, key_roles, narrow_columns
from prefect_synth.synth.hierarchy.settings import HierarchySettings
from prefect_synth.synth.hierarchy.shared import Shared
from prefect_synth.synth.hierarchy.sharing import find_shared
from prefect_synth.synth.hierarchy.styles import StyleCodec
from prefect_synth.synth.hierarchy.units import guessed_units, units_of
from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.synth.randomness import stream
from prefect_synth.synth.rules.applying import (
    family_of,
    own_codes,
    parent_codes,
    sequence_of,
    still_to_repair,
    take_out,
)
from prefect_synth.synth.rules.ruleset import TableRules
from prefect_synth.synth.storage import (
    fingerprint_of,
    folder_name,
    load_state,
    save_state,
    stored,
)


@stored
@dataclass(frozen=True)
class Extended:
    """One table after the bottom-up pass.

    Args:
        rows: Number of rows.
        schema: Exact Arrow schema.
        codec: Encoders of the own columns.
        blocks: Encoded columns.
        links: Parent row of each row, by relation.
        counts: Children of each row, by relation.
        relations: Encoders of what the rows know of their children.
        styles: Styles of the rows, as their children are told them.
        levels: Encoders of the level, by relation to itself.
        references: Layouts of keys to kept tables.
        keys: Makers of minted columns.
        counters: First number of counted columns.
        unique: Keys to repair.
        one_to_one: Relations with at most one row a parent.
        kept: The raw rows, where the table is published as it is.
        rules: What restores the columns that rules determine.
        sequence: The row before each row of its parent, and its position, where there is an order.
        shared: Whose values its personal columns have, where they are another column's.
    """

    rows: int
    schema: pa.Schema
    codec: TableCodec
    blocks: Blocks
    links: dict[str, Ints]
    counts: dict[str, Ints]
    relations: dict[str, RelationCodec]
    styles: dict[str, StyleCodec]
    levels: dict[str, NumbersCodec]
    references: dict[str, Layout]
    keys: dict[str, KeyGenerator]
    counters: dict[str, int]
    unique: tuple[tuple[str, ...], ...]
    one_to_one: tuple[str, ...]
    kept: dict[str, pa.Array] | None
    rules: TableRules = field(default_factory=TableRules)
    sequence: Ints | None = None
    shared: dict[str, Shared] = field(default_factory=dict)


@dataclass(frozen=True)
class Extensions:
    """Every table after the bottom-up pass, and the plan."""

    plan: Plan
    tables: dict[str, Extended]

    def save(self, folder: Path) -> None:
        """Write the plan and each table's arrays; they come from real rows: keep them private."""
        save_state(folder, "plan", self.plan)
        for name, table in self.tables.items():
            save_state(folder / folder_name(name), "extended", table)

    @classmethod
    def load(
        cls, folder: Path, metadata: Metadata | None = None, table: str | None = None
    ) -> Extensions:
        """Read what `save` wrote; only what fitting `table` needs, where one is given."""
        plan = load_state(folder, "plan")
        names = plan.order
        if metadata is not None and table is not None:
            above = [parent for _, parent in _lines(metadata, plan, table)]
            names = tuple(dict.fromkeys((table, *above)))
        return cls(plan, {n: load_state(folder / folder_name(n), "extended") for n in names})

    def fingerprint(self, metadata: Metadata, table: str, settings: HierarchySettings) -> str:
        """Changes when anything does that the table's part depends on, and only then."""
        encoding = settings.encoding
        own = {k: m for k, m in encoding.marginals.items() if k.startswith(f"{table}.")}
        chosen = (
            settings.row_model,
            settings.budget_seconds,
            settings.seed,
            encoding.locale,
            encoding.marginal,
            own,
            settings.keys,
        )
        described = metadata.subset([table]).to_dict()["tables"]
        digest = hashlib.sha256(repr((chosen, described, self.plan.tables[table])).encode())
        digest.update(fingerprint_of(self.tables[table]))
        for relation, parent in _lines(metadata, self.plan, table):
            blocks = self.tables[parent].blocks
            digest.update(repr(relation).encode())
            digest.update(fingerprint_of(blocks.for_child(relation.name)))
            digest.update(fingerprint_of(self.tables[relation.child].links[relation.name]))
        return digest.hexdigest()[:32]


def extend_tables(
    metadata: Metadata, tables: Mapping[str, pa.Table | Path], settings: HierarchySettings
) -> Extensions:
    """Encode, link and extend all tables, children first.

    Raises:
        SynthesisError: Tables and metadata do not fit, keys have orphans, a type is not known.
    """
    loaded: Mapping[str, pa.Table] = LoadedTables(metadata, tables)
    plan = make_plan(metadata, {n: len(t) for n, t in loaded.items()}, settings.keep)
    _check_kept(metadata, settings.keep)
    loaded, links = link_tables(metadata, loaded, plan.order, settings.on_orphan)
    check_owners(metadata, plan, links)
    narrow = narrow_columns(loaded)
    named = (
        name_rows(metadata, plan, loaded, links, tuple(settings.keep), settings.unit)
        if settings.with_styles
        else {}
    )
    rows = {n: np.arange(len(loaded[n])) for n in settings.keep}
    rows |= {n: own_codes(s, codec.layout.probabilities, len(s)) for n, (s, codec) in named.items()}
    sizes = {n: len(t) for n, t in loaded.items()}
    units = (
        guessed_units(metadata, plan.order, sizes, links)
        if settings.unit is None
        else units_of(metadata, plan.order, sizes, links, settings.unit)
    )
    extended: dict[str, Extended] = {}
    for name in reversed(plan.order):
        codes = parent_codes(metadata, plan.tables[name], links, rows)
        chosen = settings.rules if name not in settings.keep else "none"
        family = family_of(metadata, plan, name, loaded, links, units.get(name))
        rules, seen, data = take_out(family, name, codes, chosen, infer=settings.infer_rules)
        left = Overlaid(loaded, {name: data})
        roles = key_roles(seen, name, left, narrow, stable=settings.keys == "stable")
        made = _extend(
            seen, plan, name, left, links, extended, named, roles, units.get(name), settings
        )
        extended[name] = replace(
            made,
            schema=loaded[name].schema,
            rules=rules,
            unique=still_to_repair(rules, made.unique),
            sequence=sequence_of(rules, loaded[name]),
        )
    codecs = {n: e.codec for n, e in extended.items() if n not in settings.keep}
    alone = {n: e.one_to_one for n, e in extended.items()}
    shared = find_shared(metadata, plan, loaded, codecs, links, alone)
    return Extensions(plan, {n: replace(extended[n], shared=shared[n]) for n in plan.order})


def _check_kept(metadata: Metadata, keep: Collection[str]) -> None:
    for name in keep:
        if name not in metadata.tables:
            raise SynthesisError(
                f"The table '{name}' is to be kept, but there is no such table. "
                f"Tables: {', '.join(metadata.tables)}."
            )
        for relationship in metadata.parents(name):
            if relationship.parent not in keep:
                raise SynthesisError(
                    f"The table '{name}' is to be kept, but '{relationship}' refers to a "
                    f"generated table. Keep '{relationship.parent}' too, or do not keep '{name}'."
                )


def _extend(
    metadata: Metadata,
    plan: Plan,
    name: str,
    loaded: Mapping[str, pa.Table],
    links: Mapping[str, Ints],
    done: Mapping[str, Extended],
    named: Named,
    roles: KeyRoles,
    units: Ints | None,
    settings: HierarchySettings,
) -> Extended:
    data, rng = loaded[name], stream(settings.seed, "encode", name)
    codec = fit_codec(name, data, roles.own, roles.unique, settings.encoding, units)
    own = codec.encode(data, rng)
    own_links = {r.name: links[r.name] for r in metadata.parents(name)}
    known = extend_relations(
        metadata, plan, name, own, done, links, named, settings.seed,
        with_styles=settings.with_styles,
    )  # fmt: skip
    level_numbers = {r: levels(links[r]).astype(float)[:, None] for r in plan.tables[name].itself}
    level_codecs = {r: fit_levels(numbers[:, 0]) for r, numbers in level_numbers.items()}
    references = {
        r.name: reference_layout(links[r.name], len(loaded[r.parent]))
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


def _lines(metadata: Metadata, plan: Plan, table: str) -> list[tuple[Relationship, str]]:
    """The relations whose parents a table's rows are told of, upwards."""
    used = plan.tables[table]
    names = [n for n in (used.primary, *used.assigned) if n is not None]
    found = [r for r in metadata.relationships if r.name in names]
    for relation in found:  # grows: each parent passes on what its own primary parent is
        primary = plan.tables[relation.parent].primary
        found += [r for r in metadata.relationships if r.name == primary and r not in found]
    return [(r, r.parent) for r in found]
