"""Membership attack on differentially private models: who was trained on, by the rows drawn?

Models are trained on half A of `adult`; members are rows of A, others rows of B, and the attacker
knows further rows of B (`synth/metrics/membership.py`). The mean over several trainings is given,
each with noise of its own.

    PYTHONPATH=.typing python tests/benchmarks/dp_membership.py [--epsilon 1] [--models copula argn]
        [--trainings 3] [--asked 4000] [--data ~/.cache/peers/data]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.distances import Sided
from prefect_synth.synth.metrics.gower import GowerSpace
from prefect_synth.synth.metrics.membership import Membership, membership
from prefect_synth.synth.privacy.settings import DifferentialPrivacy
from prefect_synth.synth.randomness import stream
from prefect_synth.synth.single import (
    ARGNSynthesizer,
    GaussianCopulaSynthesizer,
    TreesSynthesizer,
)
from prefect_synth.synth.single_table import SingleTableSynthesizer

TABLE = "adult"
LIMIT = 0.53
Maker = Callable[[Metadata, DifferentialPrivacy | None], SingleTableSynthesizer]
PRIVATE: dict[str, Maker] = {
    "copula": lambda metadata, privacy: GaussianCopulaSynthesizer(metadata, privacy=privacy),
    "argn": lambda metadata, privacy: ARGNSynthesizer(metadata, privacy=privacy),
}
CONTROLS: dict[str, Callable[[pa.Table, Metadata], pa.Table]] = {
    "copy of the training rows": lambda table, _: table,
    "trees, not private": lambda table, metadata: drawn(TreesSynthesizer(metadata), table, 0),
}


def main() -> None:
    """Attack, print a line for each model, and end with 1 where one is above the limit."""
    asked = arguments()
    metadata = Metadata.from_sdv(asked.data / f"{TABLE}_A" / "metadata.json")
    inside, outside = (pq.read_table(asked.data / f"{TABLE}_{h}/{TABLE}.parquet") for h in "AB")
    attack = Attack(metadata, inside, outside, asked.asked)
    for name, make in CONTROLS.items():
        report(name, [attack.on(make(inside, metadata))])
    privacy, worst = DifferentialPrivacy(asked.epsilon, asked.delta), 0.0
    for name in asked.models:
        started, found = time.process_time(), []
        for training in range(asked.trainings):
            model = PRIVATE[name](metadata, privacy)
            found.append(attack.on(drawn(model, inside, training)))
        seconds = (time.process_time() - started) / asked.trainings
        said = f"{name}, epsilon {asked.epsilon:g}, delta {asked.delta:g}"
        worst = max(worst, report(said, found, seconds))
    raise SystemExit(int(worst >= LIMIT))


class Attack:
    """The attacker's rows.

    Args:
        metadata: Of the table.
        inside: Rows that models are trained on.
        outside: Rows that they are not.
        asked: Members that are asked after, and as many others.
    """

    def __init__(self, metadata: Metadata, inside: pa.Table, outside: pa.Table, asked: int) -> None:
        self.space = GowerSpace.fit(inside, list(metadata.tables[TABLE].columns.values()))
        rng = stream(0, "membership attack")
        members = self._some(inside, rng.permutation(len(inside))[:asked])
        order = rng.permutation(len(outside))
        self.sides = Sided(members, self._some(outside, order[:asked]))
        self.reference = self._some(outside, order[asked:])

    def on(self, synthetic: pa.Table) -> Membership:
        """What the synthetic rows give away."""
        return membership(self.sides, self.space.encode(synthetic), self.reference)

    def _some(self, table: pa.Table, rows: np.ndarray) -> object:
        return self.space.encode(table.take(pa.array(rows)))


def drawn(model: SingleTableSynthesizer, table: pa.Table, seed: int) -> pa.Table:
    """As many rows as there are."""
    return model.fit(table).sample(len(table), seed=seed)


def report(name: str, found: list[Membership], seconds: float | None = None) -> float:
    """Print what was found, and return the mean area under the curve."""
    mean = float(np.mean([f.auc for f in found]))
    figures = {
        "model": name,
        "auc": round(mean, 4),
        "aucs": [round(f.auc, 4) for f in found],
        "error": round(found[0].error, 4),
        "tpr_at_1_fpr": round(float(np.mean([f.tpr_at_1_fpr for f in found])), 4),
        "cpu_seconds": None if seconds is None else round(seconds, 1),
    }
    print(json.dumps(figures), flush=True)
    return mean


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epsilon", type=float, default=1.0)
    parser.add_argument("--delta", type=float, default=1e-6)
    parser.add_argument("--models", nargs="*", choices=list(PRIVATE), default=list(PRIVATE))
    parser.add_argument("--trainings", type=int, default=3)
    parser.add_argument("--asked", type=int, default=4000)
    parser.add_argument("--data", type=Path, default=Path.home() / ".cache/peers/data")
    return parser.parse_args()


if __name__ == "__main__":
    main()
