"""Synthesizers of one table of sequences: a class for each model of families."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from prefect_synth.synth.conditions import held_columns, hold_exactly
from prefect_synth.synth.devices import Device
from prefect_synth.synth.effort import Effort
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.hierarchy.loading import LoadedTables
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.sampling import Sampler
from prefect_synth.synth.inference import as_table
from prefect_synth.synth.metadata import Column, Metadata, Table  # noqa: F401 - for the examples
from prefect_synth.synth.row_models.base import Condition
from prefect_synth.synth.row_models.held import Held
from prefect_synth.synth.sequence_tables import SequenceTables, sequence_tables, tables_of
from prefect_synth.synth.single_table import SingleRules, SingleTableSynthesizer
from prefect_synth.synth.storage import load_state, save_state

_STEPS = "steps"


class SequenceSynthesizer(SingleTableSynthesizer):
    """Synthesize a table of sequences; a class for each model of families derives from this one.

    The metadata's `sequence_key` names sequences, and `sequence_index` orders their rows; without
    one the rows are in order as they stand. Columns that are constant in every sequence are drawn
    once for each. A table without a sequence key is drawn row by row.

    Args:
        metadata: Metadata of exactly one table; inferred from the data where None, which finds no
            sequence key.
        epochs: Passes over the data at most; the model's own number where None.
        max_minutes: Wall clock that training may take; None for any.
        device: Where it is trained: auto, cpu, cuda or mps.
        seed: Of fitting, and of `sample` where it is given none.
        locale: Faker's locale for personal data.
        rules: As `SingleTableSynthesizer` takes them.

    Raises:
        SynthesisError: The metadata has several tables, or relations, or a number is too small.
    """

    def __init__(
        self,
        metadata: Metadata | None = None,
        *,
        epochs: int | None = None,
        max_minutes: float | None = None,
        device: Device = "auto",
        seed: int = 0,
        locale: str = "en_US",
        rules: SingleRules = "infer",
    ) -> None:
        super().__init__(metadata, seed=seed, locale=locale, rules=rules)
        self.effort = Effort(epochs, max_minutes, device)
        self.frame_: HMASynthesizer | None = None
        self.tables_: SequenceTables | None = None

    def fit(self, table: pa.Table | Path) -> Self:
        """Learn from an Arrow table, or from a Parquet file.

        Raises:
            SynthesisError: The table and the metadata do not fit, a type is not known, or a row
                names no sequence.
        """
        if self.metadata is None or self.table.sequence_key is None:
            return super().fit(table)
        data, name = as_table(table), self.table.name
        if not len(data):
            raise SynthesisError(f"Table '{name}' has no rows to learn from.")
        LoadedTables(self.metadata, {name: data}).check()
        self.tables_ = sequence_tables(self.metadata, data)
        self.frame_ = HMASynthesizer(
            self.tables_.metadata(),
            row_model=self.row_model,
            seed=self.seed,
            locale=self.locale,
            rules=self._rules(name),
            effort=self.effort,
        ).fit(self.tables_.split(data))
        self.part_ = self.frame_.parts_[name]
        return self

    def sample_sequences(self, sequences: int, seed: int | None = None) -> pa.Table:
        """Draw so many sequences, as long together as so many real ones.

        Args:
            sequences: How many, at least 1.
            seed: Of this sample; the synthesizer's own where None.

        Raises:
            NotFittedError: `fit` was not called.
            SynthesisError: `sequences` is too small, or the table has no sequence key.
        """
        part = self._fitted()
        if self.frame_ is None or self.tables_ is None:
            raise SynthesisError(
                f"Table '{part.name}' has no sequences: its metadata names no sequence_key."
            )
        if sequences < 1:
            raise SynthesisError(f"sequences must be at least 1, got {sequences}.")
        known = self.frame_.parts_[self.tables_.sequences].rows
        return self.sample(max(round(part.rows * sequences / known), sequences), seed)

    def save(self, folder: Path) -> None:
        """Write the model into `folder`.

        Raises:
            NotFittedError: `fit` was not called.
        """
        super().save(folder)
        if self.frame_ is not None and self.tables_ is not None:
            static, schema = list(self.tables_.static), self.tables_.schema
            save_state(folder, _STEPS, {"static": static, "schema": schema})
            self.frame_.save(folder / _STEPS)

    def _load_parts(self, folder: Path) -> None:
        super()._load_parts(folder)
        if (folder / _STEPS).is_dir() and self.metadata is not None:
            found = load_state(folder, _STEPS)
            self.tables_ = tables_of(self.table, tuple(found["static"]), found["schema"])
            self.frame_ = HMASynthesizer.load(folder / _STEPS)

    def _effort(self) -> Effort:
        return self.effort

    def _settings(self) -> dict[str, Any]:
        effort = self.effort
        own = {"epochs": effort.epochs, "max_minutes": effort.max_minutes}
        return {**super()._settings(), **own, "device": effort.device}

    def _drawn(self, num_rows: int, seed: int, conditions: Mapping[str, Any]) -> Iterator[pa.Table]:
        frame, tables = self.frame_, self.tables_
        if frame is None or tables is None or frame.plan_ is None:
            return super()._drawn(num_rows, seed, conditions)
        steps, whole = frame.parts_[tables.table.name], frame.parts_[tables.sequences]
        held = self._held(tables, whole, conditions)
        parts = {**frame.parts_, whole.name: replace(whole, row_model=Held(whole.row_model, held))}
        scales = dict.fromkeys(frame.plan_.order, num_rows / steps.rows)
        sampler = Sampler(frame.metadata, parts, frame.plan_.order, [scales], seed)
        sequences = pa.Table.from_batches(list(sampler.table_batches(whole.name)), whole.schema)
        columns = {c: sequences[c].combine_chunks() for c in sequences.column_names}
        hold_exactly(whole, columns, conditions, len(sequences))
        sequences = pa.table(columns, whole.schema)
        return (tables.joined(sequences, batch) for batch in sampler.table_batches(steps.name))

    def _held(
        self, tables: SequenceTables, whole: TablePart, conditions: Mapping[str, Any]
    ) -> dict[int, Condition]:
        """Conditions on what sequences have as a whole; others would break a sequence."""
        for column in conditions:
            if column not in tables.static:
                raise SynthesisError(
                    f"'{column}' cannot be a condition: it changes within a sequence, or names "
                    f"it. Columns that hold for whole sequences: {', '.join(tables.static) or '-'}."
                )
        held = held_columns(whole, conditions)
        before = sum(codec.width for codec in whole.relations.values()) + len(whole.levels)
        return {before + column: condition for column, condition in held.items()}


class PARSynthesizer(SequenceSynthesizer):
    """Synthesize sequences by a probabilistic autoregressive network: each row given those before.

    Fitting needs torch, `pip install "prefect-synth[torch]"`; a fitted model is sampled without.

    Args:
        metadata: Metadata of exactly one table, with a sequence key; without one rows are drawn
            alone.
        epochs: Passes over the data at most; training stops by itself.
        max_minutes: Wall clock that training may take; None for any.
        device: Where it is trained: auto, cpu, cuda or mps.
        seed: Of fitting, and of `sample` where it is given none.
        locale: Faker's locale for personal data.
        rules: As `SingleTableSynthesizer` takes them.

    Raises:
        SynthesisError: The metadata has several tables, or relations, or a number is too small.
        MissingTorchError: At `fit`: torch is not installed.

    Example:
        >>> names = [f"P{i:03d}" for i in range(40)]
        >>> table = pa.table({"who": names * 3, "day": [d for d in (1, 2, 3) for _ in names]})
        >>> columns = {"who": Column("who", "id"), "day": Column("day", "numerical")}
        >>> days = Table("days", columns, sequence_key="who", sequence_index="day")
        >>> model = PARSynthesizer(Metadata({"days": days}), epochs=1).fit(table)
        >>> model.sample_sequences(2)["day"].to_pylist()
        [1, 2, 3, 1, 2, 3]
    """

    row_model = "par"


class TimeGANSynthesizer(SequenceSynthesizer):
    """Synthesize sequences by TimeGAN: steps of a latent space, and the rows they stand for.

    Fitting needs torch, `pip install "prefect-synth[torch]"`; a fitted model is sampled without.

    Args:
        metadata: Metadata of exactly one table, with a sequence key; without one rows are drawn
            alone.
        epochs: Passes over the data in each of three phases.
        max_minutes: Wall clock that training may take; None for any.
        device: Where it is trained: auto, cpu, cuda or mps.
        seed: Of fitting, and of `sample` where it is given none.
        locale: Faker's locale for personal data.
        rules: As `SingleTableSynthesizer` takes them.

    Raises:
        SynthesisError: The metadata has several tables, or relations, or a number is too small.
        MissingTorchError: At `fit`: torch is not installed.

    Example:
        >>> names = [f"P{i:03d}" for i in range(40)]
        >>> table = pa.table({"who": names * 3, "day": [d for d in (1, 2, 3) for _ in names]})
        >>> columns = {"who": Column("who", "id"), "day": Column("day", "numerical")}
        >>> days = Table("days", columns, sequence_key="who", sequence_index="day")
        >>> model = TimeGANSynthesizer(Metadata({"days": days}), epochs=1).fit(table)
        >>> model.sample_sequences(2)["day"].to_pylist()
        [1, 2, 3, 1, 2, 3]
    """

    row_model = "timegan"


class DoppelGANgerSynthesizer(SequenceSynthesizer):
    """Synthesize sequences by DoppelGANger: what a sequence has as a whole first, then its steps.

    Fitting needs torch, `pip install "prefect-synth[torch]"`; a fitted model is sampled without.

    Args:
        metadata: Metadata of exactly one table, with a sequence key; without one rows are drawn
            alone.
        epochs: Passes over the data.
        max_minutes: Wall clock that training may take; None for any.
        device: Where it is trained: auto, cpu, cuda or mps.
        seed: Of fitting, and of `sample` where it is given none.
        locale: Faker's locale for personal data.
        rules: As `SingleTableSynthesizer` takes them.

    Raises:
        SynthesisError: The metadata has several tables, or relations, or a number is too small.
        MissingTorchError: At `fit`: torch is not installed.

    Example:
        >>> names = [f"P{i:03d}" for i in range(40)]
        >>> table = pa.table({"who": names * 3, "day": [d for d in (1, 2, 3) for _ in names]})
        >>> columns = {"who": Column("who", "id"), "day": Column("day", "numerical")}
        >>> days = Table("days", columns, sequence_key="who", sequence_index="day")
        >>> model = DoppelGANgerSynthesizer(Metadata({"days": days}), epochs=1).fit(table)
        >>> model.sample_sequences(2)["day"].to_pylist()
        [1, 2, 3, 1, 2, 3]
    """

    row_model = "doppelganger"
