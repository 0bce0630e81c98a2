"""Great Expectations Data Docs: pages about suites and their results, for private eyes only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from prefect_synth.expectations.batch import numpy_frame
from prefect_synth.expectations.engine import (
    ENGINE,
    RESULT_FORMAT,
    great_expectations,
    quiet_context,
    runnable,
    whole_frame,
)
from prefect_synth.expectations.suite_form import Suite
from prefect_synth.synth.metadata import Table
from prefect_synth.synth.metrics.hashing import Hashes

_SITE = "data docs"


@dataclass(frozen=True)
class DocumentedTable:
    """What the pages of one table are made of.

    Args:
        table: What the table means.
        suite: Its bound suite.
        rows: The synthetic rows that are judged.
        parents: Key columns of the tables that they refer to.
        copies: Sorted hashes of the unique real rows.
    """

    table: Table
    suite: Suite
    rows: pa.Table
    parents: Mapping[str, pa.Table]
    copies: Hashes


def build_data_docs(folder: Path, tables: Iterable[DocumentedTable]) -> Path:
    """Run suites and write Data Docs.

    The pages show value sets and bounds of the real data, and load their styles from public
    servers: they are for a private folder, and look right only with a network.

    Args:
        folder: Where to write them; its owner alone may read it.
        tables: The tables, one in memory at a time.

    Returns:
        The page to open.
    """
    gx = great_expectations()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    with ENGINE:
        context = quiet_context(gx)
        context.add_data_docs_site(_SITE, _site(folder))
        source = context.data_sources.add_pandas("synthetic")
        for documented in tables:
            _run(gx, context, source, documented)
        context.build_data_docs(site_names=[_SITE])
    return folder / "index.html"


def _site(folder: Path) -> dict[str, Any]:
    store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)}
    return {
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "store_backend": store,
    }


def _run(gx: Any, context: Any, source: Any, documented: DocumentedTable) -> None:
    from prefect_synth.expectations.custom import References, references

    table, rows = documented.table, documented.rows
    started = [e for e in runnable(documented.suite, rows.schema) if not isinstance(e, str)]
    suite = context.suites.add(gx.ExpectationSuite(name=table.name, expectations=started))
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(name=table.name, data=whole_frame(source, table.name), suite=suite)
    )
    with references(References(rows, table.columns, documented.parents, documented.copies)):
        definition.run(
            batch_parameters={"dataframe": numpy_frame(rows)}, result_format=RESULT_FORMAT
        )
