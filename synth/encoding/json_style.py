"""How JSON documents are written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from prefect_synth.synth.storage import stored


@stored
@dataclass(frozen=True)
class JsonStyle:
    """How documents are written.

    Args:
        item: Between two items.
        colon: Between a key and its value.
        ascii_only: Whether other letters are escaped.
        indent: Spaces of one level, each item on a line of its own; 0 for none.
    """

    item: str
    colon: str
    ascii_only: bool
    indent: int

    def dumps(self, value: Any) -> str:
        """A document of this style."""
        return json.dumps(
            value,
            separators=(self.item, self.colon),
            ensure_ascii=self.ascii_only,
            indent=self.indent or None,
        )

    def around(self, depth: int) -> tuple[str, str, str]:
        """What comes before, between and after the items of a list at `depth`."""
        if not self.indent:
            return "", self.item, ""
        inner, outer = ("\n" + " " * self.indent * d for d in (depth + 1, depth))
        return inner, self.item.rstrip() + inner, outer

    def quoted(self, values: pa.Array) -> pa.Array:
        """Texts as JSON strings; each different text is written once."""
        coded = values.cast(pa.string()).dictionary_encode()
        written = pa.array([self.dumps(text) for text in coded.dictionary.to_pylist()], pa.string())
        return written.take(coded.indices)
