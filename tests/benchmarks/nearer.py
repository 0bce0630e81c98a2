"""Share of synthetic rows nearer to training than to holdout, with a small standard error.

The independent scorer asks 2,000 rows of each table (standard error 0.011). This asks 3,000 with
the scorer's own function, so that the mean of five seeds has one of 0.004; and 10,000 for the
ceiling, which is each half of the holdout against the other, averaged.

    $PEERS/sdv/bin/python tests/benchmarks/nearer.py SCORER_FOLDER REAL SYNTHETIC HOLDOUT METADATA
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

ASKED, ASKED_OF_CEILING = 3_000, 10_000


def main() -> None:
    """Print the share, its standard error, and the excess of exact copies."""
    bench, real_folder, synthetic_folder, holdout_folder, metadata_file = sys.argv[1:6]
    sys.path.insert(0, bench)
    import score

    metadata = json.loads(Path(metadata_file).read_text())
    real, synthetic, holdout = (
        score.load(folder, metadata)[0]
        for folder in (real_folder, synthetic_folder, holdout_folder)
    )
    schema = score.Schema(metadata, real)
    score.ASK, sides = ASKED, [(synthetic, holdout)]
    if os.path.samefile(synthetic_folder, holdout_folder):
        score.ASK = ASKED_OF_CEILING
        one, other = score.halves(schema, real, holdout)
        sides = [(one, other), (other, one)]
    print(json.dumps(summary([score.privacy(schema, real, *pair) for pair in sides])))


def summary(found: list[dict[str, Any]]) -> dict[str, float]:
    """Means over the tables, and over the sides of the ceiling."""
    tables = [table for one in found for table in one.values()]
    shares = [table["share_nearer_to_real"] for table in tables]
    # ties count half, so half is the largest deviation that a row can have
    errors = [0.5 / np.sqrt(table["rows"][0]) for table in tables]
    # both sides of the ceiling would cancel out: the first alone, as the scorer has it
    copies = [t["exact_copies"] - t["exact_copies_holdout"] for t in found[0].values()]
    single = {
        f"nearer to training {name}": float(
            np.mean([one[name]["share_nearer_to_real"] for one in found])
        )
        for name in found[0]
    } | {
        f"excess copies {name}": table["exact_copies"] - table["exact_copies_holdout"]
        for name, table in found[0].items()
    }
    return single | {
        "nearer to training": float(np.mean(shares)),
        "its standard error": float(np.sqrt(np.sum(np.square(errors))) / len(errors)),
        "excess copies": float(max(copies)),
    }


if __name__ == "__main__":
    main()
