"""One table after the bottom-up pass, and fingerprints of what others learn of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from prefect_synth.synth.encoding.layout import Ints, Layout
from prefect_synth.synth.encoding.table import TableCodec
from prefect_synth.synth.generation.keys import KeyGenerator
from prefect_synth.synth.hierarchy.encoders import NumbersCodec
from prefect_synth.synth.hierarchy.part import Blocks, RelationCodec
from prefect_synth.synth.hierarchy.shared import Shared
from prefect_synth.synth.hierarchy.sharing import personal_columns
from prefect_synth.synth.hierarchy.styles import StyleCodec
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.rules.ruleset import TableRules
from prefect_synth.synth.storage import fingerprint_of, load_state, save_state, stored


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
        units: With differential privacy the unit of each row, negative for those that are not
            learned from.
        counted: With differential privacy the noised number of rows that are learned from.
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
    units: Ints | None = None
    counted: int = 0

    def save(self, folder: Path) -> None:
        """Write the table into `folder`; it comes from real rows: keep it private."""
        save_state(folder, "extended", self)

    @classmethod
    def load(cls, folder: Path) -> Extended:
        """Read what `save` wrote."""
        table = load_state(folder, "extended")
        assert isinstance(table, Extended)  # noqa: S101 - what save() wrote
        return table


@dataclass(frozen=True)
class Prints:
    """Fingerprints of what others learn of an extended table.

    Args:
        own: Of all of it, but whose values its personal columns have.
        siblings: Of what its parents compare its rows by.
        told: Of what its children are told, by relation.
        links: Of the parent of each row, by relation.
    """

    own: str
    siblings: str
    told: dict[str, str]
    links: dict[str, str]


def prints_of(metadata: Metadata, name: str, table: Extended) -> Prints:
    """Fingerprints of what others learn of an extended table."""
    links = {relation: _print(link) for relation, link in table.links.items()}
    return Prints(
        _print(replace(table, shared={})),
        _print((table.blocks.joined(), sorted(links.items()))),
        {r.name: _print(table.blocks.for_child(r.name)) for r in metadata.children(name)},
        links,
    )


def _print(value: object) -> str:
    return fingerprint_of(value).hex()[:32]


@dataclass(frozen=True)
class PersonalColumns:
    """The personal columns of an extended table, and which relations give a parent one row.

    Args:
        columns: Sdtype of each, and whether its values are unique.
        one_to_one: Relations with at most one row a parent.
    """

    columns: dict[str, tuple[str, bool]]
    one_to_one: tuple[str, ...]


def personal_of(table: Extended) -> PersonalColumns:
    """Its personal columns; none of a table that is published as it is, or learned privately."""
    unseen = table.kept is not None or table.units is not None
    return PersonalColumns({} if unseen else personal_columns(table.codec), table.one_to_one)
