"""The bottom-up pass under differential privacy: columns and counts by noised histograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.codec import TableCodec
from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints, Layout
from prefect_synth.synth.encoding.quantile import QuantileMarginal
from prefect_synth.synth.encoding.sources import whole
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.generation.keys import KeyGenerator, fit_keys
from prefect_synth.synth.generation.made_up import declared_length
from prefect_synth.synth.hierarchy.encoders import NumbersCodec
from prefect_synth.synth.hierarchy.extended import Extended
from prefect_synth.synth.hierarchy.linking import Around
from prefect_synth.synth.hierarchy.part import Blocks, RelationCodec
from prefect_synth.synth.hierarchy.settings import HierarchySettings
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.privacy.columns import Known, fit_column
from prefect_synth.synth.privacy.counting import Counting, shares
from prefect_synth.synth.privacy.noise import Noise
from prefect_synth.synth.privacy.numbers import Costs
from prefect_synth.synth.privacy.planning import TableCosts, table_costs

_ROWS = 0.02


def extend_privately(
    metadata: Metadata,
    name: str,
    data: pa.Table,
    around: Around,
    settings: HierarchySettings,
) -> Extended:
    """Encode one table, and extend it by the numbers of its children.

    Everything in the result but the rows themselves, which stay in private staging, is noised and
    paid for, or follows from the schema and the settings.

    Args:
        metadata: The schema.
        name: The table.
        data: Its rows.
        around: What there is to know of the other tables.
        settings: How the hierarchy is fitted, with `privacy`.

    Raises:
        SynthesisError: A type cannot be learned, or a key not be made.
        RequestError: The schema cannot be had with differential privacy.
    """
    return _Extending(metadata, name, data, around, settings).extended()


class _Extending:
    """One table, with its budget."""

    def __init__(
        self,
        metadata: Metadata,
        name: str,
        data: pa.Table,
        around: Around,
        settings: HierarchySettings,
    ) -> None:
        privacy = settings.privacy
        assert privacy is not None  # noqa: S101 - by the caller
        assert around.units is not None  # noqa: S101
        self.metadata, self.name, self.data, self.around = metadata, name, data, around
        self.settings, self.plan = settings, around.plan.tables[name]
        self.costs: Mapping[str, TableCosts] = table_costs(metadata, settings)
        own = self.costs[name]
        self.counting = Counting(
            around.units, own.rows, Noise(own.marginals, privacy.noise_seed, name, "columns")
        )
        self.known = [self._known(column) for column in self._own_columns()]
        self.children = [r for r in metadata.children(name) if self._is_child_of(r.child, r.name)]
        charged = sum(k.is_charged for k in self.known)
        charged += len(self.children) + len(self.plan.as_category)
        rho = own.marginals.rho * (1 - _ROWS) / max(charged, 1)
        self.each = Costs(rho, own.marginals.delta / max(charged, 1))

    def extended(self) -> Extended:
        """The table after the pass."""
        counted = self.counting.rows(_ROWS * self.costs[self.name].marginals.rho)
        encoders = {
            k.column.name: fit_column(
                k, whole(self.data.column(k.column.name)), self.counting, self.each, self.name
            )
            for k in self.known
        }
        codec = TableCodec(encoders, columns=tuple(encoders))
        # what is drawn for values that are not kept must not follow from rows and a known seed
        own = codec.encode(self.data, self.counting.noise.rng)
        counts = {r.name: self._children_of_rows(r.child, r.name) for r in self.children}
        codecs = {r.name: self._count_codec(r.child, counts[r.name]) for r in self.children}
        relations = {r: codecs[r].counts.encode(counts[r].astype(float)[:, None]) for r in codecs}
        references = {r: self._reference(r) for r in self.plan.as_category}
        blocks = Blocks(
            relations,
            {},
            own,
            {r: _encoded(self.around.links[r], layout) for r, layout in references.items()},
            {},
            {},
        ).keyed(codec.modelled)
        return Extended(
            len(self.data), self.data.schema, codec, blocks.compact(), self._links(), counts,
            codecs, {}, {}, references, self._keys(), {}, self._repaired(), self._one_to_one(),
            None, units=self.around.units, counted=counted,
        )  # fmt: skip

    def _known(self, column: str) -> Known:
        meaning = self.metadata.tables[self.name].columns[column]
        privacy, place = self.settings.privacy, f"{self.name}.{column}"
        assert privacy is not None  # noqa: S101 - asked for by the caller
        kind = self.data.schema.field(column).type
        truth = ("true", "false") if pa.types.is_boolean(kind) else meaning.categories
        return Known(
            meaning,
            kind,
            (column,) in self._keys_of_one(),
            privacy.bounds.get(place),
            privacy.categories.get(place, truth),
            self.settings.encoding.locale,
        )

    def _own_columns(self) -> list[str]:
        made = {*self._minted(), *self.metadata.foreign_key_columns(self.name)}
        return [c for c in self.metadata.tables[self.name].columns if c not in made]

    def _keys_of_one(self) -> tuple[tuple[str, ...], ...]:
        table = self.metadata.tables[self.name]
        return tuple(k for k in (table.primary_key, *table.unique) if len(k) == 1)

    def _minted(self) -> Sequence[str]:
        """The primary key, where it is one column and no foreign key."""
        key = self.metadata.tables[self.name].primary_key
        return key if len(key) == 1 and not self._is_foreign(key[0]) else ()

    def _is_foreign(self, column: str) -> bool:
        return column in self.metadata.foreign_key_columns(self.name)

    def _keys(self) -> dict[str, KeyGenerator]:
        """Makers of keys that are told of their types alone."""
        return {column: self._maker(column) for column in self._minted()}

    def _maker(self, column: str) -> KeyGenerator:
        source = self.metadata.tables[self.name].columns[column].source_type
        kind = self.data.schema.field(column).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        narrow = {
            f"{r.child}.{c}": self.around.narrow[r.child, c]
            for r in self.metadata.children(self.name)
            for c, p in zip(r.child_columns, r.parent_columns, strict=True)
            if p == column and (r.child, c) in self.around.narrow
        }
        child = min(narrow, key=lambda place: narrow[place], default="")
        try:
            return fit_keys(
                pa.array([], kind),
                declared_length(source),
                most=narrow.get(child),
                limit=f"'{child}', which refers to it,",
            )
        except TypeError as error:
            raise SynthesisError(
                f"Column '{self.name}.{column}' is a primary key, but {error}. "
                "Use a number, date, text or uuid as key, or exclude the table."
            ) from error

    def _repaired(self) -> tuple[tuple[str, ...], ...]:
        table, minted = self.metadata.tables[self.name], set(self._minted())
        keys = (table.primary_key, *table.unique)
        return tuple(dict.fromkeys(k for k in keys if len(k) > 1 and not minted & set(k)))

    def _one_to_one(self) -> tuple[str, ...]:
        table = self.metadata.tables[self.name]
        keys = [set(k) for k in (table.primary_key, *table.unique) if k]
        return tuple(
            r.name
            for r in self.metadata.parents(self.name)
            if any(key <= set(r.child_columns) for key in keys)
        )

    def _links(self) -> dict[str, Ints]:
        return {r.name: self.around.links[r.name] for r in self.metadata.parents(self.name)}

    def _is_child_of(self, child: str, relation: str) -> bool:
        return self.around.plan.tables[child].primary == relation

    def _children_of_rows(self, child: str, relation: str) -> Ints:
        """Children of each row, at most as many as are learned from, [n]."""
        link = self.around.links[relation]
        counts = np.bincount(link[link >= 0], minlength=len(self.data))
        return np.minimum(counts, self.costs[child].rows)

    def _count_codec(self, child: str, counts: Ints) -> RelationCodec:
        """The noised histogram of numbers of children, each number from 0 to the most by itself."""
        ticks = np.arange(self.costs[child].rows + 1, dtype=float)
        weights = shares(self.counting.histogram(counts, len(ticks), self.each.rho))
        marginal = QuantileMarginal(ticks, ticks, weights, True)
        return RelationCodec(NumbersCodec((marginal,), (0.0,)), NumbersCodec((), ()))

    def _reference(self, relation: str) -> Layout:
        """How often each row of a public table is referred to; null first where it may be."""
        link = self.around.links[relation]
        parent = next(r.parent for r in self.metadata.relationships if r.name == relation)
        size = self.around.rows[parent]
        counts = self.counting.histogram(np.where(link < 0, size, link), size + 1, self.each.rho)
        nullable = self._may_be_null(relation)
        weights: Floats = (
            np.concatenate([counts[size:], counts[:size]]) if nullable else counts[:size]
        )
        return Layout(
            shares(weights), np.zeros(len(weights), bool), nominal=True, has_null=nullable
        )

    def _may_be_null(self, relation: str) -> bool:
        columns = self.metadata.tables[self.name].columns
        link = next(r for r in self.metadata.relationships if r.name == relation)
        return any(columns[c].nullable for c in link.child_columns)


def _encoded(link: Ints, layout: Layout) -> Encoded:
    pieces = np.maximum(link + int(layout.has_null), 0)
    return Encoded(pieces[:, None], np.full((len(link), 1), 0.5), (layout,))
