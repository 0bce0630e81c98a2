"""The structure of JSON documents at one path: kinds of values, keys, numbers of items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.bags import Bag, fit_bag
from prefect_synth.synth.encoding.choice import EncodingSettings
from prefect_synth.synth.encoding.json_style import JsonStyle
from prefect_synth.synth.encoding.layout import RARE, Ints
from prefect_synth.synth.encoding.lists import list_of
from prefect_synth.synth.encoding.nested import draw_items
from prefect_synth.synth.encoding.shapes import Leaf, leaf_name
from prefect_synth.synth.storage import stored

OUTSIDE = object()
"""Stands where a path does not lead: the value above is no object."""

_ABSENT = object()
_MOST_KEYS = 300
_LARGEST = 2**63
_TYPES = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "number": pa.float64(),
          "text": pa.string()}  # fmt: skip
_JSON = pa.json_()


@stored
@dataclass(frozen=True)
class JsonNode:
    """All values at one path.

    Args:
        kinds: Kinds of values that enough rows have: absent, null, bool, int, float, number
            (whole and other numbers mixed), text, object, list.
        fields: Nodes of an object's keys, in their usual order.
        bag: Items of the lists; as JSON texts.
        style: How values are written.
        depth: Objects and lists around.
    """

    kinds: tuple[str, ...]
    fields: dict[str, JsonNode]
    bag: Bag | None
    style: JsonStyle
    depth: int

    def flatten(self, name: str, values: list[Any], leaves: dict[str, pa.Array]) -> None:
        """Add the leaves of the values at this path to `leaves`."""
        kinds = _kinds(values, mixed="number" in self.kinds)
        if len(self.kinds) > 1:
            known = [k if k in self.kinds else None for k in kinds]
            leaves[leaf_name(name, "?")] = pa.array(known, pa.string())
        for kind in self.kinds:
            if kind in _TYPES:
                own = [v if k == kind else None for v, k in zip(values, kinds, strict=True)]
                leaves[leaf_name(name, kind)] = pa.array(own, _TYPES[kind])
            if kind == "list":
                sizes = [len(v) if k == kind else None for v, k in zip(values, kinds, strict=True)]
                leaves[leaf_name(name, "#")] = pa.array(sizes, pa.int64())
        for key, node in self.fields.items():
            node.flatten(leaf_name(name, f".{key}"), _under(values, key), leaves)

    def build(
        self, name: str, leaf: Leaf, inside: np.ndarray, rng: np.random.Generator
    ) -> pa.Array:
        """JSON texts, null where absent or not `inside`, [n]."""
        made = pa.nulls(len(inside), pa.string())
        if len(self.kinds) > 1:
            drawn = leaf(leaf_name(name, "?"), inside)
        for kind in self.kinds:
            rows = inside
            if len(self.kinds) > 1:
                rows = inside & np.asarray(pc.fill_null(pc.equal(drawn, kind), False))
            if kind != "absent":
                texts = self._texts(kind, name, leaf, rows, rng)
                made = pc.if_else(pa.array(rows), texts, made)
        return made

    def _texts(
        self, kind: str, name: str, leaf: Leaf, rows: np.ndarray, rng: np.random.Generator
    ) -> pa.Array:
        if kind == "null":
            return pa.array(["null"]).take(pa.array(np.zeros(len(rows), np.int64)))
        if kind == "object":
            return self._objects(name, leaf, rows, rng)
        if kind == "list":
            return self._lists(name, leaf, rows, rng)
        values = leaf(leaf_name(name, kind), rows)
        if kind == "bool":
            return pc.if_else(values, "true", "false")
        if kind == "text":
            return self.style.quoted(values)
        texts = values.cast(pa.string())
        if kind != "float":
            return texts
        return pc.if_else(
            pc.match_substring_regex(texts, r"^-?\d+$"),
            pc.binary_join_element_wise(texts, ".0", ""),
            texts,
        )

    def _objects(
        self, name: str, leaf: Leaf, rows: np.ndarray, rng: np.random.Generator
    ) -> pa.Array:
        parts = [pa.scalar("")]  # Arrow leaves out rows in which every part is skipped
        for key, node in self.fields.items():
            start = pa.scalar(self.style.dumps(key) + self.style.colon)
            value = node.build(leaf_name(name, f".{key}"), leaf, rows, rng)
            parts.append(pc.binary_join_element_wise(start, value, ""))
        if len(parts) == 1:
            return pa.array(["{}"]).take(pa.array(np.zeros(len(rows), np.int64)))
        before, between, after = self.style.around(self.depth)
        joined = pc.binary_join_element_wise(*parts, between, null_handling="skip")
        inner = pc.utf8_slice_codeunits(joined, len(between))
        full = pc.binary_join_element_wise("{" + before, inner, after + "}", "")
        return pc.if_else(pc.equal(inner, ""), "{}", full)

    def _lists(self, name: str, leaf: Leaf, rows: np.ndarray, rng: np.random.Generator) -> pa.Array:
        assert self.bag is not None  # noqa: S101 - fitted where there are lists
        length = np.asarray(leaf(leaf_name(name, "#"), rows).fill_null(0))
        wanted = np.where(rows, np.maximum(length, 0), 0).astype(np.int64)
        items, wanted = draw_items(self.bag, wanted, rng, distinct=False)
        texts = items.storage if isinstance(items, pa.ExtensionArray) else items
        if self.style.indent:  # an item is written as if nothing were around it
            pad = "\n" + " " * self.style.indent * (self.depth + 1)
            texts = pc.replace_substring(texts, "\n", pad)
        before, between, after = self.style.around(self.depth)
        lists = list_of(pa.list_(texts.type), wanted, np.ones(len(rows), bool), texts)
        inner = pc.binary_join(lists, between)
        full = pc.binary_join_element_wise(
            pa.scalar("[" + before, inner.type), inner, pa.scalar(after + "]", inner.type),
            pa.scalar("", inner.type),
        )  # fmt: skip
        return pc.if_else(pa.array(wanted == 0), "[]", full).cast(pa.string())


def fit_node(
    name: str,
    values: list[Any],
    style: JsonStyle,
    settings: EncodingSettings,
    units: Ints | None = None,
    depth: int = 0,
) -> JsonNode:
    """Learn the structure of the values at one path.

    Args:
        name: The path.
        values: The value of each row, or `OUTSIDE`.
        style: How documents are written.
        settings: Locale and marginals, of the items of lists.
        units: The unit of each row, if known.
        depth: Objects and lists around.
    """
    kinds = _kinds(values, mixed=False)
    mixed = {"int", "float"} <= set(kinds)
    kinds = _kinds(values, mixed=True) if mixed else kinds
    common = _common(kinds, units) or tuple(k for k, _ in Counter(kinds).most_common(1) if k)
    fields, bag = {}, None
    if "object" in common:
        for key in _keys(values, units):
            fields[key] = fit_node(
                leaf_name(name, f".{key}"), _under(values, key), style, settings, units, depth + 1
            )
    if "list" in common:
        bag = _fit_items(name, values, style, settings, units)
    return JsonNode(common or ("null",), fields, bag, style, depth)


def _fit_items(
    name: str,
    values: list[Any],
    style: JsonStyle,
    settings: EncodingSettings,
    units: Ints | None,
) -> Bag:
    lists = [(i, v) for i, v in enumerate(values) if isinstance(v, list)]
    texts = [style.dumps(item) for _, v in lists for item in v]
    rows = np.repeat([i for i, _ in lists], [len(v) for _, v in lists])
    items = pa.ExtensionArray.from_storage(_JSON, pa.array(texts, pa.string()))
    return fit_bag(name, items, settings, None if units is None else units[rows.astype(int)])


def _kinds(values: list[Any], *, mixed: bool) -> list[str | None]:
    numbers = ("number", "number") if mixed else ("int", "float")
    names: Mapping[type, str] = {
        dict: "object", list: "list", str: "text", bool: "bool", type(None): "null",
        int: numbers[0], float: numbers[1],
    }  # fmt: skip
    return [
        None if v is OUTSIDE else "absent" if v is _ABSENT else
        numbers[1] if type(v) is int and not -_LARGEST <= v < _LARGEST else names[type(v)]
        for v in values
    ]  # fmt: skip


def _common(kinds: list[str | None], units: Ints | None) -> tuple[str, ...]:
    """The kinds that enough rows have."""
    holders: dict[str, Any] = {}
    for row, kind in enumerate(kinds):
        if kind is not None:
            holders.setdefault(kind, set()).add(row if units is None else int(units[row]))
    return tuple(sorted(k for k, who in holders.items() if len(who) >= RARE))


def _keys(values: list[Any], units: Ints | None) -> list[str]:
    """The keys that enough rows have, in their usual order."""
    holders: dict[str, set[int]] = {}
    place: Counter[str] = Counter()
    for row, value in enumerate(values):
        for i, key in enumerate(value if isinstance(value, dict) else ()):
            holders.setdefault(key, set()).add(row if units is None else int(units[row]))
            place[key] += i
    common = [k for k, who in holders.items() if len(who) >= RARE]
    common = sorted(common, key=lambda k: -len(holders[k]))[:_MOST_KEYS]
    return sorted(common, key=lambda k: (place[k] / len(holders[k]), k))


def _under(values: list[Any], key: str) -> list[Any]:
    return [v.get(key, _ABSENT) if isinstance(v, dict) else OUTSIDE for v in values]
