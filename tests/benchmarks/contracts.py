"""What test-data contracts cost, and what a balanced table is worth, on `adult`.

python tests/benchmarks/contracts.py

Scenarios: rows found in the real table, in a plain draw and in one with quotas; how many rows
differ between the two draws; processor seconds of both, in one run. Balance: gradient boosted
trees, trained on the real rows, on these with SMOTENC's (private), and on a balanced table
(published), are tried on the rows of `adult_test` that nobody saw.
"""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from places import SHARED
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import balanced_accuracy_score, recall_score, roc_auc_score

from prefect_synth.synth import HMASynthesizer, Metadata
from prefect_synth.synth.hierarchy.balancing import Balancer
from prefect_synth.synth.oversampling import oversample
from prefect_synth.synth.scenarios.balance import Balance, class_rows
from prefect_synth.synth.scenarios.grammar import parse_condition
from prefect_synth.synth.scenarios.matching import bind, matching
from prefect_synth.synth.scenarios.scenario import Scenario

DATA, CLASS, RARE = SHARED / "data" / "adult", "income", ">50K"
QUOTAS = {
    "unpaid": ("workclass = 'Without-pay'", 50),
    "rich women of Cuba": ("native_country = 'Cuba' AND sex = 'Female' AND income = '>50K'", 50),
    "old and busy": ("age >= 75 AND hours_per_week > 60", 100),
    "big gains and Masters": ("capital_gain > 20000 AND education = 'Masters'", 60),
}


def main() -> None:
    """Print the figures as JSON."""
    name, metadata = "adult", Metadata.from_sdv(DATA / "metadata.json").subset(["adult"])
    real, unseen = (pq.read_table(DATA / f"{file}.parquet") for file in ("adult", "adult_test"))
    model = HMASynthesizer(metadata, seed=0).fit({name: real})
    print(json.dumps({"scenarios": scenarios(model, name, real)}, indent=1))
    trained_on = {
        "real": real,
        "real and SMOTENC": oversample(real, metadata, name, CLASS, "smotenc").table,
        "balanced": balanced(model, name, 20_000),
    }
    told = {what: tried(rows, unseen) for what, rows in trained_on.items()}
    print(json.dumps({"balance": told}, indent=1))


def scenarios(model: HMASynthesizer, name: str, real: pa.Table) -> dict[str, Any]:
    """What quotas reach and cost."""
    wanted = tuple(Scenario(title, least, where) for title, (where, least) in QUOTAS.items())
    started = time.process_time()
    plain = model.sample()[name]
    between = time.process_time()
    asked = model.sample(scenarios={name: wanted})[name]
    ended = time.process_time()
    return {
        "rows": {
            title: {
                "real": met(real, where),
                "plain": met(plain, where),
                "asked": least,
                "with quotas": met(asked, where),
            }
            for title, (where, least) in QUOTAS.items()
        },
        "rows that differ": int((frame(plain) != frame(asked)).any(axis=1).sum()),
        "cpu seconds": {"plain": between - started, "with quotas": ended - between},
    }


def met(table: pa.Table, where: str) -> int:
    """Rows that satisfy a condition."""
    matches = bind(parse_condition(where), table.schema)
    columns = {column: table[column].combine_chunks() for column in table.column_names}
    return int(np.count_nonzero(matching(matches, columns, table.num_rows)))


def frame(table: pa.Table) -> pd.DataFrame:
    """A table whose nulls equal each other."""
    return table.to_pandas().astype(object).fillna("")


def balanced(model: HMASynthesizer, name: str, rows: int) -> pa.Table:
    """A balanced table, as a refresh draws it."""
    sampler, balance = model.sampler(), Balance(f"{name}_balanced", name, CLASS, 1.0, rows)
    counted = pc.value_counts(model.sample()[name][CLASS].combine_chunks()).flatten()
    each = class_rows(counted[1].to_pylist(), balance.ratio, rows)
    batches = Balancer(sampler, balance, list(counted[0]), each).batches()
    return pa.Table.from_batches(list(batches))


def tried(rows: pa.Table, unseen: pa.Table) -> dict[str, float]:
    """What a classifier trained on rows is worth on rows that nobody saw."""
    used = [column for column in unseen.column_names if column != CLASS]
    train, test = (table.select([*used, CLASS]).to_pandas() for table in (rows, unseen))
    for column in used:
        if not pd.api.types.is_numeric_dtype(test[column]):
            kinds = sorted({*train[column].dropna(), *test[column].dropna()})
            for table in (train, test):
                table[column] = pd.Categorical(table[column], categories=kinds)
    model = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)
    model.fit(train[used], train[CLASS] == RARE)
    truth, chance = test[CLASS] == RARE, model.predict_proba(test[used])[:, 1]
    guessed = chance > 0.5
    return {
        "roc auc": round(float(roc_auc_score(truth, chance)), 4),
        "recall of the rare class": round(float(recall_score(truth, guessed)), 4),
        "balanced accuracy": round(float(balanced_accuracy_score(truth, guessed)), 4),
    }


if __name__ == "__main__":
    main()
