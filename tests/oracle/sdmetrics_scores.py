"""Record what SDMetrics 0.32 says about small fixed tables, for our metrics to agree with.

It runs in an environment of its own, since SDMetrics wants an older pandas than we do:

    python -m venv oracle-env
    oracle-env/bin/pip install "sdmetrics==0.32.0"
    oracle-env/bin/python tests/oracle/sdmetrics_scores.py

and writes tests/oracle/sdmetrics_scores.json. `cases` needs NumPy alone, so that the test that
compares our figures with the recorded ones makes the same tables by calling it.
"""

import ast
import datetime as dt
import json
import sys
from pathlib import Path

import numpy as np

START = dt.datetime(2024, 1, 1)
RELATED = {
    "relationships": [
        ("orders", ["customer_id"], "customers", ["customer_id"]),
        ("lines", ["order_id", "day"], "orders", ["order_id", "day"]),
    ]
}


def cases():
    """Make the tables: by case, (real, synthetic, sdtypes by table and column, relationships)."""
    single = {"people": sdtypes(PEOPLE)}
    related = {
        t: sdtypes(c) for t, c in (("customers", CUSTOMERS), ("orders", ORDERS), ("lines", LINES))
    }
    return {
        "single": ({"people": people(1, 400)}, {"people": people(2, 300)}, single, []),
        "flat": ({"people": people(3, 250)}, {"people": flat(people(3, 250))}, single, []),
        "related": (shop(4, 60), shop(5, 80), related, RELATED["relationships"]),
        "strays": (shop(6, 50), strays(shop(7, 50)), related, RELATED["relationships"]),
    }


PEOPLE = "id:id age:numerical income:numerical spent:numerical city:categorical plan:categorical"
PEOPLE += " active:boolean since:datetime code:categorical fixed:numerical note:text"
CUSTOMERS = "customer_id:id tier:categorical wealth:numerical joined:datetime"
ORDERS = "order_id:id day:id customer_id:id amount:numerical paid:boolean"
LINES = "line_id:id order_id:id day:id price:numerical kind:categorical"


def sdtypes(text):
    """Read 'name:sdtype name:sdtype'."""
    return dict(word.split(":") for word in text.split())


def people(seed, count):
    """A table with numbers, dates, categories, truth values, nulls, spikes and a constant."""
    rng = np.random.RandomState(seed)  # its stream is the same in every NumPy
    wealth = rng.normal(size=count)
    age = np.clip(40 + 12 * wealth + rng.normal(size=count) * 6, 18, 80).round()
    city = np.array(["Berlin", "Bonn", "Köln"])[
        np.digitize(wealth + rng.normal(size=count) / 2, (-1, 0.5))
    ]
    plan = np.where(city == "Bonn", "basic", np.array(["plus", "pro"])[rng.randint(0, 2, count)])
    income = np.exp(wealth + rng.normal(size=count) / 3)
    return {
        "id": list(range(count)),
        "age": holes(rng, age.astype(int), 0.1),
        "income": holes(rng, income, 0.05),
        "spent": holes(rng, np.where(rng.rand(count) < 0.3, 0.0, income * 0.7), 0.0),
        "city": holes(rng, city, 0.08),
        "plan": holes(rng, plan, 0.0),
        "active": holes(rng, wealth > 0.2, 0.06),
        "since": holes(rng, [START + dt.timedelta(hours=int(200 * w)) for w in wealth + 5], 0.04),
        "code": holes(rng, np.array([f"c{i}" for i in rng.randint(0, 40, count)]), 0.1),
        "fixed": [7.5] * count,
        "note": ["text"] * count,
    }


def flat(table):
    """The same with a column made constant, one made null and one with a new category."""
    count = len(table["id"])
    return table | {"spent": [1.0] * count, "city": [None] * count, "plan": ["free"] * count}


def shop(seed, count):
    """Customers, their orders and the orders' lines, which refer by two columns."""
    rng = np.random.RandomState(seed)
    wealth = rng.normal(size=count)
    buyers = np.repeat(np.arange(count), rng.poisson(np.exp(wealth / 2) + 0.5))
    orders = len(buyers)
    amount = np.exp(wealth[buyers] + rng.normal(size=orders) / 4)
    owners = np.repeat(np.arange(orders), rng.randint(0, 4, orders))
    lines = len(owners)
    return {
        "customers": {
            "customer_id": [f"k{i}" for i in range(count)],
            "tier": holes(rng, np.where(wealth > 0, "gold", "tin"), 0.05),
            "wealth": holes(rng, wealth, 0.0),
            "joined": [START + dt.timedelta(days=int(30 * w)) for w in wealth + 4],
        },
        "orders": {
            "order_id": list(range(orders)),
            "day": [int(i % 3) for i in range(orders)],
            "customer_id": holes(rng, np.array([f"k{i}" for i in buyers]), 0.1),
            "amount": holes(rng, amount, 0.1),
            "paid": holes(rng, amount > 1, 0.0),
        },
        "lines": {
            "line_id": list(range(lines)),
            "order_id": [int(i) for i in owners],
            "day": [int(i % 3) for i in owners],
            "price": holes(rng, amount[owners] * rng.rand(lines), 0.0),
            "kind": holes(rng, np.where(amount[owners] > 1.2, "book", "toy"), 0.1),
        },
    }


def strays(tables):
    """The same with orders of customers who do not exist."""
    keys = tables["orders"]["customer_id"]
    changed = [f"x{i}" if i % 4 == 0 else key for i, key in enumerate(keys)]
    return tables | {"orders": tables["orders"] | {"customer_id": changed}}


def holes(rng, values, share):
    """A list of Python values, a share of which are None."""
    empty = rng.rand(len(values)) < share
    plain = values if isinstance(values, list) else values.tolist()
    return [None if hole else value for hole, value in zip(empty, plain, strict=True)]


def score(real, synthetic, columns, relationships):
    """Score a case with SDMetrics: its properties and every column, pair and relationship."""
    import pandas as pd
    from sdmetrics.reports import QualityReport

    metadata = sdmetrics_metadata(columns, relationships)

    def frames(tables):
        return {t: frame(pd, table, columns[t]) for t, table in tables.items()}

    report = QualityReport()
    report.generate(frames(real), frames(synthetic), metadata, verbose=False)
    result = {"overall": number(report.get_score())}
    for row in report.get_properties().itertuples():
        result[row.Property.lower().replace(" ", "_")] = number(row.Score)
    parts = {
        "per_column": ("Column Shapes", lambda r: f"{r['Table']}.{r['Column']}"),
        "per_relationship": ("Cardinality", relationship_name),
        "per_pair": ("Column Pair Trends", pair_name),
    }
    if relationships:
        parts["intertable"] = ("Intertable Trends", intertable_name)
    else:
        del parts["per_relationship"]
    for part, (property_, name) in parts.items():
        rows = report.get_details(property_).to_dict("records")
        result[part] = {name(r): r["Score"] for r in rows if r["Score"] == r["Score"]}
    result["diagnostic"] = diagnose(frames(real), frames(synthetic), metadata)
    result["columns"] = {
        f"{t}.{c}": column_metrics(frames(real)[t][c], frames(synthetic)[t][c], sdtype)
        for t, names in columns.items()
        for c, sdtype in names.items()
        if sdtype in METRICS
    }
    return result


NUMBERS = ["BoundaryAdherence", "RangeCoverage", "MissingValueSimilarity", "StatisticSimilarity"]
CATEGORIES = ["CategoryCoverage", "CategoryAdherence", "MissingValueSimilarity"]
METRICS = {"numerical": NUMBERS, "datetime": NUMBERS, "categorical": CATEGORIES}
METRICS["boolean"] = CATEGORIES


def column_metrics(real, synthetic, sdtype):
    """Every single-column metric that fits and has a value, named as ours are."""
    import sdmetrics.single_column as metrics

    found = {}
    for metric in METRICS[sdtype]:
        name = "".join(f"_{c.lower()}" if c.isupper() else c for c in metric)[1:]
        ways = [{}]
        if metric == "StatisticSimilarity":
            ways = [{"statistic": statistic} for statistic in ("mean", "median", "std")]
        for way in ways:
            full = "_".join([name, *way.values()])
            try:
                found[full] = number(getattr(metrics, metric).compute(real, synthetic, **way))
            except ZeroDivisionError:  # CategoryCoverage of a column without a value
                found[full] = None
    return {name: score for name, score in found.items() if score is not None}


def diagnose(real, synthetic, metadata):
    """The diagnostic report: its properties and every column, table and relationship."""
    from sdmetrics.reports import DiagnosticReport

    report = DiagnosticReport()
    report.generate(real, synthetic, metadata, verbose=False)
    result = {"overall": number(report.get_score())}
    for row in report.get_properties().itertuples():
        if row.Property != "Constraint Validity":  # no constraint is given
            result[row.Property.lower().replace(" ", "_")] = number(row.Score)

    def rows(property_):
        found = report.get_details(property_).to_dict("records")
        return [row for row in found if row["Score"] == row["Score"]]

    result["per_column"] = {
        f"{r['Table']}.{key_name(r['Column'])}": r["Score"] for r in rows("Data Validity")
    }
    result["per_table"] = {r["Table"]: r["Score"] for r in rows("Data Structure")}
    result["per_relationship"] = {}
    for r in rows("Relationship Validity") if metadata["relationships"] else []:
        name = "".join(f"_{c.lower()}" if c.isupper() else c for c in r["Metric"])[1:]
        result["per_relationship"].setdefault(relationship_name(r), {})[name] = r["Score"]
    return result


def key_name(columns):
    """Name a key of one or several columns as we do."""
    separator = ", "
    return columns if isinstance(columns, str) else f"({separator.join(columns)})"


def sdmetrics_metadata(columns, relationships):
    """SDMetrics' metadata, with the parents' keys as primary keys."""

    def one(names):
        return names[0] if len(names) == 1 else names

    metadata = {
        "METADATA_SPEC_VERSION": "V1",
        "tables": {
            t: {"columns": {c: sdmetrics_column(s) for c, s in names.items()}}
            for t, names in columns.items()
        },
        "relationships": [
            {
                "child_table_name": child,
                "child_foreign_key": one(child_columns),
                "parent_table_name": parent,
                "parent_primary_key": one(parent_columns),
            }
            for child, child_columns, parent, parent_columns in relationships
        ],
    }
    for _, _, parent, parent_columns in relationships:
        metadata["tables"][parent]["primary_key"] = one(parent_columns)
    return metadata


def relationship_name(row):
    """Name a relationship as we do."""
    key = row["Foreign Key"]
    separator = ", "
    key = ast.literal_eval(str(key)) if str(key).startswith("[") else key
    return f"{row['Child Table']}.{key if isinstance(key, str) else f'({separator.join(key)})'}"


def pair_name(row):
    """Name a pair of columns as we do."""
    return f"{row['Table']}.{row['Column 1']} ~ {row['Table']}.{row['Column 2']}"


def intertable_name(row):
    """Name a pair of a parent's and a child's column as we do."""
    first, second = f"{row['Parent Table']}.{row['Column 1']}", row["Column 2"]
    return f"{relationship_name(row)} -> {first} ~ {row['Child Table']}.{second}"


def sdmetrics_column(sdtype):
    """SDMetrics has no free text; an unknown column is left out as ours is."""
    return {"sdtype": "unknown" if sdtype == "text" else sdtype}


def frame(pd, table, names):
    """A data frame with floats, datetimes, and objects with None."""
    kinds = {"numerical": "float64", "datetime": "datetime64[ns]"}
    return pd.DataFrame(
        {c: pd.Series(v, dtype=kinds.get(names[c], "object")) for c, v in table.items()}
    )


def number(value):
    """A float, or None for NaN."""
    return None if value is None or value != value else float(value)


def main():
    """Write the scores of every case."""
    path = Path(__file__).with_suffix(".json")
    scores = {name: score(*case) for name, case in cases().items()}
    path.write_text(json.dumps(scores, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    print(f"wrote {path}", file=sys.stderr)


if __name__ == "__main__":
    main()
