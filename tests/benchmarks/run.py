"""Measure prefect-synth beside its peers, and write docs/benchmarks.md.

    make bench                                     ours, and the peers that bench.py has run
    python tests/benchmarks/run.py --peers         run SDV's copula and HMA too, in the same run
    python tests/benchmarks/run.py --only adult    one data set

Data sets and peers are made by the scripts in ../shared/bench (setup.sh), under $PEERS
(default ~/.cache/peers): <name>_A is what a synthesizer is trained on, <name>_B is the holdout.
Every tool runs on one thread; cpu s is processor time inside fit and sample, imports left out.
The peers' script gives wall time inside fit and sample, and processor time of its whole worker:
the smaller of the two stands here, which favours the peer.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
PEERS = Path(os.environ.get("PEERS", Path.home() / ".cache" / "peers"))
BENCH = REPO.parent / "shared" / "bench"
PAGE = REPO / "docs" / "benchmarks.md"
START, END = "<!-- figures: written by tests/benchmarks/run.py -->", "<!-- end of figures -->"
SCORES = ("quality", "column_shapes", "column_pair_trends", "cardinality", "intertable_trends")


@dataclass(frozen=True)
class Case:
    """A data set, how ours runs on it, and the peer that is run beside it."""

    data: str
    synthesizer: str = "auto"
    keep: tuple[str, ...] = ()
    peer: str | None = None

    @property
    def label(self) -> str:
        """What the table calls the run."""
        kept = f", keeping {' and '.join(self.keep)}" if self.keep else ""
        return f"prefect-synth {self.synthesizer}{kept}"


CASES = (
    Case("adult", peer="sdv-gc"),
    Case("adult", "independent"),
    Case("nyc20k", keep=("airlines", "airports"), peer="sdv-hma"),
    Case("nyc20k"),
    Case("cj200"),
    Case("completejourney"),
)


def main() -> None:
    """Run the cases whose data are there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="one data set")
    parser.add_argument("--peers", action="store_true", help="run the peers in this run")
    arguments = parser.parse_args()
    cases = [c for c in CASES if arguments.only in (None, c.data)]
    there = [c for c in cases if (PEERS / "data" / f"{c.data}_A").is_dir()]
    if not there:
        sys.exit(f"No data sets under {PEERS / 'data'}. Make them with {BENCH / 'setup.sh'}.")
    rows = [row for case in there for row in run_case(case, arguments.peers)]
    table = "\n".join([HEAD, *rows])
    print(table)
    if arguments.only is None and PAGE.exists():
        before, rest = PAGE.read_text().split(START)
        PAGE.write_text(f"{before}{START}\n{table}\n{END}{rest.split(END)[1]}")


HEAD = (
    "| data | tool | cpu s (fit + sample) | ratio to ours | peak MB | "
    "quality | shapes | pairs | cardinality | intertable |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


def run_case(case: Case, with_peer: bool) -> list[str]:
    """Ours, the peer where there is one, and the ceiling: a table row each."""
    data = PEERS / "data" / f"{case.data}_A"
    with tempfile.TemporaryDirectory() as folder:
        ours = prefect_synth(
            "synthesize", str(data), folder, "--metadata", str(data / "metadata.json"),
            "--synthesizer", case.synthesizer, *(w for k in case.keep for w in ("--keep", k)),
        )  # fmt: skip
        cpu = ours["fit_cpu_seconds"] + ours["sample_cpu_seconds"]
        rows = [row(case.data, case.label, cpu, cpu, ours["peak_memory_mb"], score(data, folder))]
    if case.peer is not None:
        rows += peer_row(case, cpu, with_peer)
    if case.synthesizer == "auto" and not case.keep:
        holdout = PEERS / "data" / f"{case.data}_B"
        rows.append(
            row(case.data, "ceiling: the unseen half", None, cpu, None, score(data, holdout))
        )
    return rows


def peer_row(case: Case, ours: float, run: bool) -> list[str]:
    """The peer's row, from this run or from an earlier one of bench.py."""
    assert case.peer is not None
    data, out = PEERS / "data" / f"{case.data}_A", PEERS / "out" / case.peer / f"{case.data}_A"
    if run:
        command = [sys.executable, str(BENCH / "peers.py"), case.peer, str(data), str(out)]
        subprocess.run([*command, "--timeout", "1800"], check=True, env=one_thread())
    if not (out / "timing.json").exists():
        return []
    timing = json.loads((out / "timing.json").read_text())
    label = f"{case.peer} ({timing.get('version', '?').split()[0]})"
    memory = timing.get("peak_rss_mb")
    # its processor time holds imports and reading, its wall time whatever else the machine did
    cpu = min(timing["cpu_s"], timing["fit_s"] + timing["sample_s"])
    return [row(case.data, label, cpu, ours, memory, score(data, out))]


def score(real: Path, synthetic: Path | str) -> dict[str, Any]:
    """Our own `evaluate`, which agrees with SDMetrics."""
    metadata = str(real / "metadata.json")
    return prefect_synth("evaluate", str(real), str(synthetic), "--metadata", metadata)


def prefect_synth(*arguments: str) -> dict[str, Any]:
    """Run the command line as a user does and read its JSON."""
    command = [str(Path(sys.executable).parent / "prefect-synth"), *arguments, "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=one_thread())
    return json.loads(done.stdout)


def one_thread() -> dict[str, str]:
    """The environment in which every tool uses one thread."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {**os.environ, **dict.fromkeys(names, "1")}


def row(
    data: str,
    tool: str,
    cpu: float | None,
    ours: float,
    memory: float | None,
    scores: dict[str, Any],
) -> str:
    """A line of the table."""
    figures = [
        data,
        tool,
        "-" if cpu is None else f"{cpu:.1f}",
        "-" if cpu is None else f"{cpu / ours:.0f}x" if cpu > 1.5 * ours else "1",
        "-" if memory is None else f"{memory:.0f}",
        *("-" if scores.get(s) is None else f"{scores[s]:.3f}" for s in SCORES),
    ]
    return f"| {' | '.join(figures)} |"


if __name__ == "__main__":
    main()
