"""A table's part of a model: all that is needed to sample its rows, given its parents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from zlib import crc32

import pyarrow as pa

from prefect_synth.synth.encoding.layout import Encoded, Layout
from prefect_synth.synth.encoding.table import TableCodec
from prefect_synth.synth.generation.keys import KeyGenerator
from prefect_synth.synth.hierarchy.encoders import NumbersCodec, Traits
from prefect_synth.synth.hierarchy.plan import TablePlan
from prefect_synth.synth.hierarchy.sequences import SequenceModel
from prefect_synth.synth.hierarchy.shared import Shared
from prefect_synth.synth.hierarchy.styles import StyleCodec
from prefect_synth.synth.hierarchy.whole_families import FamilySequence
from prefect_synth.synth.row_models import factory  # noqa: F401 - a part on disk names its model
from prefect_synth.synth.row_models.base import RowModel
from prefect_synth.synth.row_models.choice import Choice
from prefect_synth.synth.rules import catalogue  # noqa: F401 - a part on disk names its rules
from prefect_synth.synth.rules.ruleset import TableRules
from prefect_synth.synth.storage import load_state, save_state, stored


@stored
@dataclass(frozen=True)
class RelationCodec:
    """How the rows of a parent encode one relation to their children."""

    counts: NumbersCodec
    effects: NumbersCodec

    @property
    def width(self) -> int:
        """Columns that the relation adds to the parent's row."""
        return len(self.counts.marginals) + len(self.effects.marginals)


@stored
@dataclass(frozen=True)
class StructureModel:
    """Which parent a child row looks for, given what is known before: an assigned relation.

    Args:
        traits: Main axes of the parents' columns; None where a style is looked for.
        codec: Encoder of the traits.
        style: Styles of the parents as the child rows have them; null first if any has no parent.
        row_model: p(traits, or style | what is known).
    """

    traits: Traits | None
    codec: NumbersCodec | None
    style: Layout | None
    row_model: RowModel


@stored
@dataclass(frozen=True)
class StyleModel:
    """How the rows of a table come by a style.

    Args:
        codec: The styles.
        row_model: p(style | context, earlier styles).
    """

    codec: StyleCodec
    row_model: RowModel


@stored
@dataclass(frozen=True)
class KeptRows:
    """A reference table that is published as it is, by the user's word.

    Args:
        columns: Its rows, column by column.
        blocks: Its columns and extensions as its row model would see them.
    """

    columns: dict[str, pa.Array]
    blocks: Blocks


@stored
@dataclass(frozen=True)
class TablePart:
    """One table of a fitted model; holds no raw row unless the table is kept.

    Args:
        name: The table.
        rows: Rows that it was trained on.
        schema: Exact Arrow schema of its output.
        plan: Roles of its foreign keys.
        codec: Encoders of its own columns.
        relations: What its rows know of their children, by relation.
        styles: How its rows come by their styles, in the order of drawing.
        style_of: Which style the children through a relation are told.
        levels: Level encoder for each relation of the table to itself.
        references: Layout of each foreign key to a kept table.
        nulls: Share of rows without a parent, by relation.
        one_to_one: Relations in which a parent has at most one child here.
        structure: Models of assigned relations.
        row_model: p(extension, own columns | context).
        keys: Makers of key columns that are in no foreign key.
        counters: First number of key columns that count within their parent.
        unique: Keys of several columns that must be unique.
        kept: The rows, where the table is published as it is.
        rules: What restores the columns that rules determine.
        choice: The row model's name, and why it was chosen.
        sequence: p(row | context, the row before it), where the rows of a parent are in order;
            `row_model` draws the first ones then, or all, where it is a model of families.
        shared: Whose values its personal columns have, where they are another column's.
    """

    name: str
    rows: int
    schema: pa.Schema
    plan: TablePlan
    codec: TableCodec
    relations: dict[str, RelationCodec]
    styles: dict[str, StyleModel]
    style_of: dict[str, str]
    levels: dict[str, NumbersCodec]
    references: dict[str, Layout]
    nulls: dict[str, float]
    one_to_one: tuple[str, ...]
    structure: dict[str, StructureModel]
    row_model: RowModel
    keys: dict[str, KeyGenerator]
    counters: dict[str, int]
    unique: tuple[tuple[str, ...], ...]
    kept: KeptRows | None
    rules: TableRules = field(default_factory=TableRules)
    choice: Choice | None = None
    sequence: SequenceModel | FamilySequence | None = None
    shared: dict[str, Shared] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write the part into `folder` as `part.json` and `part.safetensors`."""
        save_state(folder, "part", self)

    @classmethod
    def load(cls, folder: Path) -> TablePart:
        """Read a part.

        Raises:
            StorageError: There is none, or it is of another format.
        """
        part = load_state(folder, "part")
        assert isinstance(part, TablePart)  # noqa: S101 - what save() wrote
        return part


@stored
@dataclass(frozen=True)
class Blocks:
    """A table's encoded columns by origin, in the order that its row model sees them."""

    relations: dict[str, Encoded]
    levels: dict[str, Encoded]
    own: Encoded
    references: dict[str, Encoded]
    styles: dict[str, Encoded]
    style_of: dict[str, str]

    def joined(self) -> Encoded:
        """The columns that a row model draws, side by side: all but the styles."""
        parts = [
            *self.relations.values(),
            *self.levels.values(),
            self.own,
            *self.references.values(),
        ]
        return Encoded.beside(parts, len(self.own))

    def for_child(self, relation: str) -> Encoded:
        """What a child row through `relation` sees of its parent."""
        return Encoded.beside(self.seen(relation), len(self.own))

    def seen(self, relation: str) -> list[Encoded]:
        """The same, not yet side by side."""
        style = [self.styles[self.style_of[relation]]] if relation in self.style_of else []
        if style and relation not in self.relations:  # the style names the row
            return style
        return [*style, self.own, *(self.relations[r] for r in (relation,) if r in self.relations)]

    def keyed(self, own: Sequence[str]) -> Blocks:
        """The same with a key for the draws of each column, made from what it is.

        Args:
            own: Names of the own columns.
        """
        return replace(
            self,
            relations={n: _keyed(e, [n] * e.width) for n, e in self.relations.items()},
            levels={n: _keyed(e, [f"level {n}"]) for n, e in self.levels.items()},
            own=_keyed(self.own, own),
            references={n: _keyed(e, [f"reference {n}"]) for n, e in self.references.items()},
        )

    def compact(self) -> Blocks:
        """The same in half the memory."""
        return Blocks(
            {name: e.compact() for name, e in self.relations.items()},
            {name: e.compact() for name, e in self.levels.items()},
            self.own.compact(),
            {name: e.compact() for name, e in self.references.items()},
            {name: e.compact() for name, e in self.styles.items()},
            self.style_of,
        )


def split(rows: Encoded, part: TablePart, styles: dict[str, Encoded]) -> Blocks:
    """The inverse of `Blocks.joined`, for rows that the part's row model has drawn.

    Args:
        rows: The rows.
        part: Their table's part.
        styles: Their styles.
    """
    at = 0

    def take(width: int) -> Encoded:
        nonlocal at
        at += width
        return rows.columns(at - width, at)

    return Blocks(
        {name: take(codec.width) for name, codec in part.relations.items()},
        {name: take(1) for name in part.levels},
        take(len(part.codec.modelled)),
        {name: take(1) for name in part.references},
        styles,
        part.style_of,
    )


def column_key(name: str, number: int = 0) -> int:
    """The key of a column's layout.

    Args:
        name: The column's name.
        number: Its position, where several have that name.
    """
    return crc32(f"{number} {name}".encode()) + 1


def _keyed(some: Encoded, names: Sequence[str]) -> Encoded:
    layouts = tuple(
        replace(layout, key=column_key(name, number if names.count(name) > 1 else 0))
        for number, (name, layout) in enumerate(zip(names, some.layouts, strict=False))
    )
    return replace(some, layouts=layouts)
