"""Suites as files that a user keeps in version control: one JSON file for each table."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

import pyarrow as pa

from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.suite_form import Suite
from prefect_synth.expectations.suite_generate import generate_suite
from prefect_synth.expectations.suite_merge import Merge, merge_suites
from prefect_synth.synth.metadata import Metadata, Table
from prefect_synth.synth.storage import folder_name

_SUFFIX = ".json"
_SEVERITIES = ("critical", "warning", "info")


class SuiteFileError(ValueError):
    """A suite file cannot be used; the message names file, place and cure."""


def suite_file(folder: Path, table: str) -> Path:
    """Where the suite of a table lies."""
    return folder / f"{folder_name(table)}{_SUFFIX}"


def read_suite(path: Path) -> Suite | None:
    """Read a suite file.

    Args:
        path: The file.

    Returns:
        The suite, or None where there is no file.

    Raises:
        SuiteFileError: The file is not a suite.
    """
    try:
        suite = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except json.JSONDecodeError as error:
        raise SuiteFileError(
            f"{path}, line {error.lineno}, column {error.colno}: this is not JSON: {error.msg}. "
            "Correct it, or delete the file and run `prefect-synth suites generate`."
        ) from None
    except UnicodeDecodeError:
        raise SuiteFileError(f"{path} is not UTF-8 text. Save it as UTF-8.") from None
    _check(suite, path)
    return suite


def write_suite(path: Path, suite: Suite) -> None:
    """Write a suite file, always in the same form, so that only changes show in a diff."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(suite_text(suite), encoding="utf-8")


def suite_text(suite: Suite) -> str:
    """The text of a suite file."""
    return json.dumps(suite, indent=2, ensure_ascii=False) + "\n"


def load_suite(
    folder: Path | None, table: Table, metadata: Metadata, schema: pa.Schema, gates: Gates
) -> Merge:
    """The suite of a table: its file merged with what would be generated now.

    So a new column is covered even if nobody generated the files again; `behind` of the result
    says by how many expectations the file lags.

    Args:
        folder: Where the suite files lie; None where the project has none.
        table: What the table means.
        metadata: The schema with the foreign keys.
        schema: The Arrow schema of the table.
        gates: Thresholds of what is generated.

    Raises:
        SuiteFileError: The table's file is not a suite.
    """
    fresh = generate_suite(table, metadata, schema, gates)
    file = None if folder is None else read_suite(suite_file(folder, table.name))
    if file is None:
        return Merge(fresh)
    return merge_suites(file, fresh, metadata.tables)


def stray_files(folder: Path, tables: Collection[str]) -> list[Path]:
    """Suite files of tables that the schema does not have."""
    known = {suite_file(folder, table) for table in tables}
    return sorted(path for path in folder.glob(f"*{_SUFFIX}") if path not in known)


def _check(suite: object, path: Path) -> None:
    expectations = suite.get("expectations") if isinstance(suite, dict) else None
    if not isinstance(expectations, list):
        raise SuiteFileError(
            f'{path} is no suite: it must be an object with a list "expectations". '
            "Run `prefect-synth suites generate` to see one."
        )
    for place, one in enumerate(expectations, 1):
        problem = _problem(one)
        if problem:
            raise SuiteFileError(f"{path}, expectation {place}: {problem}.")


def _problem(expectation: object) -> str:
    if not isinstance(expectation, dict):
        return 'must be an object with "type" and "kwargs"'
    if not isinstance(expectation.get("type"), str):
        return '"type" must name an expectation, such as "expect_column_values_to_be_unique"'
    if not isinstance(expectation.get("kwargs"), dict):
        return '"kwargs" must be an object with the arguments'
    if not isinstance(expectation.get("meta") or {}, dict):
        return '"meta" must be an object, or be left out'
    if expectation.get("severity", "critical") not in _SEVERITIES:
        return f'"severity" must be one of {", ".join(_SEVERITIES)}'
    return ""
