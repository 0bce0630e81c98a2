"""The body of `prefect-synth evaluate`, on folders of Parquet files."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from prefect_synth.flows.evaluation import evaluate_folders, find_tables, read_metadata
from prefect_synth.flows.evaluation_view import render_evaluation, structural_faults
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.synth.metrics.sources import MetricsError
from prefect_synth.synth.sdv import metadata_to_sdv

METADATA = Metadata(
    {
        "customers": Table(
            "customers",
            {
                "id": Column("id", "id"),
                "city": Column("city", "categorical"),
                "wealth": Column("wealth", "numerical"),
            },
            ("id",),
        ),
        "orders": Table(
            "orders",
            {"customer_id": Column("customer_id", "id"), "price": Column("price", "numerical")},
        ),
    },
    (Relationship("orders", ("customer_id",), "customers", ("id",)),),
)


def shop(seed):
    """Customers and orders whose price follows the customer's wealth."""
    rng = np.random.default_rng(seed)
    wealth = rng.normal(size=200)
    buyer = rng.integers(0, 200, 600)
    return {
        "customers": pa.table(
            {"id": np.arange(200), "city": np.where(wealth > 0, "Bonn", "Köln"), "wealth": wealth}
        ),
        "orders": pa.table({"customer_id": buyer, "price": np.exp(wealth[buyer])}),
    }


def write(tables, folder):
    """A folder with a Parquet file for each table."""
    folder.mkdir()
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    return folder


@pytest.fixture
def folders(tmp_path):
    """Real, synthetic and holdout tables, all of one population."""
    return [
        write(shop(seed), tmp_path / name) for seed, name in enumerate(("real", "new", "unseen"))
    ]


@pytest.fixture
def metadata(tmp_path):
    """A file with the schema in our form."""
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(METADATA.to_dict()))
    return path


def text_of(result):
    """What the terminal shows."""
    console = Console(record=True, width=120, file=io.StringIO())
    console.print(render_evaluation(result))
    return console.export_text()


def test_real_data_score_one_against_themselves(folders, metadata):
    """The real folder as synthetic has quality 1 and is found to be a copy."""
    result = evaluate_folders(folders[0], folders[0], metadata)
    assert (result["quality"], result["privacy"]["exact_copies"]) == (1.0, 1.0)


def test_holdout_gives_the_ceiling(folders, metadata):
    """With a holdout each score has its ceiling, which is the holdout scored as if synthetic."""
    real, new, unseen = folders
    ceiling = evaluate_folders(real, new, metadata, unseen)["ceiling"]
    alone = evaluate_folders(real, unseen, metadata)
    assert ceiling == {name: alone[name] for name in ceiling}


def test_copies_are_compared_with_the_holdouts(folders, metadata):
    """Copies beyond those that data have by nature are the excess over the holdout's."""
    privacy = evaluate_folders(folders[0], folders[0], metadata, folders[2])["privacy"]
    assert (privacy["exact_copies"], privacy["excess_copies"]) == (1.0, 1.0)


def test_result_is_strict_json(folders, metadata):
    """The result holds only what JSON has."""
    result = evaluate_folders(*folders[:2], metadata, folders[2])
    assert result == json.loads(json.dumps(result, allow_nan=False))


@pytest.mark.parametrize("write_form", [Metadata.to_dict, metadata_to_sdv])
def test_metadata_are_read_in_both_forms(tmp_path, folders, write_form):
    """Our own JSON and SDV's say the same; metadata.json beside the real tables is found."""
    (folders[0] / "metadata.json").write_text(json.dumps(write_form(METADATA)))
    read = read_metadata(None, folders[0])
    assert (read.relationships, set(read.tables)) == (METADATA.relationships, set(METADATA.tables))


def test_metadata_are_inferred_without_a_file(folders):
    """Without metadata the schema is inferred from the real tables."""
    result = evaluate_folders(*folders[:2])
    assert set(result["tables"]) == {"customers", "orders"}


def test_sound_tables_have_no_fault(folders, metadata):
    """Equal schemas, unique keys and resolved references are said to be sound."""
    result = evaluate_folders(*folders[:2], metadata)
    assert list(structural_faults(result)) == []


def test_faults_are_said(tmp_path, folders, metadata):
    """A lost type, a repeated key and a dangling reference are each named."""
    tables = shop(3)
    customers = tables["customers"]
    customers = customers.set_column(0, "id", pa.array(np.maximum(np.arange(200), 1)))
    customers = customers.set_column(1, "city", customers["city"].cast(pa.large_string()))
    bad = write({"customers": customers, "orders": tables["orders"]}, tmp_path / "bad")
    orphans = int(np.count_nonzero(tables["orders"]["customer_id"].to_numpy() == 0))
    expected = [
        "Table 'customers': Column 'city' is large_string, not string.",
        "Key customers(id) repeats in 1 rows.",
        f"Foreign key orders.customer_id has {orphans} rows without a parent.",
    ]
    assert expected == list(structural_faults(evaluate_folders(folders[0], bad, metadata)))


def test_missing_tables_are_said_and_the_rest_is_scored(tmp_path, folders, metadata):
    """A table that the synthetic folder lacks is a fault; the others are scored."""
    part = write({"orders": shop(1)["orders"]}, tmp_path / "part")
    result = evaluate_folders(folders[0], part, metadata)
    assert (list(structural_faults(result)), list(result["tables"])) == (
        ["Table 'customers' is missing in the synthetic data."],
        ["orders"],
    )


def test_tables_of_a_snapshot_are_folders_of_parts(tmp_path):
    """A snapshot's table is a folder of parts; both forms are found."""
    (tmp_path / "orders").mkdir()
    pq.write_table(shop(0)["orders"], tmp_path / "orders" / "part-00000.parquet")
    pq.write_table(shop(0)["customers"], tmp_path / "customers.parquet")
    assert {"orders", "customers"} == find_tables(tmp_path).keys()


def test_folder_without_tables_is_said(tmp_path):
    """A folder without Parquet files is an error that names it."""
    with pytest.raises(MetricsError, match="There is no table in"):
        find_tables(tmp_path)


def test_other_tables_are_said(tmp_path, folders, metadata):
    """Folders without a common table are an error that lists both."""
    other = write({"x": pa.table({"a": [1]})}, tmp_path / "other")
    with pytest.raises(MetricsError, match=r"No table of .*customers, orders.* is in .*\(x\)"):
        evaluate_folders(folders[0], other, metadata)


def test_view_shows_scores_and_ceiling(folders, metadata):
    """The terminal's tables show the score, the ceiling beside it, and every table."""
    text = text_of(evaluate_folders(*folders[:2], metadata, folders[2]))
    words = ("Quality", "Holdout (ceiling)", "Intertable trends", "customers", "orders", "✓")
    assert [word for word in words if word not in text] == []
