"""Whose rows they are: the person that each row of a table hangs on, where people are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.metadata import Metadata


def units_of(
    metadata: Metadata,
    order: Sequence[str],
    rows: Mapping[str, int],
    links: Mapping[str, Ints],
    unit: str | None,
) -> dict[str, Ints]:
    """The unit of privacy that each row belongs to, for the unit's table and all that hang on it.

    What is rare is then counted in people rather than in rows: a category that one customer has
    in a hundred orders is that customer's alone.

    Args:
        metadata: The schema.
        order: Tables, parents first.
        rows: Rows by table.
        links: Parent row of each row, by relation, negative for none.
        unit: The table whose rows are people; None where it is not known.

    Raises:
        SynthesisError: There is no such table.
    """
    if unit is None:
        return {}
    if unit not in metadata.tables:
        raise SynthesisError(
            f"The unit of privacy is '{unit}', but there is no such table. Use one of: "
            f"{', '.join(metadata.tables)}."
        )
    found = {unit: np.arange(rows[unit])}
    for name in order:
        above = next((r for r in metadata.parents(name) if r.parent in found), None)
        if name in found or above is None or above.parent == name:
            continue
        link = links[above.name]
        people = found[above.parent]
        # a row that hangs on nobody counts for itself
        alone = -1 - np.arange(len(link))
        found[name] = (
            np.where(link < 0, alone, people[np.maximum(link, 0)]) if len(people) else alone
        )
    return found
