"""Rows about size: many tables, shards, and ten million rows."""

from __future__ import annotations

from pathlib import Path

from chain import hierarchy
from folders import write_folder
from marks import Figures, Row
from places import script

SETTING_GB = 1


def measure_chain(row: Row, seed: int, out: Path) -> Figures:
    """Twelve tables in six levels; and how the stored model grows when the columns double."""
    spent = {n: _drive(row, seed, out / f"columns-{n}", columns=n) for n in (15, 30)}
    grown = spent[30]["model bytes"] / spent[15]["model bytes"]
    return spent[15] | {
        "parameters per column, columns doubled": grown / 2,
        "cpu s, columns doubled": spent[30]["cpu s"],
    }


def measure_forty(row: Row, seed: int, out: Path) -> Figures:
    """Forty tables in five levels."""
    return _drive(row, seed, out, tables=40, depth=5, columns=8, roots=100)


def _drive(row: Row, seed: int, out: Path, **shape: int) -> Figures:
    data = write_folder(out / "data", *hierarchy(**shape))
    options = ("--row-model", row.row_model, "--seed", str(seed))
    return script("drive.py", data, out / "made", *options)


def measure_shards(row: Row, seed: int, out: Path) -> Figures:
    """Tables whose bytes change with the number of shards, of workers, or with the process."""
    model = _fitted(row, seed, out, roots=100)
    ways = [(n, 1) for n in (1, 2, 4, 16)] + [(16, 4), (1, 1)]
    found = [
        script("shard.py", model, "--shards", str(shards), "--workers", str(workers))
        for shards, workers in ways
    ]
    differ = sum(way[name] != found[0][name] for way in found[1:] for name in found[0])
    return {"tables that differ": float(differ), "tables": float(len(found[0]))}


def measure_ten_million(row: Row, seed: int, out: Path) -> Figures:
    """Sample ten million child rows of a model that was trained on a hundred thousand."""
    model = _fitted(row, seed, out, tables=2, depth=2, roots=50_000)
    options = ("--count", "--memory", f"{SETTING_GB}GB")
    one, ten = (script("shard.py", model, *options, "--scale", s) for s in ("10", "100"))
    return {
        "peak memory of the setting": ten["peak GB"] / SETTING_GB,
        "time per row against 1 million": (ten["cpu s"] / ten["rows"])
        / (one["cpu s"] / one["rows"]),
        "rows": ten["rows"],
        "peak GB": ten["peak GB"],
        "peak GB of 1 million": one["peak GB"],
        "cpu s per million rows": ten["cpu s"] / ten["rows"] * 1e6,
    }


def _fitted(row: Row, seed: int, out: Path, **shape: int) -> Path:
    """The folder of a model that was trained on made-up tables."""
    _drive(row, seed, out, **shape)
    return out / "made" / "model"
