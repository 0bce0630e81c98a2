"""A project's suite files, expectations and SQL checks, as the step `validate` uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from prefect_synth.expectations.profile import TableProfile
from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.sides import Sides
from prefect_synth.expectations.suite import Suite, bind
from prefect_synth.expectations.suite_files import load_suite, read_suite, suite_file
from prefect_synth.expectations.suite_merge import Merge
from prefect_synth.expectations.suite_modules import import_modules
from prefect_synth.expectations.suite_settings import SqlCheck
from prefect_synth.expectations.verdict import Check
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.sources import count_rows, read_schema
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

    def read_files(self) -> None:
        """Read every suite file, so that a broken one is told before any work is done.

        Raises:
            SuiteFileError: A file is not a suite.
        """
        for path in sorted(self.folder.glob("*.json")):
            read_suite(path)

    def bound(self, table: str, sides: Sides, profile: TableProfile, gates: Gates) -> Suite:
        """The suite of a table, from its file and from what is generated, ready to run.

        Raises:
            SuiteFileError: The table's file is not a suite.
        """
        import_modules(self.modules, self.base)  # what breaks is told once, by `further`
        merge = self.suite(table, sides.metadata, sides.training[table], gates)
        rows = min(count_rows(sides.synthetic[table]), gates.max_rows)
        return bind(merge.suite, profile, gates, rows)

    def suite(self, table: str, metadata: Metadata, data: Path, gates: Gates) -> Merge:
        """The suite of a table, from its file and from what is generated, not yet bound."""
        schema = read_schema(data)
        return load_suite(self.folder, metadata.tables[table], metadata, schema, gates)

    def further(self, sides: Sides, gates_of: Callable[[str], Gates]) -> tuple[Check, ...]:
        """The SQL checks, and what is wrong with suite files and modules.

        Args:
            sides: The tables of the judgement.
            gates_of: What must hold of a table.
        """
        broken = import_modules(self.modules, self.base)
        lags = [c for table in sides.metadata.tables for c in self._lag(table, sides, gates_of)]
        return (*broken, *lags, *run_sql_checks(self.checks, sides.synthetic, self.memory))

    def fingerprint(self, table: str) -> str:
        """Of all that the verdict on one table depends on."""
        files = [suite_file(self.folder, table)]
        files += [self.base / f"{name.replace('.', '/')}.py" for name in self.modules]
        texts = [path.read_text(encoding="utf-8") if path.is_file() else "" for path in files]
        return fingerprint(texts, self.modules)

    def _lag(self, table: str, sides: Sides, gates_of: Callable[[str], Gates]) -> Iterator[Check]:
        merge = self.suite(table, sides.metadata, sides.training[table], gates_of(table))
        if merge.behind:
            required = "the suite file is up to date"
            cure = "what it lacks was generated for this run: run prefect-synth suites generate"
            found = f"{merge.behind} expectations behind"
            yield Check("suite file", table, None, "expectation", found, required, "warned", cure)
