"""Keys of pinned rows: unique, also beside synthetic rows, and referring to something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.generation.keys import NumberKeys
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.synth.metrics.keys import key_codes, read_references
from prefect_synth.synth.metrics.sources import Source, read_columns
from prefect_synth.synth.metrics.values import NULL
from prefect_synth.synth.pins.reading import Pins


def check_own_keys(pins: Pins) -> None:
    """Check that no key comes twice in a file.

    Raises:
        ContractError: One does.
    """
    for key in _keys(pins):
        (codes,), _ = key_codes([pins.rows], [key])
        present = np.flatnonzero(codes != NULL)
        _, first, back = np.unique(codes[present], return_index=True, return_inverse=True)
        again = np.flatnonzero(first[back] != np.arange(len(present)))
        if len(again):
            row, other = present[again[0]], present[first[back[again[0]]]]
            raise pins.wrong(
                f"the {_what(pins, key)} is the same as in {pins.place(int(other))}; it must be "
                "unique.",
                int(row),
            )


def check_keys_beside(pins: Pins, synthetic: Source, part: TablePart) -> None:
    """Check that no pinned row has the key of a synthetic one.

    Args:
        pins: The pinned rows.
        synthetic: The synthetic rows of the table.
        part: The table's fitted part, which knows where minted keys begin.

    Raises:
        ContractError: One has.
    """
    for key in _keys(pins):
        other = read_columns(synthetic, key)
        (codes, taken), _ = key_codes([pins.rows, other], [key, key])
        clash = np.flatnonzero((codes != NULL) & np.isin(codes, taken[taken != NULL]))
        if len(clash):
            raise pins.wrong(
                f"the {_what(pins, key)} is that of a synthetic row. {_free(part, key)}",
                int(clash[0]),
            )


def check_references(
    metadata: Metadata,
    pins: Mapping[str, Pins],
    kept: Mapping[str, Source],
    stable: Mapping[str, Source],
) -> None:
    """Check that each pinned row refers to a pinned row, to a kept one, or to a stable key.

    Args:
        metadata: The schema.
        pins: The pinned rows, by table.
        kept: Tables that are published as they are.
        stable: Synthetic tables whose keys stay from run to run; none where keys are fresh.

    Raises:
        ContractError: One refers to nothing, or lacks the columns of a key that is NOT NULL.
    """
    for name, one in pins.items():
        for relation in metadata.parents(name):
            _check_relation(metadata, one, relation, pins, {**stable, **kept})


def _check_relation(
    metadata: Metadata,
    one: Pins,
    relation: Relationship,
    pins: Mapping[str, Pins],
    others: Mapping[str, Source],
) -> None:
    columns, given = relation.child_columns, one.rows.column_names
    missing = [c for c in columns if c not in given]
    if missing:
        nullable = any(one.table.columns[c].nullable for c in missing)
        if nullable or relation.when is not None:
            return
        raise one.wrong(
            f"it needs the column '{missing[0]}', which refers to '{relation.parent}' and is "
            "declared NOT NULL."
        )
    if relation.when is not None and relation.when[0] not in given:
        raise one.wrong(
            f"it needs the column '{relation.when[0]}', which says what is referred to."
        )
    referring = read_references(one.rows, relation)
    found = np.zeros(one.rows.num_rows, bool)
    sources = [
        s for s in (others.get(relation.parent), _rows(pins, relation.parent)) if s is not None
    ]
    codes = np.full(one.rows.num_rows, NULL)
    for source in sources:
        parents = read_columns(source, relation.parent_columns)
        (codes, known), _ = key_codes([referring, parents], [columns, relation.parent_columns])
        found |= np.isin(codes, known[known != NULL])
    present = _present(referring, columns)
    lost = np.flatnonzero(present & ~found)
    if len(lost):
        where = f"the pinned rows of '{relation.parent}'"
        where += " or its published rows" if relation.parent in others else ""
        raise one.wrong(
            f"'{', '.join(columns)}' refers to a row that is not among {where}. Pin it too, or set "
            "defaults.keys to stable and refer to a key of a snapshot.",
            int(lost[0]),
        )


def _rows(pins: Mapping[str, Pins], table: str) -> pa.Table | None:
    return pins[table].rows if table in pins else None


def _present(rows: pa.Table, columns: Sequence[str]) -> np.ndarray:
    present = np.ones(rows.num_rows, bool)
    for column in columns:
        present &= np.asarray(pc.is_valid(rows[column]).to_numpy())
    return present


def _keys(pins: Pins) -> list[tuple[str, ...]]:
    """The keys that the file has whole."""
    given = set(pins.rows.column_names)
    keys = [pins.table.primary_key, *pins.table.unique]
    return [key for key in keys if key and given.issuperset(key)]


def _what(pins: Pins, key: tuple[str, ...]) -> str:
    kind = "primary key" if key == pins.table.primary_key else "unique key"
    return f"{kind} ({', '.join(key)})"


def _free(part: TablePart, key: tuple[str, ...]) -> str:
    """Which keys no synthetic row has."""
    generator = part.keys.get(key[0])
    whole = isinstance(generator, NumberKeys) and pa.types.is_integer(generator.kind.field(0).type)
    if isinstance(generator, NumberKeys) and whole and len(key) == 1:
        return f"Synthetic keys begin at {generator.start:,}: take one below."
    return "Take another one."
