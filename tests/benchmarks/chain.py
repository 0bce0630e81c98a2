"""Large schemas made of nothing: many tables, many columns, any depth."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table

GROWTH = 2.0
KINDS = ("float", "int", "category", "flag", "time")


def hierarchy(
    tables: int = 12, depth: int = 6, columns: int = 15, roots: int = 250, seed: int = 0
) -> tuple[dict[str, pa.Table], Metadata]:
    """Tables in `depth` levels, each level twice as long as the one above.

    A table refers to the table above it; every second one has two parents on the level above.
    A row's columns follow its parent's, so that there is something to learn at every depth.

    Args:
        tables: How many.
        depth: Levels; the tables are spread evenly.
        columns: Columns of each table besides its keys, floats, integers, categories, flags and
            times in turn.
        roots: Rows of a table of the first level.
        seed: Of every draw.
    """
    rng = np.random.default_rng(seed)
    wide = -(-tables // depth)
    made: dict[str, pa.Table] = {}
    latents: dict[str, np.ndarray] = {}
    described: dict[str, Table] = {}
    relations: list[Relationship] = []
    for number in range(tables):
        level, place = divmod(number, wide)
        name = f"t{level + 1}_{place + 1}"
        rows = round(roots * GROWTH**level)
        above = [p for p in (place, place - 1 if place % 2 else -1) if p >= 0] if level else []
        parents = [f"t{level}_{p + 1}" for p in above]
        keys = {f"{p}_id": rng.integers(0, made[p].num_rows, rows) for p in parents}
        latent = 0.7 * rng.normal(size=rows)
        for parent, key in zip(parents, keys.values(), strict=True):
            latent += 0.7 * latents[parent][key] / len(parents)
        latents[name] = latent
        values = {f"c{i + 1}": _column(i, latent, rng) for i in range(columns)}
        made[name] = pa.table({"id": np.arange(rows), **keys, **values})
        listed = {c: Column(c, "id", False) for c in ("id", *keys)}
        listed |= {c: Column(c, _sdtype(i), False) for i, c in enumerate(values)}
        described[name] = Table(name, listed, ("id",))
        relations += [Relationship(name, (f"{p}_id",), p, ("id",)) for p in parents]
    return made, Metadata(described, tuple(relations))


def _sdtype(number: int) -> str:
    return {"category": "categorical", "flag": "boolean", "time": "datetime"}.get(
        KINDS[number % len(KINDS)], "numerical"
    )


def _column(number: int, latent: np.ndarray, rng: np.random.Generator) -> pa.Array:
    """A column that follows the row's latent, the closer the earlier it stands."""
    kind = KINDS[number % len(KINDS)]
    share = 0.9 / (1 + number // len(KINDS))
    z = share * latent + np.sqrt(1 - share**2) * rng.normal(size=len(latent))
    if kind == "float":
        return pa.array(np.round(np.exp(z), 3))
    if kind == "int":
        return pa.array(np.rint(50 + 15 * z).astype(np.int64))
    if kind == "category":
        return pa.array(np.array(list("abcdefgh"))[np.clip(np.rint(2 * z + 3.5), 0, 7).astype(int)])
    if kind == "flag":
        return pa.array(z > 0.5)
    seconds = 1_700_000_000 + np.rint(2e6 * z).astype(np.int64)
    return pa.array(seconds).cast(pa.timestamp("s"))
