"""What scores read of tables on disk."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.synth.metrics.sources import (
    MetricsError,
    count_rows,
    read_columns,
    read_encoded,
    read_schema,
)


def written(path: Path, values: list[str]) -> Path:
    """A file with one column."""
    pq.write_table(pa.table({"city": values}), path)
    return path


def test_what_was_written_anew_is_read_anew(tmp_path: Path) -> None:
    """Files are known by what they are, not by where they lie, alone and in a folder."""
    for place in (file := written(tmp_path / "part.parquet", ["Ulm", "Bonn"]), tmp_path):
        assert (count_rows(place), read_columns(place, ["city"]).num_rows) == (2, 2)
    written(file, ["Kiel"])
    for place in (file, tmp_path):
        assert (count_rows(place), read_encoded(place, "city").to_pylist()) == (1, ["Kiel"])


def test_a_part_that_is_added_counts(tmp_path: Path) -> None:
    """A folder of parts is all that lies in it now."""
    written(tmp_path / "part-0.parquet", ["Ulm"])
    assert count_rows(tmp_path) == 1
    written(tmp_path / "part-1.parquet", ["Bonn", "Kiel"])
    assert read_columns(tmp_path, ["city"])["city"].to_pylist() == ["Ulm", "Bonn", "Kiel"]


def test_a_relative_path_is_one_of_this_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same name elsewhere is another file, and one that is gone is told."""
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        written(Path("x.parquet"), [name])
        assert read_columns(Path("x.parquet"), ["city"])["city"].to_pylist() == [name]
    Path("x.parquet").unlink()
    with pytest.raises(MetricsError, match="There is nothing at"):
        read_schema(Path("x.parquet"))
