"""Record what anonymeter 1.1 says about small fixed tables, for our risks to agree with.

It runs in an environment of its own, since anonymeter wants an older NumPy than we do:

    python -m venv anonymeter-env
    anonymeter-env/bin/pip install "anonymeter==1.1.0" "numpy<2"
    anonymeter-env/bin/python tests/oracle/anonymeter_risks.py

and writes tests/oracle/anonymeter_risks.json. `cases` needs NumPy alone, so that the test that
compares our figures with the recorded ones makes the same tables by calling it.
"""

import json
import sys
from pathlib import Path

import numpy as np

NUMBERS = ("age", "hours", "income", "savings")
CATEGORIES = ("work", "education", "city")
PARTS = (("age", "hours", "income"), ("savings", "work", "education", "city"))
SECRETS = ("education", "income")
ROWS, ATTACKS = 1_500, 500


def cases():
    """Make the tables: by case, (training, holdout, synthetic), each a dict of arrays."""
    training, holdout, fresh = (people(seed) for seed in (1, 2, 3))
    half = {c: np.concatenate([training[c][::2], fresh[c][::2]]) for c in training}
    return {
        "honest": (training, holdout, fresh),
        "half copied": (training, holdout, half),
        "copied": (training, holdout, training),
    }


def people(seed):
    """A census-like table, most rows of which differ."""
    rng = np.random.RandomState(seed)  # its stream is the same in every NumPy
    status = rng.normal(size=ROWS)
    income = np.round(np.exp(9.5 + 0.5 * status + 0.4 * rng.normal(size=ROWS)))
    return {
        "age": np.clip(42 + 9 * status + 9 * rng.normal(size=ROWS), 17, 90).round(),
        "hours": np.clip(40 + 8 * rng.normal(size=ROWS), 1, 99).round(),
        "income": income,
        "savings": np.round(income * rng.gamma(2.0, size=ROWS)),
        "work": pick(rng, ["private", "state", "self", "none"], rng.normal(size=ROWS)),
        "education": pick(rng, ["school", "college", "bachelor", "master", "doctor"], status),
        "city": pick(rng, [f"city {i}" for i in range(12)], rng.normal(size=ROWS)),
    }


def pick(rng, names, score):
    """A category that goes up with a score, loosely."""
    noisy = score + 0.7 * rng.normal(size=ROWS)
    cuts = np.linspace(-1.5, 1.5, len(names) - 1)
    return np.array(names)[np.digitize(noisy, cuts)]


def risks(training, holdout, synthetic):
    """The four attacks of anonymeter, with the seed of the global generator that it draws from."""
    from anonymeter.evaluators import InferenceEvaluator, LinkabilityEvaluator, SinglingOutEvaluator

    ori, control, syn = (frame(table) for table in (training, holdout, synthetic))
    found = {}
    for mode in ("univariate", "multivariate"):
        evaluator = SinglingOutEvaluator(ori, syn, ATTACKS, control=control, seed=0)
        found[f"singling out {mode}"] = figures(evaluator.evaluate(mode=mode))
    np.random.seed(0)
    linking = LinkabilityEvaluator(ori, syn, tuple(map(list, PARTS)), ATTACKS, control=control)
    found["linkability"] = figures(linking.evaluate(n_jobs=1))
    for secret in SECRETS:
        known = [c for c in ori.columns if c != secret]
        inference = InferenceEvaluator(
            ori, syn, known, secret, secret in NUMBERS, ATTACKS, control=control
        )
        found[f"inference {secret}"] = figures(inference.evaluate(n_jobs=1))
    return found


def figures(evaluator):
    """The risk, its interval, and both success rates."""
    results, risk = evaluator.results(), evaluator.risk()
    return {
        "value": float(risk.value),
        "low": float(risk.ci[0]),
        "high": float(risk.ci[1]),
        "attack": float(results.attack_rate.value),
        "control": float(results.control_rate.value),
    }


def frame(table):
    """A data frame with floats and objects."""
    import pandas as pd

    return pd.DataFrame({c: pd.Series(v.tolist()) for c, v in table.items()})


def main():
    """Write the risks of every case."""
    path = Path(__file__).with_suffix(".json")
    found = {name: risks(*case) for name, case in cases().items()}
    path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    print(f"wrote {path}", file=sys.stderr)


if __name__ == "__main__":
    main()
