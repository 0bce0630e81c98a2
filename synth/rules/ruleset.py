"""The rules of a whole schema, and the way of its tables through them and back.

`forward` takes what rules determine out of a table before its encoders are fitted; `backward`
restores it after rows are decoded, in any block of rows alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.metadata import Column, Metadata
from prefect_synth.synth.rules.increasing import Increasing
from prefect_synth.synth.rules.outside import Outside
from prefect_synth.synth.rules.rule import Derivation, Rows, Rule
from prefect_synth.synth.rules.units import plain
from prefect_synth.synth.storage import stored


@stored
@dataclass(frozen=True)
class TableRules:
    """The rules in force in one table, each after those that restore its inputs.

    Args:
        rules: In the order of `backward`.
        kinds: Type of each target, as it was.
        outside: What they read of other tables.
    """

    rules: tuple[Rule, ...] = ()
    kinds: pa.Schema = field(default_factory=lambda: pa.schema([]))
    outside: tuple[Outside, ...] = ()

    def texts(self) -> list[str]:
        """The rules as the project file has them."""
        return [rule.text() for rule in self.rules]

    @property
    def increasing(self) -> Increasing | None:
        """The rule that says in which order the rows of a parent stand."""
        return next((rule for rule in self.rules if isinstance(rule, Increasing)), None)

    def computing(self, column: str) -> Rule | None:
        """The rule that computes a column, or that it is modelled by in another form."""
        return next(
            (
                rule
                for rule in self.rules
                if rule.target == column
                and (isinstance(rule, Derivation) or getattr(rule, "determines", False))
            ),
            None,
        )

    def forward(
        self,
        table: pa.Table,
        codes: Mapping[str, Ints],
        seen: Mapping[str, pa.Array] | None = None,
    ) -> pa.Table:
        """The table without what the rules determine; what they leave open stays or is added.

        Args:
            table: All rows.
            codes: What stands for the parent of each row, by relation.
            seen: What the rows see of other tables, by the names of `outside`.
        """
        rows = _rows(table, codes)
        rows.columns |= seen or {}
        for rule in self.rules:
            left = rule.forward(rows)
            table = _replaced(table, rule.target, left)
        return table

    def backward(
        self,
        columns: Mapping[str, pa.Array],
        codes: Mapping[str, Ints],
        rng: np.random.Generator,
        length: int | None = None,
        given: Mapping[str, pa.Array] | None = None,
    ) -> dict[str, pa.Array]:
        """Columns as they were before `forward`: each rule holds on each row.

        Args:
            columns: Decoded columns of any rows, by name.
            codes: What stands for the parent of each row, by relation.
            rng: For the few values that no input decides.
            length: Number of rows, where there may be neither columns nor codes to tell.
            given: Columns that stand as they are; what is computed from them follows them.
        """
        given = given or {}
        if not self.rules:
            return {**columns, **given}
        if length is None:
            length = len(next(iter(columns.values()), ())) or len(next(iter(codes.values()), ()))
        whole = {**columns, **given}
        rows = Rows({name: plain(v) for name, v in whole.items()}, codes, length)
        for rule in self.rules:
            if rule.target in given:
                continue
            values = rule.backward(rows, rng)
            rows.columns[rule.target] = values
            kind = self.kinds.field(rule.target).type
            whole[rule.target] = values if values.type == kind else _as_kind(values, kind)
        return {name: v for name, v in whole.items() if "\x1f" not in name}


@stored
@dataclass(frozen=True)
class RuleSet:
    """The rules in force, by table."""

    tables: dict[str, TableRules] = field(default_factory=dict)

    def of(self, name: str) -> TableRules:
        """The rules of table `name`; none where it has none."""
        return self.tables.get(name, TableRules())

    def forward(
        self, name: str, table: pa.Table, codes: Mapping[str, Ints] | None = None
    ) -> pa.Table:
        """Table `name` without what its rules determine: what encoders are to see.

        Args:
            name: The table.
            table: All its rows.
            codes: By relation, the code of each row's parent (row of a kept table, or style), -1
                for none. Only the relations that were given to `infer_rules` are asked for.
        """
        return self.of(name).forward(table, codes or {})

    def backward(
        self,
        name: str,
        columns: Mapping[str, pa.Array],
        codes: Mapping[str, Ints] | None,
        rng: np.random.Generator,
    ) -> dict[str, pa.Array]:
        """Columns of a block of rows of table `name`, with all that its rules determine.

        Args:
            name: The table.
            columns: Decoded columns of the block (`TableCodec.decode`).
            codes: As for `forward`, in the same code space.
            rng: Of the block.
        """
        return self.of(name).backward(columns, codes or {}, rng)

    def metadata(self, metadata: Metadata, tables: Mapping[str, pa.Table]) -> Metadata:
        """The metadata of what `forward` returned as `tables`."""
        for name, table in tables.items():
            if self.of(name).rules:
                known = metadata.tables[name]
                columns = {f.name: _column(f, known.columns.get(f.name)) for f in table.schema}
                if (increasing := self.of(name).increasing) is not None:
                    steps, whole = increasing.target, known.columns[increasing.target]
                    columns[steps] = Column(steps, "numerical", nullable=whole.nullable)
                metadata = metadata.with_table(replace(known, columns=columns))
        return metadata


def _rows(table: pa.Table, codes: Mapping[str, Ints]) -> Rows:
    return Rows({c: plain(table[c]) for c in table.column_names}, codes, len(table))


def _replaced(table: pa.Table, target: str, left: Mapping[str, pa.Array]) -> pa.Table:
    at = table.column_names.index(target)
    table = table.remove_column(at)
    for name, values in left.items():
        table = table.add_column(at, pa.field(name, values.type), values)
    return table


def _column(field: pa.Field, known: Column | None) -> Column:
    """What stands for a target: a number, a moment, a category, or whether it is null."""
    if pa.types.is_boolean(field.type):
        return known or Column(field.name, "boolean", nullable=False)
    if known is None:
        return Column(field.name, "numerical")
    return known


def _as_kind(values: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        coded = values.cast(kind.value_type).dictionary_encode()
        indices = coded.indices.cast(kind.index_type)
        return pa.DictionaryArray.from_arrays(indices, coded.dictionary, ordered=kind.ordered)
    if pa.types.is_run_end_encoded(kind):
        return pc.run_end_encode(values.cast(kind.value_type), kind.run_end_type)
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, values.cast(kind.storage_type))
    return values.cast(kind)
