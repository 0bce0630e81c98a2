"""What is judged, and by what: the real tables in their two parts, and the synthetic ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.synth.metrics.sources import Ints
from prefect_synth.synth.people import unit_codes


@dataclass(frozen=True)
class Sides:
    """The tables of a judgement.

    Args:
        metadata: The schema.
        training: What the models saw of the real tables.
        synthetic: The synthetic tables.
        holdout: What they never saw, of the tables that belong to families; all other tables are
            shared by all families. Empty where nothing is held out.
        whole: Both parts of the real tables; `training` where nothing is held out.
        units: The tables whose rows are the root entities, such as people.
    """

    metadata: Metadata
    training: Mapping[str, Path]
    synthetic: Mapping[str, Path]
    holdout: Mapping[str, Path]
    whole: Mapping[str, Path]
    units: tuple[str, ...] = ()

    @classmethod
    def without_holdout(
        cls, metadata: Metadata, real: Mapping[str, Path], synthetic: Mapping[str, Path]
    ) -> Sides:
        """The tables of a judgement that no holdout stands beside."""
        return cls(metadata, real, synthetic, {}, real)

    @cached_property
    def unseen(self) -> Mapping[str, Path]:
        """A whole schema without what the models saw: the holdout, and the shared tables."""
        return {**self.training, **self.holdout}

    def families(self, side: Mapping[str, Path], table: str) -> Ints | None:
        """The root entity of each row of a table on one side; None where each stands alone."""
        return unit_codes(self.metadata, side, table, self.units)

    @property
    def shared(self) -> tuple[str, ...]:
        """Tables of which nothing is held out, though something is of others."""
        return tuple(name for name in self.training if self.holdout and name not in self.holdout)

    @property
    def whole_relations(self) -> tuple[Relationship, ...]:
        """Foreign keys whose parents are held out together with all their children."""
        return tuple(r for r in self.metadata.relationships if r.parent in self.holdout)
