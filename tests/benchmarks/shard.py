"""Draw shards of a stored model in processes of their own, and print what came.

python tests/benchmarks/shard.py MODEL --shards 16 --workers 4        a hash for each table
python tests/benchmarks/shard.py MODEL --scale 100 --count            rows, seconds, memory
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
from drive import timed

from prefect_synth.synth.hierarchy.hma import HMASynthesizer


def main() -> None:
    """Run once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--count", action="store_true", help="keep no row; count them")
    parser.add_argument("--memory", help="the setting, as 1GB")
    chosen = parser.parse_args()
    found = counted(chosen) if chosen.count else hashed(chosen)
    print(json.dumps(found))


def hashed(chosen: argparse.Namespace) -> dict[str, str]:
    """A hash of each table's rows, its shards one after the other."""
    jobs = [(chosen.model, chosen.scale, (i, chosen.shards)) for i in range(chosen.shards)]
    jobs.reverse()  # in whatever order they are drawn
    if chosen.workers == 1:
        drawn = [draw(job) for job in jobs]
    else:
        with ProcessPoolExecutor(chosen.workers, get_context("spawn")) as pool:
            drawn = list(pool.map(draw, jobs))
    drawn.reverse()
    names = sorted({name for shard in drawn for name in shard})
    return {name: digest([t[name] for t in drawn if name in t]) for name in names}


def draw(job: tuple[Path, float, tuple[int, int]]) -> dict[str, pa.Table]:
    """The tables of one shard."""
    folder, scale, shard = job
    batches = defaultdict(list)
    model = HMASynthesizer.load(folder)
    for name, batch in model.sample_batches(scale=scale, seed=1, shard=shard):
        batches[name].append(batch)
    return {name: pa.Table.from_batches(found) for name, found in batches.items()}


def digest(tables: list[pa.Table]) -> str:
    """A hash of rows that does not depend on how they were cut."""
    whole = pa.concat_tables(tables).combine_chunks()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, whole.schema) as writer:
        writer.write_table(whole)
    return hashlib.sha256(sink.getvalue()).hexdigest()


def counted(chosen: argparse.Namespace) -> dict[str, float]:
    """Rows drawn, seconds and peak memory, when no row is kept."""
    model = HMASynthesizer.load(chosen.model)
    rows: Counter[str] = Counter()
    batches = model.sample_batches(chosen.scale, seed=1, memory=chosen.memory)

    def work() -> None:
        for name, batch in batches:
            rows[name] += batch.num_rows

    cpu, wall = timed(work)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"rows": max(rows.values()), "cpu s": cpu, "wall s": wall, "peak GB": peak}


if __name__ == "__main__":
    main()
