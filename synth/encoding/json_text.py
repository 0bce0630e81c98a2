"""Text columns of JSON documents as leaves, and back in the same formatting."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.choice import EncodingSettings
from prefect_synth.synth.encoding.json_node import OUTSIDE, JsonNode, fit_node
from prefect_synth.synth.encoding.json_style import JsonStyle
from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.encoding.pieces import kind_of
from prefect_synth.synth.encoding.shapes import Leaf, presence, present_rows
from prefect_synth.synth.storage import stored

_LOOKED_AT = 1000
_PARSED = 0.99
_STYLES = tuple(
    JsonStyle(item, colon, ascii_only, indent)
    for item, colon, indent in (
        (", ", ": ", 0), (",", ":", 0), (",", ": ", 0), (",", ": ", 2), (",", ": ", 4),
    )
    for ascii_only in (False, True)
)  # fmt: skip


@stored
@dataclass(frozen=True)
class JsonShape:
    """JSON documents: what they hold is learned leaf by leaf.

    Args:
        kind: Schema with one field of the column's type.
        root: The documents' structure.
        nullable: Whether a document may be missing altogether.
    """

    kind: pa.Schema
    root: JsonNode
    nullable: bool

    def flatten(self, name: str, values: pa.Array) -> dict[str, pa.Array]:
        """Presence, and the leaves of the documents."""
        leaves = presence(name, values)
        self.root.flatten(name, parsed(values), leaves)
        return leaves

    def build(
        self,
        name: str,
        leaf: Leaf,
        needed: np.ndarray | None,
        rows: int,
        rng: np.random.Generator,
    ) -> pa.Array:
        """Documents of the leaves."""
        there = present_rows(name, self.nullable, leaf, needed, rows)
        texts, kind = self.root.build(name, leaf, there, rng), kind_of(self.kind)
        if isinstance(kind, pa.BaseExtensionType):
            return pa.ExtensionArray.from_storage(kind, texts.cast(kind.storage_type))
        if pa.types.is_dictionary(kind):
            return texts.cast(kind.value_type).dictionary_encode().cast(kind)
        return texts.cast(kind)


def fit_json(
    name: str, values: pa.Array, settings: EncodingSettings, units: Ints | None = None
) -> JsonShape:
    """The shape of a column of JSON documents."""
    documents = parsed(values)
    node = fit_node(name, documents, _style(values), settings, units)
    return JsonShape(pa.schema([("v", values.type)]), node, values.null_count > 0)


def are_documents(values: pa.Array) -> bool:
    """Whether texts are JSON objects or arrays, by a look at some of them."""
    texts = _texts(values)
    some = texts.take(pa.array(np.linspace(0, len(texts) - 1, _LOOKED_AT).astype(int))) if (
        len(texts) > _LOOKED_AT
    ) else texts  # fmt: skip
    some = some.drop_null()
    if not len(some) or not pc.all(pc.match_substring_regex(some, r"^\s*[\[{]")).as_py():
        return False
    good = [_parse(text) is not OUTSIDE for text in some.to_pylist()]
    return sum(good) >= _PARSED * len(good)


def parsed(values: pa.Array) -> list[Any]:
    """The documents as Python values; what is missing or damaged is `OUTSIDE`.

    Each different text is parsed once: JSON has no columns to work on before it is parsed.
    """
    coded = _texts(values).dictionary_encode()
    known = [_parse(text) for text in coded.dictionary.to_pylist()]
    return [OUTSIDE if code is None else known[code] for code in coded.indices.to_pylist()]


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return OUTSIDE


def _texts(values: pa.Array) -> pa.Array:
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if pa.types.is_dictionary(values.type):
        values = values.dictionary.take(values.indices)
    return values.cast(pa.large_string())


def _style(values: pa.Array) -> JsonStyle:
    """The formatting that writes most of some documents as they are."""
    some = _texts(values.slice(0, _LOOKED_AT)).drop_null().to_pylist()
    documents = [(t, d) for t in some[:200] if (d := _parse(t)) is not OUTSIDE]

    def kept(style: JsonStyle) -> int:
        return sum(style.dumps(d) == t for t, d in documents)

    return max(_STYLES, key=kept)
