"""k-anonymity of published columns."""

import pyarrow as pa
import pyarrow.parquet as pq

from prefect_synth.synth.metrics.anonymity import Anonymity, k_anonymity

TABLE = pa.table({"zip": ["1"] * 60 + ["2"] * 37 + ["3", None, None], "sex": ["f"] * 100})


def test_the_smallest_class_is_k():
    """One row with a postcode of its own makes k one; null is a value."""
    assert k_anonymity(TABLE, ["zip", "sex"]) == Anonymity(1, 37, 4, 100)


def test_fewer_columns_make_larger_classes():
    """Everybody shares one value of a constant column."""
    assert k_anonymity(TABLE, ["sex"]) == Anonymity(100, 100, 1, 100)


def test_nineteen_of_twenty_rows_count():
    """With 6 % of the rows alone, the twentieth row of a hundred is alone too."""
    table = pa.table({"zip": ["1"] * 94 + list("abcdef")})
    assert k_anonymity(table, ["zip"]).p5 == 1


def test_an_empty_file_has_no_class(tmp_path):
    """Nothing is said of no rows."""
    pq.write_table(TABLE.slice(100), tmp_path / "t.parquet")
    assert k_anonymity(tmp_path / "t.parquet", ["zip"]) == Anonymity(0, 0, 0, 0)
