"""A small picture of coloured cells as a PNG, for a page that loads nothing."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Colour = tuple[int, int, int, int]
"""Red, green, blue and opacity, each from 0 to 255."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PALETTE = 3  # the colour type of ISO/IEC 15948, section 11.2.1


def cells_as_data_uri(cells: npt.NDArray[np.uint8], colours: Sequence[Colour]) -> str:
    """Draw one pixel a cell (ISO/IEC 15948: indexed colour with transparency).

    Args:
        cells: H x W places in `colours`.
        colours: At most 256.

    Returns:
        A `data:` address for an image.
    """
    height, width = cells.shape
    header = struct.pack(">IIBBBBB", width, height, 8, _PALETTE, 0, 0, 0)
    lines = np.hstack([np.zeros((height, 1), dtype=np.uint8), cells])  # 0: no filter
    table = np.array(colours, dtype=np.uint8)
    parts = [
        (b"IHDR", header),
        (b"PLTE", table[:, :3].tobytes()),
        (b"tRNS", table[:, 3].tobytes()),
        (b"IDAT", zlib.compress(lines.tobytes(), 9)),
        (b"IEND", b""),
    ]
    png = _SIGNATURE + b"".join(_chunk(kind, content) for kind, content in parts)
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
