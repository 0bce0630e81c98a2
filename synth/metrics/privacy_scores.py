"""All privacy figures of one table, on a bounded sample, each with its sampling error.

The synthetic rows are attacked as an outsider would, and what the attacks tell about training
rows is compared with what they tell about holdout rows, which no synthesizer saw: an honest
synthesizer tells as much about the one as about the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from prefect_synth.synth.metadata import Column
from prefect_synth.synth.metrics.attribute_inference import AttributeInference, attribute_inference
from prefect_synth.synth.metrics.bins import Bins, associations
from prefect_synth.synth.metrics.clusters import fewest_units
from prefect_synth.synth.metrics.distances import (
    Nearness,
    Quantiles,
    closest,
    distance_ratios,
    nearer_to_training,
    worst_subset,
)
from prefect_synth.synth.metrics.gower import GowerRows, GowerSpace, comparable_columns
from prefect_synth.synth.metrics.inference_risk import inference_risks
from prefect_synth.synth.metrics.linkability import linkability, split_columns
from prefect_synth.synth.metrics.membership import Membership, membership
from prefect_synth.synth.metrics.privacy_sample import (
    Sampled,
    equal_sides,
    sample_sides,
    split_reference,
)
from prefect_synth.synth.metrics.risk import Risk, worst_risk
from prefect_synth.synth.metrics.singling_out import singling_out
from prefect_synth.synth.metrics.sources import Ints, Source, count_rows, read_schema
from prefect_synth.synth.randomness import stream

FEWEST_ROWS = 100
"""Training and synthetic rows of which something can be told."""

FEWEST_HOLDOUT_ROWS = 50
"""Holdout rows of which something can be told."""

FEWEST_HOLDOUT_UNITS = 8
"""Families among them; fewer say too little of how much families differ."""

_ATTACKS = 1_000
_SUBSETS = 3  # random ones, and as many correlated ones
_REFERENCE = 200  # rows of the population, where membership is measured against them


@dataclass(frozen=True)
class Units:
    """The unit (family, person) of each row, where rows are not independent of each other.

    Args:
        training: Of each training row; None where each row is a unit of its own.
        synthetic: Likewise of each synthetic row.
        holdout: Likewise of each holdout row. The numbers are compared within a side only.
    """

    training: Ints | None = None
    synthetic: Ints | None = None
    holdout: Ints | None = None


@dataclass(frozen=True)
class TablePrivacy:
    """The privacy figures of a table; those that cannot be told are None.

    Args:
        columns: How many columns were compared.
        asked: How many synthetic rows were asked for their nearest record.
        reference: Among how many rows of a side it was searched.
        distance: Quantiles of the distance to the closest record, by `synthetic to training`,
            `synthetic to holdout` and `holdout to training`.
        distance_ratio: Quantiles of the nearest over the second nearest, in the training rows,
            of `synthetic` and `holdout` rows.
        nearer_to_training: The share of synthetic rows nearer to training; 0.5 is best.
        worst_subset: Likewise by a subset of columns, the worst of six.
        membership: How well members are told from others.
        attribute_inference: What equal rows tell about a column, the worst.
        singling_out: The singling-out risk.
        linkability: The linkability risk.
        inference: The inference risk of the worst column.
        why_not: Why figures are None, as a sentence; empty where none is.
    """

    columns: int
    asked: int = 0
    reference: int = 0
    distance: Mapping[str, Quantiles] = field(default_factory=dict)
    distance_ratio: Mapping[str, Quantiles] = field(default_factory=dict)
    nearer_to_training: Nearness | None = None
    worst_subset: Nearness | None = None
    membership: Membership | None = None
    attribute_inference: AttributeInference | None = None
    singling_out: Risk | None = None
    linkability: Risk | None = None
    inference: Risk | None = None
    why_not: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain JSON values; they hold no value of a row."""
        figures = asdict(self)
        for name in ("nearer_to_training", "worst_subset"):
            if figures[name] is not None:
                figures[name]["columns"] = list(figures[name]["columns"])
        return figures


def assess_table(
    training: Source,
    synthetic: Source,
    holdout: Source | None,
    columns: Sequence[Column],
    *,
    rows: int = 2_000,
    reference_rows: int = 20_000,
    seed: int = 0,
    units: Units | None = None,
) -> TablePrivacy:
    """Attack a synthetic table.

    Args:
        training: The rows that the synthesizer was trained on.
        synthetic: The synthetic rows.
        holdout: Rows of the same population that it never saw; None where there are none.
        columns: The learned columns; text and nested ones are left out.
        rows: At most so many rows are asked for their nearest record.
        reference_rows: At most so many rows of each side are read.
        seed: Seed of all draws.
        units: The units of the rows, where they come in families. Without them rows count as
            independent, and families make the errors too small.

    Returns:
        The figures.
    """
    units = units or Units()
    sources = [training, synthetic] + ([] if holdout is None else [holdout])
    compared = comparable_columns(columns, *map(read_schema, sources))
    counts = [count_rows(source) for source in sources]
    if reason := _why_nothing(len(compared), counts):
        return TablePrivacy(len(compared), why_not=reason)
    families = fewest_units(units.holdout) or FEWEST_HOLDOUT_UNITS
    told = holdout is not None and (
        counts[2] >= FEWEST_HOLDOUT_ROWS and families >= FEWEST_HOLDOUT_UNITS
    )
    sources, groups = sources[: 2 + told], [units.training, units.synthetic, units.holdout]
    space, sides = sample_sides(sources, groups[: 2 + told], compared, reference_rows, seed)
    if not told:
        return _distance_alone(sides[0], sides[1], rows, seed, holdout is not None)
    left, made, right = sides
    found = _with_distances(left, made, right, rows, seed)
    return _with_attacks(found, space, (left, made, right), rows, seed)


def _why_nothing(columns: int, counts: Sequence[int]) -> str:
    if columns < 2:
        return f"There is nothing to copy in {columns} comparable column(s); it takes 2."
    if min(counts[:2]) < FEWEST_ROWS:
        return (
            f"{counts[0]} training and {counts[1]} synthetic rows are too few to tell anything; "
            f"it takes {FEWEST_ROWS} of each."
        )
    return ""


def _distance_alone(
    training: Sampled, synthetic: Sampled, rows: int, seed: int, small: bool
) -> TablePrivacy:
    asked = synthetic.at_most(rows, stream(seed, "asked")).rows
    return TablePrivacy(
        len(asked.names),
        len(asked),
        len(training),
        {"synthetic to training": closest(asked, training.rows)},
        {"synthetic": distance_ratios(asked, training.rows)},
        why_not=f"{'Too few holdout rows' if small else 'No holdout'} to compare the distances and "
        f"attacks with; it takes {FEWEST_HOLDOUT_ROWS} rows of {FEWEST_HOLDOUT_UNITS} families.",
    )


def _with_distances(
    training: Sampled, synthetic: Sampled, holdout: Sampled, rows: int, seed: int
) -> TablePrivacy:
    both = equal_sides(training, holdout, len(holdout), seed)
    asked = synthetic.at_most(rows, stream(seed, "asked"))
    strangers = Sampled(both.holdout).at_most(rows, stream(seed, "strangers")).rows
    subsets = _subsets(training.rows, seed)
    return TablePrivacy(
        len(asked.rows.names),
        len(asked),
        len(both.training),
        {
            "synthetic to training": closest(asked.rows, both.training),
            "synthetic to holdout": closest(asked.rows, both.holdout),
            "holdout to training": closest(strangers, both.training),
        },
        {
            "synthetic": distance_ratios(asked.rows, both.training),
            "holdout": distance_ratios(strangers, both.training),
        },
        nearer_to_training(asked.rows, both, asked.units),
        worst_subset(asked.rows, both, subsets, asked.units),
    )


def _with_attacks(
    found: TablePrivacy,
    space: GowerSpace,
    sides: tuple[Sampled, Sampled, Sampled],
    rows: int,
    seed: int,
) -> TablePrivacy:
    training, synthetic, holdout = sides
    rest, reference = split_reference(holdout, _REFERENCE, seed)
    population = None if reference is None else reference.rows
    members = equal_sides(training, rest, rows, seed)
    both = equal_sides(training, holdout, len(holdout), seed)
    targets = equal_sides(training, holdout, min(rows, _ATTACKS), seed)
    attacked = targets.training, targets.holdout, synthetic.rows
    attacker = synthetic.at_most(len(both.holdout), stream(seed, "attacker")).rows
    return replace(
        found,
        membership=membership(members, synthetic.rows, population, seed=seed),
        attribute_inference=_attribute_inference(space, sides, seed),
        singling_out=singling_out(both, attacker, attacks=_ATTACKS, seed=seed),
        linkability=linkability(*attacked, split_columns(space.names, seed), units=targets.units),
        inference=worst_risk(inference_risks(*attacked, space, units=targets.units)),
    )


def _attribute_inference(
    space: GowerSpace, sides: tuple[Sampled, Sampled, Sampled], seed: int
) -> AttributeInference | None:
    bins = Bins.fit(sides[0].rows)
    seen, made, unseen = (bins.cut(side.rows) for side in sides)
    units = sides[0].units, sides[2].units
    return attribute_inference(seen, unseen, made, space.names, units=units, seed=seed)


def _subsets(training: GowerRows, seed: int) -> dict[str, list[str]]:
    """Random halves of the columns, and columns with those that go with them most."""
    names = training.names
    size = len(names) // 2
    if size < 2:
        return {}
    together = associations(Bins.fit(training).cut(training))
    rng = stream(seed, "subsets")
    subsets = {
        f"random {i}": sorted(rng.choice(len(names), size, replace=False).tolist())
        for i in range(_SUBSETS)
    } | {
        f"correlated {i}": sorted(np.argsort(-together[i], kind="stable")[:size].tolist())
        for i in rng.choice(len(names), _SUBSETS, replace=False).tolist()
    }
    return {name: [names[i] for i in chosen] for name, chosen in subsets.items()}
