"""Card frauds by every generator: are columns and modes kept, and do they help a classifier?

    OMP_NUM_THREADS=1 python tests/benchmarks/neural_creditcard.py
    python tests/benchmarks/neural_creditcard.py --models wgan-gp trees --seeds 0 1

The rows are all 492 frauds, 1,230 genuine ones and the first 999 of the set. For each seed the rows
are cut in two anew; each model learns the frauds of one half, with its own defaults, and draws
5,000 rows. Columns are compared with the frauds it learned from and with those of the other half,
modes are counted as `frauds` says. Then classifiers are trained on the one half as it is, and with
as many frauds added as make both classes equal: by the models that `--add` names, SMOTE, ADASYN and
trees asked for `Class = 1`. Their average precision is that on the other half.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from frauds import (
    CLASS,
    FEATURES,
    average_precision,
    find_modes,
    halves,
    ks_complements,
    numbers,
    of_class,
    read,
)
from places import SHARED
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from prefect_synth.synth.inference import infer_metadata
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.oversampling import ADDED, Method, oversample
from prefect_synth.synth.registry import SYNTHESIZERS
from prefect_synth.synth.single import GaussianCopulaSynthesizer, TreesSynthesizer
from prefect_synth.synth.single_table import SingleTableSynthesizer

DRAWN = 5_000
PUBLISHED = ("V10", "V17")
"""The pair of columns that published plots of GANs on this set show."""

OBJECTIVES = ("gan", "cgan", "wgan", "wgan-gp", "cwgan-gp", "dragan", "cramer-gan")
GROUP, GROUPS, LABELLED = "Group", 3, ("cgan", "cwgan-gp")
"""Frauds have no class of their own: the label of these objectives is a group by k-means."""
Make = Callable[[int], SingleTableSynthesizer]


def gan(objective: str) -> Make:
    """Makes a GAN of an objective."""

    def make(seed: int) -> SingleTableSynthesizer:
        from prefect_synth.synth.single_gan import GANSynthesizer

        label = GROUP if objective in LABELLED else None
        return GANSynthesizer(objective=objective, label=label, seed=seed)

    return make


def ctgan(seed: int) -> SingleTableSynthesizer:
    """A CTGAN."""
    from prefect_synth.synth.single_gan import CTGANSynthesizer

    return CTGANSynthesizer(seed=seed)


def copula_gan(seed: int) -> SingleTableSynthesizer:
    """A CopulaGAN."""
    from prefect_synth.synth.single_gan import CopulaGANSynthesizer

    return CopulaGANSynthesizer(seed=seed)


def tvae(seed: int) -> SingleTableSynthesizer:
    """A TVAE."""
    from prefect_synth.synth.single_networks import TVAESynthesizer

    return TVAESynthesizer(seed=seed)


class ColumnsAlone(SingleTableSynthesizer):
    """Every column drawn by itself: the floor that others must beat."""

    row_model = "independent"


MODELS: dict[str, Make] = {
    **{name: gan(name) for name in OBJECTIVES},
    "ctgan": ctgan,
    "copula-gan": copula_gan,
    "tvae": tvae,
    "trees": lambda seed: TreesSynthesizer(seed=seed),
    "copula": lambda seed: GaussianCopulaSynthesizer(seed=seed),
    "independent": lambda seed: ColumnsAlone(seed=seed),
}
"""By name; those whose name the registry does not know yet are left out."""


def main() -> None:
    """Measure, print tables, and write all figures as JSON where asked to."""
    known = [name for name in MODELS if name in SYNTHESIZERS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "creditcard")
    parser.add_argument("--models", nargs="*", choices=known, default=known)
    parser.add_argument("--add", nargs="*", choices=known, default=["wgan-gp"])
    parser.add_argument("--seeds", nargs="*", type=int, default=list(range(5)))
    parser.add_argument("--out", type=Path, help="a JSON file for the figures of every seed")
    parser.add_argument("--with", nargs="*", type=Path, default=[], dest="earlier",
                        help="JSON files of other seeds, to be shown as well")  # fmt: skip
    chosen = parser.parse_args()
    found = [one for file in chosen.earlier for one in json.loads(file.read_text())]
    tables = read(chosen.data)
    with threadpool_limits(1):
        for seed in chosen.seeds:
            found.append(measure(tables, seed, chosen.models, chosen.add))
            if chosen.out:
                chosen.out.write_text(json.dumps(found, indent=1))
    show_fidelity([one["fidelity"] for one in found])
    show_precision([one["precision"] for one in found])


def measure(
    tables: list[pa.Table], seed: int, models: Sequence[str], add: Sequence[str]
) -> dict[str, dict[str, dict[str, float]]]:
    """All figures of one seed, by part, model and figure."""
    train, test = halves(tables, seed)
    modes = find_modes(of_class(train, 1))
    fidelity = {"(other half)": fidelity_of(of_class(test, 1), train, test, modes)}
    fitted: dict[str, SingleTableSynthesizer] = {}
    for name in dict.fromkeys([*models, *add]):
        begun = time.process_time()
        fitted[name] = MODELS[name](seed).fit(learned(of_class(train, 1), name, seed))
        spent = time.process_time() - begun
        drawn = fitted[name].sample(DRAWN, seed=seed)
        fidelity[name] = {**fidelity_of(drawn, train, test, modes), "fit cpu s": spent}
        print(f"seed {seed} {name}: {fidelity[name]}", flush=True)
    precision = precision_of(train, test, {name: fitted[name] for name in add}, seed)
    return {"fidelity": fidelity, "precision": precision}


def learned(frauds: pa.Table, name: str, seed: int) -> pa.Table:
    """What a model learns: the frauds, with a label for those that take one."""
    if name not in LABELLED:
        return frauds
    at = StandardScaler().fit_transform(numbers(frauds))
    groups = KMeans(GROUPS, n_init=10, random_state=seed).fit_predict(at)
    return frauds.append_column(GROUP, pa.array([f"group {one}" for one in groups]))


def fidelity_of(drawn: pa.Table, train: pa.Table, test: pa.Table, modes: Any) -> dict[str, float]:
    """How alike frauds are to real ones, by figure."""
    seen, unseen = (ks_complements(of_class(half, 1), drawn) for half in (train, test))
    return {
        "ks": float(np.mean(list(seen.values()))),
        **{f"ks {name}": seen[name] for name in PUBLISHED},
        "worst ks": min(seen.values()),
        "ks unseen": float(np.mean(list(unseen.values()))),
        "modes": len(modes.kept),
        "lost": modes.lost(drawn),
        "least ratio": float(modes.ratios(drawn).min()),
        "outside": modes.found(drawn)[1],
    }


def precision_of(
    train: pa.Table, test: pa.Table, fitted: dict[str, SingleTableSynthesizer], seed: int
) -> dict[str, dict[str, float]]:
    """Average precision on the other half, by what was added and classifier."""
    genuine, frauds = (numbers(of_class(train, label)) for label in (0, 1))
    wanted = len(genuine) - len(frauds)
    trees = TreesSynthesizer(seed=seed).fit(as_text(train))
    added = {
        "nothing": np.empty((0, len(FEATURES))),
        **{name: numbers(one.sample(wanted, seed=seed)) for name, one in fitted.items()},
        "smote": oversampled(train, "smote", seed),
        "adasyn": oversampled(train, "adasyn", seed),
        "conditional trees": numbers(trees.sample(wanted, conditions={CLASS: "1"})),
    }
    labels = np.repeat([0, 1], [len(genuine), len(frauds)])
    return {
        name: average_precision(
            np.concatenate([genuine, frauds, rows]),
            np.concatenate([labels, np.ones(len(rows), np.int64)]),
            test,
            seed,
        )
        for name, rows in added.items()
    }


def as_text(rows: pa.Table) -> pa.Table:
    """Rows whose class is a category."""
    at = rows.column_names.index(CLASS)
    return rows.set_column(at, CLASS, rows[CLASS].cast(pa.string()))


def oversampled(train: pa.Table, method: Method, seed: int) -> np.ndarray:
    """The frauds that an oversampler adds, [n, d]; distances are those of standardised columns."""
    seen = numbers(train)
    centre, spread = seen.mean(0), seen.std(0)
    table = pa.table(
        {
            **dict(zip(FEATURES, ((seen - centre) / spread).T, strict=True)),
            CLASS: train[CLASS].cast(pa.string()),
        }
    )
    known = Metadata(infer_metadata({"rows": table}).tables)
    made = oversample(table, known, "rows", CLASS, method, features=FEATURES, seed=seed).table
    return np.asarray(numbers(made.filter(made[ADDED])) * spread + centre)


HEADINGS = (
    "model", "seeds", "KS complement", "worst seed", *PUBLISHED, "worst column", "unseen frauds",
    "modes lost", "least share of a mode", "outside", "cpu s",
)  # fmt: skip


def show_fidelity(found: list[dict[str, dict[str, float]]]) -> None:
    """Print means over the seeds, and the worst seed where that is what counts."""
    print(f"\n| {' | '.join(HEADINGS)} |\n|---{'|---:' * (len(HEADINGS) - 1)}|")
    for name in dict.fromkeys(name for one in found for name in one):
        own = [one[name] for one in found if name in one]
        of = {key: [one[key] for one in own] for key in own[0]}
        mean = {key: float(np.mean(values)) for key, values in of.items()}
        means = ("ks V10", "ks V17", "worst ks", "ks unseen")
        cells = [
            str(len(own)),
            f"{mean['ks']:.3f}",
            f"{min(of['ks']):.3f}",
            *(f"{mean[key]:.3f}" for key in means),
            f"{sum(of['lost']):.0f} of {sum(of['modes']):.0f}",
            f"{min(of['least ratio']):.2f}",
            f"{mean['outside']:.1%}",
            f"{mean['fit cpu s']:.1f}" if "fit cpu s" in mean else "",
        ]
        print(f"| {name} | {' | '.join(cells)} |")


def show_precision(found: list[dict[str, dict[str, float]]]) -> None:
    """Print means and standard deviations over the seeds, and the difference that adding made."""
    figures = list(found[0]["nothing"])
    print(f"\n| frauds added by | {' | '.join(f'{f} | difference' for f in figures)} |")
    print("|---" * (1 + 2 * len(figures)) + "|")
    for name in found[0]:
        cells = []
        for figure in figures:
            own = np.array([one[name][figure] for one in found])
            gain = own - [one["nothing"][figure] for one in found]
            cells += [spread(own), "" if name == "nothing" else f"{spread(gain, '+')}"]
        print(f"| {name} | {' | '.join(cells)} |")


def spread(values: np.ndarray, sign: str = "") -> str:
    """Mean and standard deviation over seeds."""
    deviation = values.std(ddof=1) if len(values) > 1 else 0.0
    return f"{values.mean():{sign}.3f} ± {deviation:.3f}"


if __name__ == "__main__":
    main()
