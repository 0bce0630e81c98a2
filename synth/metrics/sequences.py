"""How alike the sequences of a table are: their memory, their pace and their length.

Only tables with a declared sequence index are compared; a sequence is what the sequence key names,
else the children of one parent row, else the whole table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from prefect_synth.synth.metadata import Metadata, Table
from prefect_synth.synth.metrics.compared import is_scored
from prefect_synth.synth.metrics.keys import key_codes, read_references
from prefect_synth.synth.metrics.shapes import ks_complement
from prefect_synth.synth.metrics.side import check_sources
from prefect_synth.synth.metrics.sources import Floats, Ints, Source, count_rows, take_rows
from prefect_synth.synth.metrics.values import NULL, numbers
from prefect_synth.synth.randomness import stream

LAGS = 5
"""Autocorrelations are compared at lags from 1 to this."""


@dataclass(frozen=True)
class SequenceScore:
    """How alike real and synthetic sequences are; 1 is best.

    Args:
        score: The mean over all figures of all tables; None where there is none.
        per_table: By table: `autocorrelation`, `gaps` and `length`, where each can be told.
    """

    score: float | None
    per_table: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The score as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Sequences:
    """The rows of a table in order of sequence and index.

    Args:
        rows: Their positions in the table, sequence after sequence.
        key: The sequence of each, from 0 on.
        index: The index of each, as a number.
    """

    rows: Ints
    key: Ints
    index: Floats

    def follows(self, lag: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Whether the row `lag` places further belongs to the same sequence."""
        return self.key[lag:] == self.key[:-lag]


def sequence_scores(
    real: Mapping[str, Source],
    synthetic: Mapping[str, Source],
    metadata: Metadata,
    rows: int | None = None,
    seed: int = 0,
) -> SequenceScore:
    """Score the sequences of the tables that declare a sequence index.

    `autocorrelation`: the mean over numeric columns and lags 1 to 5 of 1 - |difference| / 2, where
    each side's autocorrelation is the mean over its sequences (Box and Jenkins' estimator, around
    each sequence's own mean). `gaps`: the KSComplement of the steps between successive index
    values. `length`: that of the rows per sequence, as SDMetrics' SequenceLengthSimilarity.

    Args:
        real: The real tables, by name.
        synthetic: The synthetic tables, likewise.
        metadata: What the columns mean, the sequence keys and indexes.
        rows: Whole sequences are drawn up to so many rows of a table; None for all.
        seed: Seed of that draw.

    Returns:
        The score, with its parts.

    Raises:
        MetricsError: A table or a column is missing.
    """
    tables = [t for t in metadata.tables.values() if t.sequence_index is not None]
    scores = {}
    for table in tables:
        for side, sources in (("real", real), ("synthetic", synthetic)):
            check_sources(side, sources, metadata.subset([table.name]))
        keys = _keys(table, real, metadata), _keys(table, synthetic, metadata)
        found = [
            _scores(table, real[table.name], synthetic[table.name], sides, rows, seed)
            for sides in zip(*keys, strict=True)
        ]
        scores[table.name] = _averages(found)
    figures = [figure for score in scores.values() for figure in score.values()]
    return SequenceScore(float(np.mean(figures)) if figures else None, scores)


def autocorrelation(values: Floats, sequences: Sequences, lag: int) -> float:
    """The mean over sequences of the autocorrelation at a lag.

    Args:
        values: A value for each row in the order of `sequences`; NaN counts as the mean.
        sequences: Which rows follow each other.
        lag: How many places apart.

    Returns:
        From -1 to 1; NaN where no sequence is longer than the lag and varies.
    """
    present = np.isfinite(values)
    size = int(sequences.key.max(initial=-1)) + 1
    count = np.bincount(sequences.key[present], minlength=size)
    total = np.bincount(sequences.key[present], weights=values[present], minlength=size)
    mean = total / np.maximum(count, 1)
    apart = np.where(present, values - mean[sequences.key], 0.0)
    spread = np.bincount(sequences.key, weights=apart**2, minlength=size)
    together = sequences.follows(lag)
    products = np.bincount(
        sequences.key[lag:][together],
        weights=(apart[lag:] * apart[:-lag])[together],
        minlength=size,
    )
    largest = np.bincount(sequences.key[present], weights=np.abs(values[present]), minlength=size)
    told = (count > lag) & (spread > _ROUNDING * np.maximum(largest, 1e-300) ** 2)
    return float(np.mean(products[told] / spread[told])) if told.any() else float("nan")


_ROUNDING = 1e-24  # what is left of a constant sequence around its mean


def _keys(table: Table, sources: Mapping[str, Source], metadata: Metadata) -> list[pa.Table | None]:
    """Ways to tell the sequences apart: columns whose equal values make one sequence."""
    source = sources[table.name]
    if table.sequence_key is not None:
        return [take_rows(source, [table.sequence_key], None)]
    parents = metadata.parents(table.name)
    return [read_references(source, relationship) for relationship in parents] or [None]


def _scores(
    table: Table,
    real: Source,
    synthetic: Source,
    keys: tuple[pa.Table | None, pa.Table | None],
    rows: int | None,
    seed: int,
) -> dict[str, float]:
    left, right = (
        _sequences(table, source, key, rows, seed)
        for source, key in zip((real, synthetic), keys, strict=True)
    )
    memory = list(_memories(table, (real, left), (synthetic, right)))
    scores = {
        "autocorrelation": float(np.mean(memory)) if memory else float("nan"),
        "gaps": ks_complement(_gaps(left), _gaps(right)),
        "length": ks_complement(
            np.unique(left.key, return_counts=True)[1], np.unique(right.key, return_counts=True)[1]
        ),
    }
    return {name: score for name, score in scores.items() if not np.isnan(score)}


def _sequences(
    table: Table, source: Source, key: pa.Table | None, rows: int | None, seed: int
) -> Sequences:
    index_column = table.columns[str(table.sequence_index)]
    index = numbers(take_rows(source, [index_column.name], None)[index_column.name], index_column)
    sequence = np.zeros(count_rows(source), dtype=np.int64)
    if key is not None:
        (sequence,), _ = key_codes([key], [key.column_names])
    known = np.flatnonzero((sequence != NULL) & np.isfinite(index))
    if rows is not None and len(known) > rows:
        known = known[_drawn(sequence[known], rows, stream(seed, "sequences", table.name))]
    order = known[np.lexsort((index[known], sequence[known]))]
    _, numbered = np.unique(sequence[order], return_inverse=True)
    return Sequences(order, numbered, index[order])


def _drawn(
    key: Ints, rows: int, rng: np.random.Generator
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which rows belong to the sequences drawn: as many whole ones as fit, one at least."""
    _, numbered, lengths = np.unique(key, return_inverse=True, return_counts=True)
    order = rng.permutation(len(lengths))
    fit = np.cumsum(lengths[order]) <= rows
    fit[0] = True
    chosen = np.zeros(len(lengths), dtype=bool)
    chosen[order[fit]] = True
    return chosen[numbered]


def _memories(
    table: Table, real: tuple[Source, Sequences], synthetic: tuple[Source, Sequences]
) -> Iterator[float]:
    for column in table.columns.values():
        if column.sdtype != "numerical" or not is_scored(column):
            continue
        if column.name in (table.sequence_index, table.sequence_key):
            continue
        left, right = (
            (numbers(take_rows(source, [column.name], None)[column.name], column)[s.rows], s)
            for source, s in (real, synthetic)
        )
        for lag in range(1, LAGS + 1):
            difference = abs(autocorrelation(*left, lag) - autocorrelation(*right, lag))
            if not np.isnan(difference):
                yield 1 - difference / 2


def _gaps(sequences: Sequences) -> Floats:
    return np.diff(sequences.index)[sequences.follows(1)]


def _averages(found: list[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for scores in found for name in scores)
    return {n: float(np.mean([scores[n] for scores in found if n in scores])) for n in names}
