"""The step `balance`: a table of its own with the classes of one column at a ratio."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from prefect import task

from prefect_synth.expectations.disclosure import Disclosure
from prefect_synth.synth.errors import ContractError
from prefect_synth.synth.hierarchy.balancing import Balancer
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.sampling import Sampler
from prefect_synth.synth.scenarios.balance import (
    MOST_CLASSES,
    Balance,
    check_class_rows,
    class_rows,
    with_balanced,
)
from prefect_synth.synth.scenarios.matching import plain_values
from prefect_synth.tasks.parquet_form import FileFacts, write_published
from prefect_synth.tasks.pins import PART
from prefect_synth.tasks.progress import progress
from prefect_synth.tasks.pseudonyms import pseudonym_key
from prefect_synth.tasks.references import ModelRef, TableRef, part_file, table_ref, whole_table
from prefect_synth.tasks.steps import guarded, keyed_by
from prefect_synth.tasks.synthesis import read_metadata

STEP = "balance"


@task(
    name=STEP,
    task_run_name="balance[{balance.name}]",
    cache_policy=keyed_by("fingerprint"),
    persist_result=True,
    result_serializer="json",
)
@guarded
def balance_table(
    balance: Balance,
    fingerprint: str,
    metadata: Path,
    plan: Path,
    models: list[ModelRef],
    pseudonyms: Path,
    like: Path,
    folder: Path,
    facts: FileFacts,
) -> TableRef:
    """Draw a balanced table.

    Args:
        balance: What is asked for.
        fingerprint: Of the sample and what is asked for.
        metadata: JSON file of the schema.
        plan: Folder of the plan of the sample.
        models: The trained parts.
        pseudonyms: File of the secret that personal data are made with.
        like: Folder of the synthetic table whose classes are counted.
        folder: Where to write the balanced one.
        facts: What its file says of itself.

    Raises:
        ContractError: The column has no classes, or they cannot be drawn.
    """
    schema = with_balanced(read_metadata(metadata), [balance])
    parts = {model.table: TablePart.load(model.path) for model in models}
    sampler = Sampler.load(plan, read_metadata(metadata), parts, pseudonym_key(pseudonyms))
    classes, counts = _classes(balance, like)
    rows = class_rows(counts, balance.ratio, balance.rows or sum(counts))
    check_class_rows(balance, rows)
    balancer = Balancer(sampler, balance, classes, rows)
    path, meaning = part_file(folder, 0), Disclosure(schema).metadata.tables[balance.name]
    written = write_published(path, balancer.schema, balancer.batches(), facts, meaning)
    progress().advance(STEP, 1, balance.name)
    return whole_table([table_ref(balance.name, path, written)])


def _classes(balance: Balance, like: Path) -> tuple[list[pa.Scalar], list[int]]:
    """The classes that synthetic rows have, and how many rows each: pinned ones do not count."""
    files = [file for file in sorted(like.glob("*.parquet")) if file.name != PART]
    columns = [pq.read_table(file, columns=[balance.column]).column(0) for file in files]
    values = pa.chunked_array([c for column in columns for c in plain_values(column).chunks])
    counted = pc.value_counts(values.drop_null()).flatten()
    order = pc.sort_indices(counted[0]) if len(counted[0]) else pa.array([], pa.int64())
    classes, counts = counted[0].take(order), counted[1].take(order).to_pylist()
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise ContractError(
            f"{balance.place} cannot be drawn: '{balance.column}' has {len(classes):,} classes in "
            f"the snapshot, and 2 to {MOST_CLASSES} can be balanced. Name a column of categories."
        )
    return list(classes), counts
