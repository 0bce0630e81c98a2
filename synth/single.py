"""The single-table Gaussian copula, with a marginal of choice for each column."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.columns import NumberEncoder
from prefect_synth.synth.encoding.generated import (
    GeneratedEncoder,
    TextDatetimeEncoder,
    parse_datetimes,
)
from prefect_synth.synth.encoding.layout import Encoded
from prefect_synth.synth.encoding.table import EncodingSettings
from prefect_synth.synth.errors import NotFittedError, SynthesisError
from prefect_synth.synth.hierarchy.extensions import HierarchySettings, extend_tables
from prefect_synth.synth.hierarchy.fitting import fit_part
from prefect_synth.synth.hierarchy.keys import KeyColumns
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.repairs import fill_keys
from prefect_synth.synth.hierarchy.structure import Sample
from prefect_synth.synth.inference import as_table, infer_metadata
from prefect_synth.synth.marginal_names import MARGINALS
from prefect_synth.synth.metadata import Metadata, Table
from prefect_synth.synth.randomness import stream
from prefect_synth.synth.row_models.base import Condition
from prefect_synth.synth.storage import load_state, save_state

_NAME = "table"


class GaussianCopulaSynthesizer:
    """Synthesize one table by a Gaussian copula, fitted in closed form.

    Args:
        metadata: Metadata of exactly one table; inferred from the data where None.
        default_marginal: `quantile`, or a parametric family: norm, truncnorm, beta, gamma,
            student_t, uniform, gaussian_kde.
        marginals: Marginal of single columns, by column.
        seed: Of fitting, and of `sample` where it is given none.
        locale: Faker's locale for personal data.

    Raises:
        SynthesisError: The metadata has several tables, or a marginal is not known.

    Example:
        >>> table = pa.table({"age": list(range(100)), "vip": [True, False] * 50})
        >>> synthesizer = GaussianCopulaSynthesizer().fit(table)
        >>> synthesizer.sample(3, seed=1, conditions={"vip": True})["vip"].to_pylist()
        [True, True, True]
    """

    def __init__(
        self,
        metadata: Metadata | None = None,
        *,
        default_marginal: str = "quantile",
        marginals: Mapping[str, str] | None = None,
        seed: int = 0,
        locale: str = "en_US",
    ) -> None:
        if metadata is not None and len(metadata.tables) != 1:
            raise SynthesisError(
                f"GaussianCopulaSynthesizer takes one table, and the metadata has "
                f"{len(metadata.tables)}. Use HMASynthesizer for several."
            )
        if metadata is not None and metadata.relationships:
            raise SynthesisError(
                f"GaussianCopulaSynthesizer takes no relations, and the metadata has "
                f"'{metadata.relationships[0]}'. Use HMASynthesizer."
            )
        for marginal in (default_marginal, *(marginals or {}).values()):
            if marginal not in MARGINALS:
                raise SynthesisError(
                    f"The marginal '{marginal}' is not known. Use {', '.join(MARGINALS)}."
                )
        self.metadata = metadata
        self.default_marginal, self.marginals = default_marginal, dict(marginals or {})
        self.seed, self.locale = seed, locale
        self.part_: TablePart | None = None

    def fit(self, table: pa.Table | Path) -> Self:
        """Learn from an Arrow table, or from a Parquet file.

        Raises:
            SynthesisError: The table and the metadata do not fit, or a type is not known.
        """
        data = as_table(table)
        if self.metadata is None:
            self.metadata = replace(infer_metadata({_NAME: data}), relationships=())
        (name,) = self.metadata.tables
        if not len(data):
            raise SynthesisError(f"Table '{name}' has no rows to learn from.")
        unknown = [c for c in self.marginals if c not in self.metadata.tables[name].columns]
        if unknown:
            raise SynthesisError(
                f"A marginal is given for '{unknown[0]}', but table '{name}' has no such column."
            )
        marginals = {f"{name}.{column}": m for column, m in self.marginals.items()}
        settings = HierarchySettings(
            seed=self.seed,
            encoding=EncodingSettings(self.locale, self.default_marginal, marginals),
        )
        extensions = extend_tables(self.metadata, {name: data}, settings)
        self.part_ = fit_part(self.metadata, extensions, name, settings)
        return self

    def sample(
        self,
        num_rows: int,
        seed: int | None = None,
        conditions: Mapping[str, Any] | None = None,
    ) -> pa.Table:
        """Draw rows.

        Args:
            num_rows: Rows to draw, at least 1.
            seed: Of this sample; the synthesizer's own where None.
            conditions: Values that columns are held at, as `{"vip": True}`; None is null.

        Returns:
            A table of exactly the schema that was fitted.

        Raises:
            NotFittedError: `fit` was not called.
            SynthesisError: `num_rows` is too small, or a condition cannot be met.
        """
        part = self._fitted()
        assert self.metadata is not None  # noqa: S101 - set by fit
        if num_rows < 1:
            raise SynthesisError(f"num_rows must be at least 1, got {num_rows}.")
        seed = self.seed if seed is None else seed
        named = {c: self._condition(c, v) for c, v in (conditions or {}).items()}
        held = part.codec.conditions(named)
        rng = stream(seed, "sample", part.name)
        rows = part.row_model.sample(Encoded.empty(num_rows), rng, held)
        null = {c: v is None for c, v in (conditions or {}).items()}
        columns = part.codec.decode(rows, stream(seed, "values", part.name), null)
        for column, value in (conditions or {}).items():
            if value is not None:  # exactly what was asked for, not its piece's centre
                kind = part.schema.field(column).type
                columns[column] = pa.array([value], kind).take(pa.array(np.zeros(num_rows, int)))
        columns = part.rules.backward(columns, {}, stream(seed, "rules", part.name))
        drawn = Sample(
            rows={part.name: num_rows}, columns={part.name: columns}, held=tuple(conditions or ())
        )
        fill_keys(KeyColumns(self.metadata, {part.name: part}, drawn, seed), (part.name,))
        return pa.Table.from_arrays([columns[f.name] for f in part.schema], schema=part.schema)

    def save(self, folder: Path) -> None:
        """Write the model into `folder`.

        Raises:
            NotFittedError: `fit` was not called.
        """
        part = self._fitted()
        assert self.metadata is not None  # noqa: S101 - set by fit
        save_state(folder, "model", {"metadata": self.metadata.to_dict(), "seed": self.seed})
        part.save(folder)

    @classmethod
    def load(cls, folder: Path) -> GaussianCopulaSynthesizer:
        """Read a model that `save` wrote; it can be sampled at once.

        Raises:
            StorageError: There is no model, or it is of another format.
        """
        model = load_state(folder, "model")
        synthesizer = cls(Metadata.from_dict(model["metadata"]), seed=model["seed"])
        synthesizer.part_ = TablePart.load(folder)
        return synthesizer

    @property
    def table(self) -> Table:
        """The table's metadata.

        Raises:
            NotFittedError: It is to be inferred, and `fit` was not called.
        """
        if self.metadata is None:
            raise NotFittedError("GaussianCopulaSynthesizer")
        return next(iter(self.metadata.tables.values()))

    def _fitted(self) -> TablePart:
        if self.part_ is None:
            raise NotFittedError("GaussianCopulaSynthesizer")
        return self.part_

    def _conditionable(self, column: str) -> None:
        part = self._fitted()
        own = [c for c in part.codec.modelled if c in part.schema.names]
        if column not in own:
            raise SynthesisError(
                f"'{column}' cannot be a condition: it is no modelled column of '{part.name}'. "
                f"Modelled columns: {', '.join(own)}."
            )

    def _condition(self, column: str, value: Any) -> Condition:
        """The piece and place of one value."""
        self._conditionable(column)
        encoder = self._fitted().codec.encoders[column]
        layout = encoder.layout
        if value is None:
            if layout is None or not layout.has_null:
                raise SynthesisError(f"Column '{column}' is never null, so it cannot be asked for.")
            return 0, 0.5
        if isinstance(encoder, GeneratedEncoder):
            raise SynthesisError(f"'{column}' is generated; only null can be a condition on it.")
        kind = encoder.kind.field(0).type
        try:
            wanted = pa.array([value], kind)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            raise SynthesisError(
                f"The condition {column}={value!r} is no {kind}: {error}."
            ) from error
        if pa.types.is_integer(kind) and wanted[0].as_py() != value:  # Arrow cuts 1.5 to 1
            raise SynthesisError(f"The condition {column}={value!r} is no {kind}.")
        if isinstance(value, float) and not math.isfinite(value):
            raise SynthesisError(f"The condition {column}={value!r} is no finite number.")
        if isinstance(encoder, TextDatetimeEncoder) and not _is_datetime(wanted, encoder.format):
            raise SynthesisError(
                f"The condition {column}={value!r} is no datetime of the form '{encoder.format}'."
            )
        pieces, places = encoder.encode(wanted, stream(0, "condition"))
        if not isinstance(encoder, NumberEncoder | TextDatetimeEncoder):
            back = encoder.decode(pieces, places, stream(0, "condition"))
            if back.to_pylist() != wanted.to_pylist():
                raise SynthesisError(
                    f"The condition {column}={value!r} cannot be met: the value is too rare, or "
                    "was never seen."
                )
        return int(pieces[0]), float(places[0])


def _is_datetime(value: pa.Array, format: str) -> bool:
    return parse_datetimes(value, format).null_count == 0
