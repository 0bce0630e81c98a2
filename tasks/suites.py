"""A project's suite files, expectations and SQL checks, as the step `validate` uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from importlib.metadata import distributions
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from prefect_synth.expectations.profile import TableProfile
from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.sides import Sides
from prefect_synth.expectations.suite import Suite, bind
from prefect_synth.expectations.suite_files import (
    load_suite,
    read_suite,
    stray_files,
    suite_file,
)
from prefect_synth.expectations.suite_form import Expectation, columns_of
from prefect_synth.expectations.suite_merge import Merge, orphaned
from prefect_synth.expectations.suite_modules import import_modules, module_files
from prefect_synth.expectations.suite_settings import SqlCheck
from prefect_synth.expectations.verdict import Check
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.sources import count_rows, read_schema
from prefect_synth.tasks.references import file_fingerprint, fingerprint
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
        strays = [_stray(path) for path in stray_files(self.folder, sides.metadata.tables)]
        sql = run_sql_checks(self.checks, sides.synthetic, self.memory)
        return (*broken, *lags, *strays, *sql)

    def fingerprint(self, table: str) -> str:
        """Of all that the verdict on one table depends on."""
        file = suite_file(self.folder, table)
        return fingerprint(file_fingerprint(file) if file.is_file() else "", self.code)

    def whole_fingerprint(self) -> str:
        """Of every suite file and module; SQL checks stand in the project file."""
        files = sorted(self.folder.glob("*.json"))
        return fingerprint([(p.name, file_fingerprint(p)) for p in files], self.code)

    @cached_property
    def code(self) -> str:
        """Fingerprint of all code that expectation classes may be made of."""
        if not self.modules:
            return ""
        files = [(str(p), file_fingerprint(p)) for p in module_files(self.modules, self.base)]
        return fingerprint(self.modules, files, sorted(_installed()))

    def _lag(self, table: str, sides: Sides, gates_of: Callable[[str], Gates]) -> Iterator[Check]:
        merge = self.suite(table, sides.metadata, sides.training[table], gates_of(table))
        if merge.behind:
            required = "the suite file is up to date"
            cure = "what it lacks was generated for this run: run prefect-synth suites generate"
            found = f"{merge.behind} expectations behind"
            yield Check("suite file", table, None, "expectation", found, required, "warned", cure)
        for lost in orphaned(merge):
            yield _lost(table, lost, sides.metadata)


def _installed() -> set[str]:
    """Every installed distribution, with its version: modules may import any of them."""
    return {f"{found.name}=={found.version}" for found in distributions()}


def _lost(table: str, expectation: Expectation, metadata: Metadata) -> Check:
    """A person's expectation that does not run any more, or never did: nobody may miss it."""
    gone = sorted(columns_of(expectation) - set(metadata.tables[table].columns))
    parent = expectation["kwargs"].get("parent_table")
    missing = ", ".join(gone) if gone else f"the table {parent}"
    return Check(
        "lost expectation",
        table,
        ", ".join(gone) or None,
        "expectation",
        f"{expectation['type']} is not run",
        "it is about columns that are there",
        "warned",
        f"there is no {missing}: correct or delete the expectation in the suite file",
    )


def _stray(path: Path) -> Check:
    cure = "nothing in it is run: give it the name of a table, or delete it"
    required = "the file of a table of the schema"
    return Check("suite file", None, None, "expectation", path.name, required, "warned", cure)
