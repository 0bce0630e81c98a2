"""Figures of rows that have not changed are not computed again, and are the same figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.expectations.fidelity import Fidelity, measure_fidelity
from prefect_synth.expectations.memory import Memory
from prefect_synth.expectations.report_build import all_degrees, all_distances, all_pairs
from prefect_synth.expectations.report_known import (
    known_degrees,
    known_distances,
    known_pairs,
)
from prefect_synth.expectations.settings import Gates
from prefect_synth.tasks.references import file_fingerprint


def measured(shop: Any, known: dict[str, Any], gates: Gates) -> tuple[Fidelity, Memory]:
    """Measure a shop with what is known of an earlier one."""
    prints = {name: file_fingerprint(path) for name, path in shop.synthetic.items()}
    memory = Memory(prints, prints, known)
    return measure_fidelity(shop.sides, gates, memory=memory), memory


@pytest.mark.parametrize("rows", [20_000, 1000], ids=["whole", "sampled"])
def test_known_figures_make_the_same_judgement(shop: Any, rows: int) -> None:
    """After one table changed, the rest is remembered, and all scores are those from scratch."""
    gates = replace_rows(Gates(), rows)
    first, memory = measured(shop, {}, gates)
    orders = shop.table("orders")
    path = shop.synthetic["orders"]
    path.unlink()
    pq.write_table(orders.take(pa.array(range(len(orders) - 1, -1, -1))), path)
    partly, learned = measured(shop, memory.used, gates)
    scratch, _ = measured(shop, {}, gates)
    assert partly == scratch
    assert learned.used.keys() & memory.used.keys()
    assert learned.used.keys() - memory.used.keys()
    assert first.crashed == partly.crashed == []


def replace_rows(gates: Gates, rows: int) -> Gates:
    """Gates that compare at most so many rows."""
    return gates.model_copy(update={"max_rows": rows, "compared_rows": rows})


def test_only_what_is_unknown_is_computed(tmp_path: Path) -> None:
    """A figure is asked for again when rows, keys of others, or settings are others."""
    asked: list[list[str]] = []

    def compute(names: Any) -> dict[str, Any]:
        asked.append(list(names))
        return {name: len(name) for name in names}

    names = {"orders": ({"orders"}, {"customers"}), "customers": ({"customers"}, ())}
    memory = Memory({"orders": "a", "customers": "b"}, {"customers": "k"})
    assert memory.each("shape", names, 1, compute) == {"orders": 6, "customers": 9}
    memory.save(tmp_path / "figures.json")
    for rows, keys, settings in (("b", "k", 1), ("b", "moved", 1), ("c", "k", 1), ("b", "k", 2)):
        later = Memory.read(
            {"orders": "a", "customers": rows}, {"customers": keys}, tmp_path / "figures.json"
        )
        assert later.each("shape", names, settings, compute) == {"orders": 6, "customers": 9}
    assert asked[1:] == [["orders"], ["customers"], ["orders", "customers"]]


def test_without_fingerprints_everything_is_computed() -> None:
    """Tables that nobody took a fingerprint of are always measured."""
    memory = Memory(known={"": 1})
    assert memory.each("shape", {"t": ({"t"}, ())}, 1, lambda names: {"t": 2}) == {"t": 2}
    assert memory.used == {}


def test_known_views_of_a_report_are_those_from_scratch(shop: Any) -> None:
    """After one table changed, associations, degrees and distances are those of a first night."""

    sides, quality = shop.sides, measure_fidelity(shop.sides, Gates()).quality
    score = quality[0] if quality else None

    def views(known: dict[str, Any]) -> tuple[list[Any], Memory]:
        prints = {name: file_fingerprint(path) for name, path in shop.synthetic.items()}
        memory = Memory(prints, prints, known)
        found = [
            known_pairs(sides, score, memory),
            known_degrees(sides, score, memory),
            known_distances(sides, (), memory),
        ]
        return found, memory

    first, memory = views({})
    kept = json.loads(json.dumps(memory.used))
    plain = [
        all_pairs(sides.metadata, sides.training, sides.synthetic, score),
        all_degrees(sides.metadata, sides.whole, sides.synthetic, score),
        all_distances(sides.metadata, sides.training, sides.synthetic, sides.holdout),
    ]
    assert repr(first) == repr(plain)  # NaN is no number, but reads the same
    assert repr(views(kept)[0]) == repr(plain)
    orders = shop.table("orders")
    shop.synthetic["orders"].unlink()
    pq.write_table(orders.slice(0, len(orders) // 2), shop.synthetic["orders"])
    partly, learned = views(kept)
    assert repr(partly) == repr(views({})[0])
    assert repr(partly) != repr(first)
    assert learned.used.keys() & kept.keys()
    assert learned.used.keys() - kept.keys()
