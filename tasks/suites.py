"""A project's suite files, expectations and SQL checks, as the step `validate` uses them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.suite_files import load_suite, suite_file
from prefect_synth.expectations.suite_merge import Merge
from prefect_synth.expectations.suite_modules import import_modules
from prefect_synth.expectations.suite_settings import SqlCheck
from prefect_synth.expectations.verdict import Check
from prefect_synth.synth.metadata import Metadata
from prefect_synth.tasks.references import fingerprint
from prefect_synth.tasks.sql_checks import run_sql_checks


class UserChecks(BaseModel):
    """What a user wants to hold, beside what is generated.

    Args:
        base: Folder of the project file.
        folder: Folder of the suite files.
        modules: Modules with expectation classes.
        checks: SQL checks by name.
        memory: What a query may use.
    """

    model_config = ConfigDict(frozen=True)

    base: Path
    folder: Path
    modules: tuple[str, ...] = ()
    checks: dict[str, SqlCheck] = {}
    memory: str | None = None

    def suite(self, table: str, metadata: Metadata, schema: pa.Schema, gates: Gates) -> Merge:
        """The suite of a table, still to be bound; its user's expectation classes are imported.

        Raises:
            SuiteFileError: The table's file is not a suite.
        """
        import_modules(self.modules, self.base)  # what breaks is told once, by `run`
        return load_suite(self.folder, metadata.tables[table], metadata, schema, gates)

    def run(self, synthetic: Mapping[str, Path]) -> list[Check]:
        """Run the SQL checks, and say which module could not be imported."""
        broken = import_modules(self.modules, self.base)
        return [*broken, *run_sql_checks(self.checks, synthetic, self.memory)]

    def fingerprint(self, table: str) -> str:
        """Of all that the verdict on one table depends on."""
        file = suite_file(self.folder, table)
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        sources = [self.base / f"{name.replace('.', '/')}.py" for name in self.modules]
        code = [path.read_text(encoding="utf-8") for path in sources if path.is_file()]
        return fingerprint(text, self.modules, code)
