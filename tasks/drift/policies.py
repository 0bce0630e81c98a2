"""What becomes of each kind of change: the project file's `on_drift`."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from prefect_synth.tasks.settings import Settings

Policy = Literal["block", "quarantine", "evolve"]
Kind = Literal[
    "table_added",
    "table_dropped",
    "table_renamed",
    "column_added",
    "column_dropped",
    "column_renamed",
    "columns_reordered",
    "type_widened",
    "type_narrowed",
    "type_changed",
    "nullability_changed",
    "default_changed",
    "comment_changed",
    "primary_key_changed",
    "unique_key_changed",
    "foreign_key_changed",
    "enum_value_added",
    "enum_value_dropped",
    "category_added",
    "distribution_moved",
    "volume_jumped",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
DATA_KINDS: frozenset[Kind] = frozenset({"category_added", "distribution_moved", "volume_jumped"})
"""Kinds that the rows show, not the catalogue."""


class DriftPolicies(Settings):
    """What becomes of what moved in the warehouse, until somebody accepts it.

    `block` ends the refresh before anything is pulled, `quarantine` goes on without what is new,
    `evolve` follows the warehouse. docs/drift.md says what each means for each kind.
    """

    table_added: Policy = Field(default="quarantine", description="A table is new.")
    table_dropped: Policy = Field(default="evolve", description="A table is gone.")
    table_renamed: Policy = Field(
        default="quarantine", description="A table is gone and one with the same columns is new."
    )
    column_added: Policy = Field(default="quarantine", description="A column is new.")
    column_dropped: Policy = Field(default="evolve", description="A column is gone.")
    column_renamed: Policy = Field(
        default="quarantine", description="A column is gone and one that looks like it is new."
    )
    columns_reordered: Policy = Field(
        default="evolve", description="The columns stand in another order."
    )
    type_widened: Policy = Field(
        default="evolve", description="A type takes more than before, as integer to bigint."
    )
    type_narrowed: Policy = Field(
        default="evolve", description="A type takes less than before, as bigint to integer."
    )
    type_changed: Policy = Field(
        default="quarantine", description="A type is another one, as integer to text."
    )
    nullability_changed: Policy = Field(
        default="evolve", description="A column may hold nulls now, or may not any more."
    )
    default_changed: Policy = Field(
        default="evolve", description="A column has another default, or counts up by itself."
    )
    comment_changed: Policy = Field(default="evolve", description="A comment is another one.")
    primary_key_changed: Policy = Field(
        default="evolve", description="A primary key is new, gone or another one."
    )
    unique_key_changed: Policy = Field(default="evolve", description="A unique key is new or gone.")
    foreign_key_changed: Policy = Field(
        default="evolve", description="A foreign key is new or gone."
    )
    enum_value_added: Policy = Field(default="evolve", description="An enum has a new label.")
    enum_value_dropped: Policy = Field(default="evolve", description="A label of an enum is gone.")
    category_added: Policy = Field(
        default="evolve", description="The rows hold a value that they did not hold."
    )
    distribution_moved: Policy = Field(
        default="evolve", description="The values of a column are distributed otherwise."
    )
    volume_jumped: Policy = Field(
        default="evolve", description="A table has far more or far fewer rows."
    )

    def of(self, kind: Kind) -> Policy:
        """The policy of a kind of change."""
        policy: Policy = getattr(self, kind)
        return policy
