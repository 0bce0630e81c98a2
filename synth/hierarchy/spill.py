"""Large arrays of a plan: in memory, or in files that the system pages in and out."""

from __future__ import annotations

import mmap
import re
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded, Layout
from prefect_synth.synth.errors import RequestError

_SMALL = 2**20
_UNITS = {"": 1, "B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}


def parse_size(size: int | str) -> int:
    """Bytes of a size such as `2GB` or `512 MB`.

    Raises:
        RequestError: It is no size.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?i?B?)\s*", str(size), re.IGNORECASE)
    unit = found.group(2).upper().replace("I", "") if found else "?"
    unit = unit if unit.endswith("B") or not unit else f"{unit}B"
    if found is None or unit not in _UNITS or float(found.group(1)) <= 0:
        raise RequestError(f"memory must be a size such as 2GB or 512MB, got '{size}'.")
    return int(float(found.group(1)) * _UNITS[unit])


class Spill:
    """Makes arrays: small ones in memory, large ones in a temporary folder.

    Args:
        most: Bytes that arrays may take in memory, all together; without end where None.
    """

    def __init__(self, most: int | None = None) -> None:
        self.most, self.used = most, 0
        self._folder: Path | None = None
        self._files = 0
        self._maps: list[np.memmap[Any, Any]] = []

    def array(self, shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
        """An array of zeros."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        if self.most is None or size < _SMALL or self.used + size <= self.most:
            self.used += size
            return np.zeros(shape, dtype)
        self._maps.append(np.lib.format.open_memmap(self._file(), "w+", dtype, shape))
        return self._maps[-1]

    def relax(self) -> None:
        """Let the system take back the memory of files' pages; their content stays."""
        for mapped in self._maps:
            mapped._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]

    def _file(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="prefect-synth-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._files += 1
        return self._folder / f"{self._files}.npy"


class Rows:
    """Encoded rows that are written block by block, in half the memory.

    Args:
        spill: Makes the arrays.
        rows: Number of rows.
        layouts: The pieces of each column.
    """

    def __init__(self, spill: Spill, rows: int, layouts: tuple[Layout, ...]) -> None:
        shape = (rows, len(layouts))
        self.spill = spill
        self.encoded = Encoded(
            spill.array(shape, np.int32), spill.array(shape, np.float32), layouts
        )

    def write(self, start: int, some: Encoded) -> None:
        """Put rows in their place."""
        self.encoded.pieces[start : start + len(some)] = some.pieces
        self.encoded.places[start : start + len(some)] = some.places
        self.spill.relax()
