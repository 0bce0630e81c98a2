"""What all synthesizers of one table share."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa

from prefect_synth.synth.effort import Effort
from prefect_synth.synth.encoding.table import EncodingSettings
from prefect_synth.synth.errors import NotFittedError, RequestError, SynthesisError
from prefect_synth.synth.hierarchy.alarms import alarms
from prefect_synth.synth.hierarchy.extensions import extend_tables
from prefect_synth.synth.hierarchy.fitting import fit_part
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.settings import HierarchySettings
from prefect_synth.synth.inference import as_table, infer_metadata
from prefect_synth.synth.metadata import Metadata, Table
from prefect_synth.synth.privacy.planning import pay, table_costs
from prefect_synth.synth.privacy.settings import DifferentialPrivacy
from prefect_synth.synth.row_models.base import RowModel
from prefect_synth.synth.rules.applying import Rules
from prefect_synth.synth.rules.contradictions import with_unique
from prefect_synth.synth.single_drawing import BLOCK, Drawing, rebatched
from prefect_synth.synth.storage import StorageError, load_state, save_state
from prefect_synth.synth.training import History

_NAME = "table"

_PACKAGE = "prefect_synth.synth"

SingleRules = Sequence[str] | Literal["infer", "none"]
"""Rules as a synthesizer of one table takes them."""


class SingleTableSynthesizer:
    """Synthesize one table; a class for each row model derives from this one.

    Args:
        metadata: Metadata of exactly one table; inferred from the data where None.
        seed: Of fitting, and of `sample` where it is given none.
        locale: Faker's locale for personal data.
        rules: `infer` finds the rules that every row obeys, and holds them; lines such as
            `"a = b + c"` are held beside those; `none`.
        privacy: How the model is differentially private; None where it is not. The metadata must
            be given then, and bounds and categories may be named by column alone.

    Raises:
        RequestError: The table, or a setting, cannot be had with differential privacy.
        SynthesisError: The metadata has several tables, or relations.
        RuleError: A rule is not understood, or contradicts another.
    """

    row_model: str
    classes: ClassVar[dict[str, type[SingleTableSynthesizer]]] = {}

    def __init_subclass__(cls) -> None:
        SingleTableSynthesizer.classes[cls.__name__] = cls

    def __init__(
        self,
        metadata: Metadata | None = None,
        *,
        seed: int = 0,
        locale: str = "en_US",
        rules: SingleRules = "infer",
        privacy: DifferentialPrivacy | None = None,
    ) -> None:
        name = type(self).__name__
        if metadata is not None and len(metadata.tables) != 1:
            raise SynthesisError(
                f"{name} takes one table, and the metadata has {len(metadata.tables)}. "
                "Use HMASynthesizer for several."
            )
        if metadata is not None and metadata.relationships:
            raise SynthesisError(
                f"{name} takes no relations, and the metadata has "
                f"'{metadata.relationships[0]}'. Use HMASynthesizer."
            )
        self.seed, self.locale, self.rules = seed, locale, rules
        if metadata is not None and not isinstance(rules, str):
            metadata = with_unique(metadata, {next(iter(metadata.tables)): rules})
        self.metadata = metadata
        self.privacy = _named(privacy, metadata)
        if metadata is not None and privacy is not None:
            name = next(iter(metadata.tables))
            asked = HierarchySettings(self.row_model, encoding=self._encoding(name))
            table_costs(metadata, replace(asked, rules=self._rules(name), privacy=self.privacy))
        self.part_: TablePart | None = None

    def fit(self, table: pa.Table | Path) -> Self:
        """Learn from an Arrow table, or from a Parquet file.

        Raises:
            SynthesisError: The table and the metadata do not fit, or a type is not known.
            OverspentError: The privacy budget of the ledger does not allow another training.
        """
        data = as_table(table)
        if self.metadata is None:
            self.metadata = replace(infer_metadata({_NAME: data}), relationships=())
        (name,) = self.metadata.tables
        if not len(data):
            raise SynthesisError(f"Table '{name}' has no rows to learn from.")
        settings = self._fitting(name)
        pay(self.metadata, settings)
        extensions = extend_tables(self.metadata, {name: data}, settings)
        self.part_ = fit_part(self.metadata, extensions, name, settings, self._new_row_model())
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
        tables = self._tables(num_rows, seed, conditions)
        return pa.concat_tables(list(tables)).unify_dictionaries().combine_chunks()

    def sample_batches(
        self,
        num_rows: int,
        seed: int | None = None,
        conditions: Mapping[str, Any] | None = None,
        rows_per_batch: int = BLOCK,
    ) -> Iterator[pa.Table]:
        """Draw rows little by little: one after the other the batches are what `sample` gives.

        Memory holds one batch and one block of rows; a table with a unique key of several columns
        is held whole, as its keys are made unique over all rows.

        Args:
            num_rows: Rows to draw, at least 1.
            seed: Of this sample; the synthesizer's own where None.
            conditions: Values that columns are held at.
            rows_per_batch: Rows of each batch, at least 1; the last one has what is left.

        Raises:
            NotFittedError: `fit` was not called.
            SynthesisError: A number is too small, or a condition cannot be met.
        """
        if rows_per_batch < 1:
            raise SynthesisError(f"rows_per_batch must be at least 1, got {rows_per_batch}.")
        return rebatched(self._tables(num_rows, seed, conditions), rows_per_batch)

    def save(self, folder: Path) -> None:
        """Write the model into `folder`.

        Raises:
            NotFittedError: `fit` was not called.
        """
        part = self._fitted()
        assert self.metadata is not None  # noqa: S101 - set by fit
        model = {"synthesizer": type(self).__name__, "metadata": self.metadata.to_dict()}
        save_state(folder, "model", {**model, "settings": self._settings()})
        part.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a model that `save` wrote; it can be sampled at once.

        `SingleTableSynthesizer.load` reads a model of any class.

        Raises:
            StorageError: There is no model, it is of another format, or of another class.
        """
        model = load_state(folder, "model")
        found = _class_named(model.get("synthesizer", ""))
        if found is None or not issubclass(found, cls):
            raise StorageError(
                f"The model at '{folder}' is no {cls.__name__}, but a "
                f"{model.get('synthesizer', 'hierarchy')}. Load it by that class."
            )
        synthesizer = found(Metadata.from_dict(model["metadata"]), **model["settings"])
        synthesizer._load_parts(folder)
        return synthesizer

    def get_loss_values(self) -> pa.Table:
        """The losses of training: columns `epoch` and `loss`, a row for each epoch.

        Returns:
            No row where the row model is no network.

        Raises:
            NotFittedError: `fit` was not called.
        """
        history = getattr(self._fitted().row_model, "history", None)
        losses = history.losses if isinstance(history, History) else ()
        epochs = np.arange(1, len(losses) + 1)
        return pa.table({"epoch": epochs, "loss": pa.array(losses, pa.float64())})

    @property
    def alarms(self) -> tuple[str, ...]:
        """What went wrong in training, in sentences; none where all is well.

        Raises:
            NotFittedError: `fit` was not called.
        """
        return alarms(self._fitted())

    @property
    def table(self) -> Table:
        """The table's metadata.

        Raises:
            NotFittedError: It is to be inferred, and `fit` was not called.
        """
        if self.metadata is None:
            raise NotFittedError(type(self).__name__)
        return next(iter(self.metadata.tables.values()))

    def _settings(self) -> dict[str, Any]:
        """Arguments of `__init__` but the metadata."""
        private = {} if self.privacy is None else {"privacy": self.privacy}
        return {"seed": self.seed, "locale": self.locale, **private}

    def _fitting(self, name: str) -> HierarchySettings:
        return HierarchySettings(
            row_model=self.row_model,
            seed=self.seed,
            encoding=self._encoding(name),
            rules=self._rules(name),
            effort=self._effort(),
            privacy=self.privacy,
        )

    def _rules(self, name: str) -> Rules:
        if self.rules == "infer" or self.rules == "none":
            return "infer" if self.rules == "infer" else "none"
        return {name: tuple(self.rules)}

    def _encoding(self, name: str) -> EncodingSettings:
        return EncodingSettings(self.locale)

    def _effort(self) -> Effort:
        """What networks may spend, and whether there is a contest."""
        return Effort()

    def _load_parts(self, folder: Path) -> None:
        """Read what was learned."""
        self.part_ = TablePart.load(folder)

    def _new_row_model(self) -> RowModel | None:
        """The row model to fit; by the class' name for it where None."""
        return None

    def _fitted(self) -> TablePart:
        if self.part_ is None:
            raise NotFittedError(type(self).__name__)
        return self.part_

    def _tables(
        self, num_rows: int, seed: int | None, conditions: Mapping[str, Any] | None
    ) -> Iterator[pa.Table]:
        """Check the arguments, and begin to draw."""
        self._fitted()
        if num_rows < 1:
            raise SynthesisError(f"num_rows must be at least 1, got {num_rows}.")
        seed = self.seed if seed is None else seed
        return self._drawn(num_rows, seed, conditions or {})

    def _drawn(self, num_rows: int, seed: int, conditions: Mapping[str, Any]) -> Iterator[pa.Table]:
        """Begin to draw; the arguments are checked."""
        part = self._fitted()
        assert self.metadata is not None  # noqa: S101 - set by fit
        return Drawing(self.metadata, part, num_rows, seed, conditions).tables()


def _named(
    privacy: DifferentialPrivacy | None, metadata: Metadata | None
) -> DifferentialPrivacy | None:
    """Privacy whose bounds and categories are of `table.column`.

    Raises:
        RequestError: There is no metadata: what columns mean would be read off the rows.
    """
    if privacy is None:
        return None
    if metadata is None:
        raise RequestError(
            "With differential privacy the metadata must be given: inferring it looks at the rows."
        )
    table = next(iter(metadata.tables.values()))

    def full(name: str) -> str:
        return f"{table.name}.{name}" if name in table.columns else name

    return replace(
        privacy,
        bounds={full(name): bounds for name, bounds in privacy.bounds.items()},
        categories={full(name): all_ for name, all_ in privacy.categories.items()},
    )


def _class_named(name: str) -> type[SingleTableSynthesizer] | None:
    """The class of that name; those of this package are imported when a model needs them."""
    package = importlib.import_module(_PACKAGE)
    if name in package.__all__:
        getattr(package, name)
    return SingleTableSynthesizer.classes.get(name)
