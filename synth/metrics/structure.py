"""What must hold exactly: schemas, keys and references."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from prefect_synth.synth.metrics.keys import NO_PARENT, key_codes, parent_rows
from prefect_synth.synth.metrics.values import NULL


def schema_differences(real_schema: pa.Schema, synthetic_schema: pa.Schema) -> list[str]:
    """Say in which fields two Arrow schemas differ.

    Names, order, exact types (decimal precision, time zone, integer width, dictionary) and
    nullability are compared; comments and other metadata are not.

    Returns:
        One sentence for each difference, none where the schemas are equal.
    """
    real, synthetic = list(real_schema.names), list(synthetic_schema.names)
    differences = [f"Column '{c}' is missing." for c in real if c not in synthetic]
    differences += [f"Column '{c}' is new." for c in synthetic if c not in real]
    for column in (c for c in real if c in synthetic):
        differences += _field_differences(real_schema.field(column), synthetic_schema.field(column))
    if not differences and real != synthetic:
        differences.append(
            f"The columns are in another order: {', '.join(synthetic)} for {', '.join(real)}."
        )
    return differences


def _field_differences(real: pa.Field, synthetic: pa.Field) -> list[str]:
    differences = []
    if synthetic.type != real.type:
        differences.append(f"Column '{real.name}' is {synthetic.type}, not {real.type}.")
    if synthetic.nullable != real.nullable:
        words = {True: "nullable", False: "not nullable"}
        differences.append(
            f"Column '{real.name}' is {words[synthetic.nullable]}, not {words[real.nullable]}."
        )
    return differences


def key_duplicates(table: pa.Table, columns: Sequence[str]) -> int:
    """Count the rows whose key an earlier row has already.

    As in SQL, keys with a null are never equal to each other.
    """
    (keys,), _ = key_codes([table], [columns])
    keys = keys[keys != NULL]
    return int(len(keys) - len(np.unique(keys)))


def orphan_rows(
    child: pa.Table,
    child_columns: Sequence[str],
    parent: pa.Table,
    parent_columns: Sequence[str],
) -> npt.NDArray[np.bool_]:
    """Which child rows refer to a parent that does not exist, [n].

    A key with a null refers to nothing and is no orphan (SQL's MATCH SIMPLE).
    """
    parents, referring = parent_rows(child, child_columns, parent, parent_columns)
    return (parents == NO_PARENT) & referring


def orphans(
    child: pa.Table,
    child_columns: Sequence[str],
    parent: pa.Table,
    parent_columns: Sequence[str],
) -> int:
    """Count the child rows that refer to a parent which does not exist, as `orphan_rows` finds."""
    return int(np.count_nonzero(orphan_rows(child, child_columns, parent, parent_columns)))
