"""Record what SDMetrics 0.32 says CategoricalCAP is, for ours to agree with.

It runs in the environment that `sdmetrics_scores.py` describes:

    oracle-env/bin/python tests/oracle/sdmetrics_cap.py

and writes tests/oracle/sdmetrics_cap.json. `cases` needs NumPy alone, so that the test that
compares our figures with the recorded ones makes the same tables by calling it.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np

FIELDS = {
    "one": (["age"], ["plan"]),
    "two": (["age", "city"], ["plan"]),
    "three": (["age", "city", "plan"], ["score"]),
    "both": (["age"], ["plan", "city"]),
}


def cases():
    """Make the tables: by case, (real, synthetic), each a dict of lists."""
    real = people(1, 400)
    return {"honest": (real, people(2, 300)), "copied": (real, real), "apart": (real, people(3, 5))}


def people(seed, count):
    """A table of categories and whole numbers that depend on each other."""
    rng = np.random.RandomState(seed)  # its stream is the same in every NumPy
    age = rng.randint(20, 60, count)
    city = np.array(["Berlin", "Bonn", "Köln"])[rng.randint(0, 3, count)]
    plan = np.where(age + 10 * rng.normal(size=count) > 40, "pro", "basic")
    return {
        "age": age.tolist(),
        "city": city.tolist(),
        "plan": plan.tolist(),
        "score": (age // 10 + rng.randint(0, 2, count)).tolist(),
    }


def cap(real, synthetic, keys, sensitive):
    """CategoricalCAP; None for NaN."""
    import pandas as pd
    from sdmetrics.single_table import CategoricalCAP

    left, right = (pd.DataFrame(table).astype(object) for table in (real, synthetic))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score = CategoricalCAP.compute(left, right, key_fields=keys, sensitive_fields=sensitive)
    return None if score != score else float(score)


def main():
    """Write the scores of every case."""
    path = Path(__file__).with_suffix(".json")
    scores = {
        case: {name: cap(*tables, *fields) for name, fields in FIELDS.items()}
        for case, tables in cases().items()
    }
    path.write_text(json.dumps(scores, indent=1, sort_keys=True) + "\n")
    print(f"wrote {path}", file=sys.stderr)


if __name__ == "__main__":
    main()
