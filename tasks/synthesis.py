"""What a synthesis depends on: schema, settings and staged rows, all by reference."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from prefect_synth import __version__
from prefect_synth.synth.effort import Effort
from prefect_synth.synth.generation.keys import Keys
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.hierarchy.links import OnOrphan
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.privacy.settings import DifferentialPrivacy
from prefect_synth.tasks.references import TableRef, file_fingerprint, fingerprint


class Synthesis(BaseModel):
    """Everything from which models are trained; small and printable.

    Args:
        metadata: JSON file of the schema, in staging.
        tables: The staged real tables.
        model: Name of the row model, as the project file has it.
        models: Names that differ, by table.
        seed: Of every draw.
        keep: Tables that are published as they are.
        on_orphan: What to do with a foreign key whose parent does not exist.
        locale: Of generated personal data.
        marginals: Chosen distributions by `table.column`.
        rules: Declared rules by table.
        infer_rules: Whether rules are looked for beside them.
        keys: Whether minted keys are fresh or stable.
        unit: The table whose rows are people, where it is known.
        budget_seconds: Processor seconds that `auto` may spend on a table; without end where None.
        effort: What networks may spend on a table.
        memory: What sampling may use; without end where None.
        privacy: How models are differentially private; None where they are not.
    """

    model_config = ConfigDict(frozen=True)

    metadata: Path
    tables: tuple[TableRef, ...]
    model: str = "auto"
    models: dict[str, str] = {}
    seed: int = 0
    keep: tuple[str, ...] = ()
    on_orphan: OnOrphan = "error"
    locale: str = "en_US"
    marginals: dict[str, str] = {}
    rules: dict[str, tuple[str, ...]] = {}
    infer_rules: bool = True
    keys: Keys = "fresh"
    unit: str | None = None
    budget_seconds: float | None = None
    effort: Effort = Effort()
    memory: str | None = None
    privacy: DifferentialPrivacy | None = None

    def read_metadata(self) -> Metadata:
        """The schema."""
        return read_metadata(self.metadata)

    def paths(self) -> dict[str, Path]:
        """The staged real tables by name."""
        return {ref.table: ref.path for ref in self.tables}

    def synthesizer(self, table: str | None = None, model: str | None = None) -> HMASynthesizer:
        """An unfitted synthesizer, with the row model of `table`, or with `model`."""
        return HMASynthesizer(
            self.read_metadata(),
            row_model=model or self.models.get(table or "", self.model),
            seed=self.seed,
            keep=self.keep,
            on_orphan=self.on_orphan,
            locale=self.locale,
            marginals=self.marginals,
            rules=self.rules,
            infer_rules=self.infer_rules,
            keys=self.keys,
            unit=self.unit,
            budget_seconds=self.budget_seconds,
            effort=self.effort,
            privacy=self.privacy,
        )

    def fingerprint(self) -> str:
        """Changes when rows, schema, settings or this package's version do."""
        rows = {ref.table: ref.fingerprint for ref in self.tables}
        return fingerprint(__version__, file_fingerprint(self.metadata), rows, self.settings())

    def settings(self) -> dict[str, Any]:
        """All that models are trained by, but schema and rows."""
        return self.model_dump(mode="json", exclude={"metadata", "tables", "memory"})


def read_metadata(file: Path) -> Metadata:
    """Read a schema that a run has staged."""
    known = file.stat()
    return _read(file, (known.st_ino, known.st_mtime_ns, known.st_size))


@lru_cache(maxsize=4)
def _read(file: Path, version: tuple[int, int, int]) -> Metadata:
    """Read a file once: every task of every table asks for the whole schema."""
    return Metadata.from_dict(json.loads(file.read_text(encoding="utf-8")))
