"""The hierarchical synthesizer: any number of tables, at any depth."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self, get_args

import pyarrow as pa

from prefect_synth.synth.effort import Effort
from prefect_synth.synth.encoding.table import EncodingSettings
from prefect_synth.synth.errors import NotFittedError, SynthesisError
from prefect_synth.synth.generation.keys import Keys
from prefect_synth.synth.hierarchy.extensions import (
    Extensions,
    extend_tables,
)
from prefect_synth.synth.hierarchy.fitting import fit_part
from prefect_synth.synth.hierarchy.links import OnOrphan
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.plan import Plan
from prefect_synth.synth.hierarchy.sampling import Sampler, Shard
from prefect_synth.synth.hierarchy.settings import HierarchySettings
from prefect_synth.synth.hierarchy.spill import parse_size
from prefect_synth.synth.marginal_names import MARGINALS
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.privacy.planning import pay, table_costs
from prefect_synth.synth.privacy.settings import DifferentialPrivacy
from prefect_synth.synth.registry import resolve
from prefect_synth.synth.rules.applying import Rules
from prefect_synth.synth.rules.contradictions import with_unique
from prefect_synth.synth.scenarios.scenario import Scenarios, check_scenarios
from prefect_synth.synth.storage import folder_name, load_state, save_state

Scale = float | Mapping[str, float]
"""Rows for each row trained on: of all tables alike, or by table."""


class HMASynthesizer:
    """Synthesize related tables: parents carry what they know of their children.

    The frame is the hierarchical modelling algorithm's idea (Patki, Wedge and Veeramachaneni 2016)
    with a few random effects in place of the children's flattened parameters, so that a parent's
    row grows by a handful of columns for each relation, at any depth.

    Args:
        metadata: The schema.
        row_model: A name of `registry.SYNTHESIZERS`.
        seed: Of every draw in fitting, and of `sample` where it is given none.
        keep: Reference tables that are published as they are; nothing is kept by default.
        on_orphan: `error`, or `null` the key, or `drop` the row.
        locale: Faker's locale for personal data.
        marginal: Marginal of numeric columns: `quantile` or a parametric family.
        marginals: Marginal of single columns, by `table.column`.
        keys: `fresh` keys with every seed, or `stable` ones: the same row number has the same key
            in every run, with every seed and scale.
        rules: `infer` finds the rules that every row obeys, and holds them; a mapping of tables to
            lines such as `"total = round(quantity * price, 2)"` is held beside those; `none`.
        infer_rules: Whether rules are looked for beside those that are given.
        unit: The table whose rows are people, where it is known: what is rare is then counted in
            people, and none of their rows is modelled by itself.
        budget_seconds: Processor seconds that `auto` may spend on fitting a table; where trees
            would take longer, it takes the copula.
        effort: Epochs, minutes and device of networks, and whether `auto` holds a contest.
        pseudonym_key: Secret of at most 64 bytes that personal data are made with, the same with
            every seed; it is not saved. It follows from the seed where None.
        privacy: How models are differentially private; None where they are not. Fitting twice
            costs twice: keep count with `synth.privacy.ledger`.

    Raises:
        ValueError: The row model is not known.
        RequestError: The schema, or a setting, cannot be had with differential privacy.
        SynthesisError: A marginal, its column, `on_orphan` or `keys` is not known.
        RuleError: A rule is not understood, or contradicts another.
    """

    def __init__(
        self,
        metadata: Metadata,
        *,
        row_model: str = "auto",
        seed: int = 0,
        keep: Collection[str] = (),
        on_orphan: OnOrphan = "error",
        locale: str = "en_US",
        marginal: str = "quantile",
        marginals: Mapping[str, str] | None = None,
        keys: Keys = "fresh",
        rules: Rules = "infer",
        infer_rules: bool = True,
        budget_seconds: float | None = None,
        effort: Effort | None = None,
        unit: str | None = None,
        pseudonym_key: bytes | None = None,
        privacy: DifferentialPrivacy | None = None,
    ) -> None:
        if not isinstance(rules, str):
            metadata = with_unique(metadata, rules)
        _check_choices(metadata, on_orphan, marginal, marginals or {}, keys)
        self.metadata, self.pseudonym_key = metadata, pseudonym_key
        self.settings = HierarchySettings(
            resolve(row_model),
            seed,
            (keep,) if isinstance(keep, str) else tuple(keep),
            on_orphan,
            EncodingSettings(locale, marginal, dict(marginals or {})),
            keys,
            rules=rules,
            infer_rules=infer_rules,
            unit=unit,
            budget_seconds=budget_seconds,
            effort=effort or Effort(),
            privacy=privacy,
        )
        if privacy is not None:
            table_costs(metadata, self.settings)
        self.parts_: dict[str, TablePart] = {}
        self.plan_: Plan | None = None

    def fit(self, tables: Mapping[str, pa.Table | Path]) -> Self:
        """Learn from `tables`: Arrow tables, pandas or polars frames, or paths of Parquet files.

        Raises:
            SynthesisError: Tables and metadata do not fit, keys have orphans, a type is not known.
            OverspentError: The privacy budget of the ledger does not allow another training.
        """
        pay(self.metadata, self.settings)
        extensions = self.extend(tables)
        self.plan_ = extensions.plan
        self.parts_ = {name: self.fit_part(name, extensions) for name in extensions.plan.order}
        return self

    def extend(self, tables: Mapping[str, pa.Table | Path]) -> Extensions:
        """The bottom-up pass of `fit`; afterwards tables can be fitted apart from each other."""
        return extend_tables(self.metadata, tables, self.settings)

    def fit_part(self, table: str, extensions: Extensions) -> TablePart:
        """The part of `fit` that belongs to one table."""
        return fit_part(self.metadata, extensions, table, self.settings)

    def fingerprint(self, table: str, extensions: Extensions) -> str:
        """Changes when anything does that the table's part depends on, and only then."""
        return extensions.fingerprint(self.metadata, table, self.settings)

    def assemble(self, plan: Plan, parts: Mapping[str, TablePart]) -> Self:
        """Take parts that were fitted apart; the rest of `fit`."""
        self.plan_, self.parts_ = plan, {name: parts[name] for name in plan.order}
        return self

    def sample(
        self,
        scale: Scale = 1.0,
        seed: int | None = None,
        *,
        after: Sequence[Scale] = (),
        scenarios: Scenarios | None = None,
    ) -> dict[str, pa.Table]:
        """Draw all tables.

        Args:
            scale: Rows asked for, as a share of the rows trained on, by table or of all alike.
            seed: Of this sample; the synthesizer's own where None.
            after: Scales of earlier samples, the first one first, whose rows stay as they were:
                what is asked for beyond them is appended.
            scenarios: What must occur, by table.

        Returns:
            Tables of exactly the schema that was fitted.

        Raises:
            NotFittedError: `fit` was not called.
            ContractError: A scenario is out of reach.
            SynthesisError: The scale is not positive, or a key has not room for so many rows.
        """
        return self.sampler(scale, seed, after=after, scenarios=scenarios).tables()

    def sample_batches(
        self,
        scale: Scale = 1.0,
        seed: int | None = None,
        *,
        shard: Shard = (0, 1),
        memory: int | str | None = None,
        after: Sequence[Scale] = (),
    ) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Draw all tables, or a shard of them, a block of rows at a time.

        Args:
            scale: Rows asked for, as a share of the rows trained on, by table or of all alike.
            seed: Of this sample; the synthesizer's own where None.
            shard: Which of how many runs of each table's rows, as (0, 4). The shards make up the
                sample, whoever draws them, and in whatever order.
            memory: What the process may use, as "2GB"; large arrays go to files beyond it.
            after: Scales of earlier samples whose rows stay, as in `sample`.

        Yields:
            A table's name, and its next rows in exactly the schema that was fitted.

        Raises:
            NotFittedError: `fit` was not called.
            SynthesisError: The scale is not positive, there is no such shard, `memory` is no
                size, or a key has not room for so many rows.
        """
        at, shards = shard
        if not 0 <= at < shards:
            raise SynthesisError(f"shard must be (i, k) with 0 <= i < k, got {shard}.")
        yield from self.sampler(scale, seed, memory, after).batches(shard)

    def sampler(
        self,
        scale: Scale = 1.0,
        seed: int | None = None,
        memory: int | str | None = None,
        after: Sequence[Scale] = (),
        scenarios: Scenarios | None = None,
    ) -> Sampler:
        """The plan of a sample, from which any block of any table can be drawn; see `sample`.

        Args:
            scale: Rows asked for, as a share of the rows trained on; by table where a part of some
                tables was held out, so that as many rows come out as there really are.
            seed: Of this sample; the synthesizer's own where None.
            memory: What the process may use, as "2GB".
            after: Scales of earlier samples whose rows stay, as in `sample`.
            scenarios: What must occur, by table.

        Raises:
            NotFittedError: `fit` was not called.
            ContractError: A scenario names what does not exist, or is out of reach.
            SynthesisError: A scale is not positive, or a key has not room for so many rows.
        """
        if self.plan_ is None:
            raise NotFittedError("HMASynthesizer")
        stages = [_by_table(each, self.plan_.order) for each in (*after, scale)]
        chosen = self.settings.seed if seed is None else seed
        room = None if memory is None else parse_size(memory)
        order, keys = self.plan_.order, self.settings.keys
        secret, wanted = self.pseudonym_key, scenarios or {}
        kept = [name for name, part in self.parts_.items() if part.kept is not None]
        check_scenarios(self.metadata, wanted, kept)
        return Sampler(
            self.metadata, self.parts_, order, stages, chosen, keys, room, secret, wanted
        )

    @property
    def rules(self) -> dict[str, list[str]]:
        """The rules in force, by table, as the project file has them."""
        return {name: part.rules.texts() for name, part in self.parts_.items() if part.rules.rules}

    def save(self, folder: Path) -> None:
        """Write the model: `model.json`, and a folder for each table.

        Raises:
            NotFittedError: `fit` was not called.
        """
        if self.plan_ is None:
            raise NotFittedError("HMASynthesizer")
        save_state(
            folder,
            "model",
            {
                "metadata": self.metadata.to_dict(),
                "plan": self.plan_,
                "seed": self.settings.seed,
                "keys": self.settings.keys,
            },
        )
        for name, part in self.parts_.items():
            part.save(folder / folder_name(name))

    @classmethod
    def load(cls, folder: Path, pseudonym_key: bytes | None = None) -> HMASynthesizer:
        """Read a model that `save` wrote; it can be sampled, not fitted further.

        Args:
            folder: Where it is.
            pseudonym_key: Secret that personal data are made with; from the seed where None.

        Raises:
            StorageError: There is no model, or it is of another format.
        """
        model = load_state(folder, "model")
        metadata = Metadata.from_dict(model["metadata"])
        parts = {name: TablePart.load(folder / folder_name(name)) for name in model["plan"].order}
        keys = model.get("keys", "fresh")
        made = cls(metadata, seed=model["seed"], keys=keys, pseudonym_key=pseudonym_key)
        return made.assemble(model["plan"], parts)


def _by_table(scale: Scale, order: Sequence[str]) -> dict[str, float]:
    scales = (
        {name: scale.get(name, 1.0) for name in order}
        if isinstance(scale, Mapping)
        else dict.fromkeys(order, scale)
    )
    for asked in scales.values():
        if not asked > 0:
            raise SynthesisError(f"scale must be above 0, got {asked}.")
    return scales


def _check_choices(
    metadata: Metadata, on_orphan: str, marginal: str, marginals: Mapping[str, str], keys: str
) -> None:
    for name, given, allowed in (("on_orphan", on_orphan, OnOrphan), ("keys", keys, Keys)):
        if given not in get_args(allowed):
            raise SynthesisError(
                f"{name} must be one of {', '.join(get_args(allowed))}, got '{given}'."
            )
    for family in (marginal, *marginals.values()):
        if family not in MARGINALS:
            raise SynthesisError(
                f"The marginal '{family}' is not known. Use {', '.join(MARGINALS)}."
            )
    known = {f"{t.name}.{c}" for t in metadata.tables.values() for c in t.columns}
    for column in marginals:
        if column not in known:
            raise SynthesisError(
                f"A marginal is given for '{column}', but there is no such column. Name it as "
                "table.column."
            )
