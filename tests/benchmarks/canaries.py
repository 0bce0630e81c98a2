"""Values that stand in one real row only, in each type of column, and the search for them.

A canary in the synthetic tables or in the stored model is a real value that got out.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from safetensors.numpy import load_file

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table

ROWS, PARENTS = 3000, 400
UTC = dt.UTC
CANARIES: dict[str, tuple[Any, ...]] = {
    "amount": (987654.3217, -876543.2109),
    "units": (7654321, -6543217),
    "price": (Decimal("98765.43"), Decimal("-87654.31")),
    "placed": (dt.datetime(1903, 3, 7, 5, 11, 13), dt.datetime(2097, 11, 9, 23, 17, 41)),
    "seen": (dt.datetime(1907, 1, 5, 3, 1, 9, tzinfo=UTC), dt.datetime(2093, 7, 3, tzinfo=UTC)),
    "born": (dt.date(1889, 2, 3), dt.date(2089, 5, 7)),
    "at": (dt.time(0, 0, 7), dt.time(23, 59, 53)),
    "took": (dt.timedelta(days=87, seconds=13), dt.timedelta(days=-91, seconds=17)),
    "colour": ("canary-vermilion", "canary-cerulean"),
    "status": ("canary-lost", "canary-found"),
    "note": ("canaryword alpha", "omega canaryword2"),
    "tags": (["canary-tag"], ["canary-tag", "canary-other"]),
    "detail": ('{"canary": 1}', '{"kind": "canary-json"}'),
    "blob": (b"canary-blob-one", b"canary-blob-two"),
}
"""By column, two values of one row each: beyond all others where the column is ordered."""

SDTYPES = {
    "email": "email", "colour": "categorical", "status": "categorical", "note": "text",
    "tags": "unknown", "detail": "text", "blob": "unknown",
    "placed": "datetime", "seen": "datetime", "born": "datetime", "at": "datetime",
}  # fmt: skip


def planted_canaries(seed: int = 0) -> tuple[dict[str, pa.Table], Metadata]:
    """People and their orders; unique e-mails, and canaries in every other column of the orders."""
    rng = np.random.default_rng(seed)
    columns = _columns(rng)
    for name, canaries in CANARIES.items():
        for place, value in zip(
            rng.choice(ROWS, len(canaries), replace=False), canaries, strict=True
        ):
            columns[name][place] = value
    emails = [f"canary.person.{i:04d}@real-mail.example" for i in range(PARENTS)]
    people = pa.table({"person_id": np.arange(PARENTS), "email": emails, "mail": emails})
    types = {
        "price": pa.decimal128(12, 2), "placed": pa.timestamp("us"),
        "seen": pa.timestamp("us", "UTC"), "at": pa.time32("s"), "took": pa.duration("us"),
        "tags": pa.list_(pa.string()), "blob": pa.binary(),
    }  # fmt: skip
    orders = pa.table(
        {
            "order_id": np.arange(ROWS),
            "person_id": rng.integers(0, PARENTS, ROWS),
            **{name: pa.array(values, types.get(name)) for name, values in columns.items()},
        }
    )
    return {"people": people, "orders": orders}, _metadata()


def _columns(rng: np.random.Generator) -> dict[str, list[Any]]:
    seconds = rng.integers(0, 10**8, ROWS).tolist()
    start = dt.datetime(2020, 1, 1)
    words = np.array(["blue", "green", "small", "large", "fast", "slow", "new", "old"])
    return {
        "amount": np.round(rng.normal(100, 20, ROWS), 4).tolist(),
        "units": rng.integers(0, 500, ROWS).tolist(),
        "price": [Decimal(int(c)) / 100 for c in rng.integers(100, 90000, ROWS)],
        "placed": [start + dt.timedelta(seconds=s) for s in seconds],
        "seen": [start.replace(tzinfo=UTC) + dt.timedelta(seconds=s) for s in seconds],
        "born": [dt.date(1950, 1, 1) + dt.timedelta(days=s // 5000) for s in seconds],
        "at": [dt.time(9 + s % 8, s % 60, s % 59) for s in seconds],
        "took": [dt.timedelta(seconds=s % 90_000) for s in seconds],
        "colour": rng.choice(["red", "green", "blue"], ROWS).tolist(),
        "status": rng.choice(["open", "paid"], ROWS).tolist(),
        "note": [" ".join(rng.choice(words, 4)) for _ in range(ROWS)],
        "tags": [list(rng.choice(words, rng.integers(0, 3))) for _ in range(ROWS)],
        "detail": [json.dumps({"kind": str(w)}) for w in rng.choice(words, ROWS)],
        "blob": [bytes(rng.integers(0, 255, 8, dtype=np.uint8)) for _ in range(ROWS)],
    }


def _metadata() -> Metadata:
    people = {
        "person_id": Column("person_id", "id", False),
        "email": Column("email", "email", False),
        "mail": Column("mail", "categorical", False),  # nobody said that it is personal
    }
    orders = {c: Column(c, "id", False) for c in ("order_id", "person_id")}
    orders |= {c: Column(c, SDTYPES.get(c, "numerical")) for c in CANARIES}
    tables = {
        "people": Table("people", people, ("person_id",), (("email",), ("mail",))),
        "orders": Table("orders", orders, ("order_id",)),
    }
    return Metadata(tables, (Relationship("orders", ("person_id",), "people", ("person_id",)),))


def in_output(tables: Mapping[str, pa.Table], real: Mapping[str, pa.Table]) -> list[str]:
    """Canaries that stand in synthetic rows, as `column: value`."""
    secrets = {name: [_plain(v) for v in values] for name, values in CANARIES.items()}
    found = []
    for name, values in secrets.items():
        there = {_plain(v) for v in tables["orders"][name].to_pylist()}
        found += [f"{name}: {value}" for value in values if value in there]
        texts = " ".join(v for v in there if isinstance(v, str))
        found += [f"{name}: {w}" for w in _words(values) if w in texts]
    real_mails = set(real["people"]["email"].to_pylist())
    for name in ("email", "mail"):
        made = set(tables["people"][name].to_pylist())
        found += [f"{name}: {m}" for m in sorted(made & real_mails)]
    return found


def in_model(folder: Path) -> list[str]:
    """Canaries that stand in a stored model: its texts, its Arrow values and its arrays."""
    arrays = [a for file in folder.rglob("*.safetensors") for a in load_file(file).values()]
    values: set[Any] = {float(x) for a in arrays if a.dtype.kind in "iuf" for x in np.ravel(a)}
    texts = [file.read_text() for file in folder.rglob("*.json")]
    for document in [json.loads(text) for text in texts]:
        values |= set(_numbers(document))
        for table in _stored_tables(document):
            values |= {_plain(v) for v in table.column(0).to_pylist()}
    whole = "\n".join([*texts, *(v for v in values if isinstance(v, str))]).lower()
    found = [f"text: {mark}" for mark in ("canary", "real-mail") if mark in whole]
    for name, canaries in CANARIES.items():
        found += [f"{name}: {c}" for c in canaries if (_as_numbers(c) | {_plain(c)}) & values]
    return found


def _plain(value: Any) -> Any:
    """A form in which equal values are equal: numbers as floats, the rest as text or as it is."""
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, list):
        return " ".join(map(str, value))
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _words(values: list[Any]) -> list[str]:
    return [w for v in values if isinstance(v, str) for w in v.split() if "canary" in w]


def _as_numbers(value: Any) -> set[float]:
    """The numbers by which a model might store a value: as it is, or in ticks of any unit."""
    if isinstance(value, (int, float, Decimal)):
        return {float(value), float(round(Decimal(str(value)) * 100))}
    if isinstance(value, dt.datetime):
        seconds = value.replace(tzinfo=UTC).timestamp()
    elif isinstance(value, dt.date):
        seconds = (value - dt.date(1970, 1, 1)).days * 86400.0
    elif isinstance(value, dt.timedelta):
        seconds = value.total_seconds()
    else:
        return set()
    days = {seconds / 86400} if isinstance(value, dt.date) else set()
    return {seconds, seconds * 1e3, seconds * 1e6, seconds * 1e9} | days


def _stored_tables(value: Any) -> Iterator[pa.Table]:
    """Every Arrow stream in a stored document."""
    if isinstance(value, dict):
        if isinstance(value.get("$values"), str):
            yield pa.ipc.open_stream(base64.b64decode(value["$values"])).read_all()
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _stored_tables(item)


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, (int, float)):
        yield float(value)
