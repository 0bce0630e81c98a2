"""A staged file is whole or not there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.tasks.warehouses.errors import StagedFileError
from prefect_synth.tasks.warehouses.staging_writer import ROW_GROUP_ROWS, row_groups, write_staged

SCHEMA = pa.schema([pa.field("x", pa.float64())])


def batches(*sizes: int) -> Iterator[pa.RecordBatch]:
    """Batches of random numbers, which do not compress."""
    rng = np.random.default_rng(0)
    for size in sizes:
        yield pa.RecordBatch.from_arrays([pa.array(rng.random(size))], schema=SCHEMA)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root and the right to mount")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_row_groups_do_not_depend_on_batches() -> None:
    """However the stream is cut, the groups are the same."""
    sizes = [(300_000,), (1, 131_071, 131_072, 37_856), (60_000,) * 5]
    cut = [[g.num_rows for g in row_groups(batches(*s), SCHEMA)] for s in sizes]
    assert cut == [[ROW_GROUP_ROWS, ROW_GROUP_ROWS, 37_856]] * 3


def test_a_failing_stream_leaves_nothing(tmp_path: Path) -> None:
    """When the source breaks off, neither the file nor its beginning is left."""

    def breaking() -> Iterator[pa.RecordBatch]:
        yield from batches(200_000)
        raise ValueError("broken off")

    with pytest.raises(ValueError, match="broken off"):
        write_staged(tmp_path / "t.parquet", SCHEMA, breaking())
    assert list(tmp_path.iterdir()) == []


def test_a_failing_stream_keeps_the_old_file(tmp_path: Path) -> None:
    """A file from before is replaced only by a complete one."""
    path = tmp_path / "t.parquet"
    write_staged(path, SCHEMA, batches(5))
    with pytest.raises(ZeroDivisionError):
        write_staged(path, SCHEMA, (1 / 0 for _ in [0]))
    assert pq.read_metadata(path).num_rows == 5


def test_a_full_disk_is_explained(tiny_disk: Path) -> None:
    """A full disk is named with path and free space, and nothing half is left."""
    with pytest.raises(StagedFileError, match=r"The disk is full: '.*t\.parquet'.*MiB are free"):
        write_staged(tiny_disk / "t.parquet", SCHEMA, batches(*[131_072] * 4))
    assert list(tiny_disk.iterdir()) == []


def test_a_folder_that_is_a_file_is_explained(tmp_path: Path) -> None:
    """A staging folder that cannot be made is named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StagedFileError, match=r"could not be written.*Set 'staging'"):
        write_staged(tmp_path / "file" / "t.parquet", SCHEMA, batches(1))
