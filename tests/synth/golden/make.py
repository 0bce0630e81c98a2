"""Make the models that later versions must still read: one folder for each form of network.

    python tests/synth/golden/make.py [NAME ...]

Run it once for a new network. Making one again would hide that older models cannot be read any
more, so a folder that is there is left alone.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from prefect_synth.synth.effort import Effort
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.inference import infer_metadata
from prefect_synth.synth.metadata import Metadata

HERE = Path(__file__).parent
NETWORKS = (
    "argn", "argn-flexible", "cgan", "ctgan", "doppelganger", "par", "timegan", "tvae",
)  # fmt: skip
"""Other GANs are saved in the form of `cgan` without its label, or of `ctgan`."""
ROWS, SEED = "drawn.parquet", 11


def orders() -> dict[str, pa.Table]:
    """Customers and their orders, in two of each kind of column."""
    rng = np.random.default_rng(0)
    size = rng.integers(0, 3, 300)
    return {
        "customers": pa.table(
            {"id": np.arange(100), "vip": rng.random(100) < 0.4, "age": rng.integers(18, 90, 100)}
        ),
        "orders": pa.table(
            {
                "id": np.arange(300),
                "customer_id": rng.integers(0, 100, 300),
                "size": np.array(["S", "M", "L"])[size],
                "price": np.round(rng.gamma(4, 5, 300) + 20 * size, 2),
                "step": np.arange(300),
                "note": pa.array(rng.choice(["x", "y"], 300), mask=rng.random(300) < 0.3),
            }
        ),
    }


def schema(tables: dict[str, pa.Table]) -> Metadata:
    """Orders stand in an order of steps for each customer."""
    found = infer_metadata(tables)
    ordered = replace(found.tables["orders"], sequence_key="customer_id", sequence_index="step")
    return found.with_table(ordered)


def main(names: list[str]) -> None:
    """Fit each network for a moment, save it, and keep what it drew."""
    tables = orders()
    metadata = schema(tables)
    for name in names or NETWORKS:
        folder = HERE / name
        if folder.exists():
            continue
        model = HMASynthesizer(metadata, row_model=name, effort=Effort(epochs=2)).fit(tables)
        model.save(folder)
        pq.write_table(HMASynthesizer.load(folder).sample(seed=SEED)["orders"], folder / ROWS)
        print(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
