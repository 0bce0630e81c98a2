"""Two-level data with known structure between siblings, and the statistics that show it.

Nothing of what siblings share stands in their parent's row: it must be learnt from the children.
`customers -> orders` is dense (a fifth of the customers have no order); `members -> claims` is
sparse (91 % have none, some have up to 400).

    python tests/benchmarks/run.py planted --row-model fast
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table

CATEGORIES = np.array(["books", "food", "garden", "music", "sports", "toys"])
SHARES = np.array([0.30, 0.24, 0.18, 0.13, 0.09, 0.06])


@dataclass(frozen=True)
class Family:
    """A parent table, its child table, and what the siblings share.

    Args:
        parent: Name of the parent table.
        child: Name of the child table.
        parents: Rows of the parent table.
        childless: Share of the parents that have no child.
        median: Children of the median parent that has any.
        spread: Standard deviation of the log of that number; it is at most 400.
        shared: Chance that a child takes its family's category instead of any.
        between: Standard deviation of the families' means of the log amount; 1 within a family.
        slope: Correlation of a family's mean with the log of its number of children.
    """

    parent: str
    child: str
    parents: int
    childless: float
    median: float
    spread: float
    shared: float
    between: float
    slope: float


# tuned so that the statistics of `planted()` are those that the acceptance table names
FAMILIES = (
    Family("customers", "orders", 2000, 0.21, 6.3, 0.75, 0.685, 0.91, 0.495),
    Family("members", "claims", 6000, 0.91, 8.0, 1.4, 0.685, 0.93, 0.65),
)


def planted(seed: int = 1) -> dict[str, pa.Table]:
    """The four tables."""
    rng = np.random.default_rng(seed)
    return {name: table for family in FAMILIES for name, table in _family(family, rng).items()}


def planted_metadata() -> Metadata:
    """Their schema."""
    sdtypes = {"region": "categorical", "category": "categorical"}
    tables, links = {}, []
    for family in FAMILIES:
        key, own = f"{family.parent}_id", f"{family.child}_id"
        for name, ids, columns in (
            (family.parent, (key,), ("age", "region")),
            (family.child, (own, key), ("category", "amount", "quantity")),
        ):
            listed = {c: Column(c, "id", False) for c in ids}
            listed |= {c: Column(c, sdtypes.get(c, "numerical"), False) for c in columns}
            tables[name] = Table(name, listed, ids[:1])
        links.append(Relationship(family.child, (key,), family.parent, (key,)))
    return Metadata(tables, tuple(links))


def _family(family: Family, rng: np.random.Generator) -> dict[str, pa.Table]:
    size = rng.normal(size=family.parents)  # of the family, in standard deviations of the log
    counts = np.clip(np.rint(family.median * np.exp(family.spread * size)), 1, 400).astype(int)
    counts[rng.permutation(family.parents)[: round(family.childless * family.parents)]] = 0
    link = rng.permutation(np.repeat(np.arange(family.parents), counts))
    rest = np.sqrt(1 - family.slope**2) * rng.normal(size=family.parents)
    mean = family.between * (family.slope * size + rest)
    key = 1000 + rng.permutation(family.parents)
    parents = {
        f"{family.parent}_id": key,
        "age": rng.integers(18, 90, family.parents),
        "region": rng.choice(["north", "south", "east", "west"], family.parents),
    }
    children = {
        f"{family.child}_id": np.arange(1, len(link) + 1),
        f"{family.parent}_id": key[link],
        "category": _categories(family, link, rng),
        "amount": np.round(np.exp(3 + mean[link] + rng.normal(size=len(link))), 2).clip(0.01),
        "quantity": 1 + rng.geometric(0.5, len(link)),
    }
    return {family.parent: pa.table(parents), family.child: pa.table(children)}


def _categories(family: Family, link: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    favourite = rng.choice(len(SHARES), family.parents, p=SHARES)[link]
    any_one = rng.choice(len(SHARES), len(link), p=SHARES)
    return CATEGORIES[np.where(rng.random(len(link)) < family.shared, favourite, any_one)]


def statistics(tables: Mapping[str, pa.Table]) -> dict[str, float]:
    """What the planted structure measures, by `<child table> <statistic>`."""
    found = {}
    for family in FAMILIES:
        link = links(tables, family)
        counts = np.bincount(link, minlength=tables[family.parent].num_rows)
        amount = np.log(np.asarray(tables[family.child]["amount"]))
        category = np.searchsorted(CATEGORIES, tables[family.child]["category"].to_pylist())
        figures = {
            "same category": sibling_agreement(category, link),
            "ICC of log amount": intraclass_correlation(amount, link),
            "count-mean correlation": count_mean_correlation(amount, link),
            "childless": float((counts == 0).mean()),
            "99 % of counts": float(np.quantile(counts, 0.99)),
            "99.9 % of counts": float(np.quantile(counts, 0.999)),
            "largest count": float(counts.max()),
        }
        found |= {f"{family.child}: {name}": value for name, value in figures.items()}
    return found


def links(tables: Mapping[str, pa.Table], family: Family) -> np.ndarray:
    """Row number of each child's parent."""
    key = f"{family.parent}_id"
    parents = tables[family.parent][key].combine_chunks()
    return np.asarray(pc.index_in(tables[family.child][key], parents))


def sibling_agreement(codes: np.ndarray, link: np.ndarray) -> float:
    """Chance that two children of a family have one category, mean over families of two or more."""
    table = np.zeros((link.max() + 1, codes.max() + 1))
    np.add.at(table, (link, codes), 1)
    n = table.sum(axis=1)
    alike = (table * (table - 1)).sum(axis=1)[n > 1] / (n * (n - 1))[n > 1]
    return float(alike.mean())


def intraclass_correlation(values: np.ndarray, link: np.ndarray) -> float:
    """ICC(1) by one-way analysis of variance with unequal families (Donner 1986)."""
    counts = np.bincount(link)
    there = counts > 0
    counts, means = counts[there], np.bincount(link, values)[there] / counts[there]
    rows, groups = len(values), len(counts)
    between = (counts * (means - values.mean()) ** 2).sum() / (groups - 1)
    within = ((values**2).sum() - (counts * means**2).sum()) / (rows - groups)
    size = (rows - (counts**2).sum() / rows) / (groups - 1)
    return float((between - within) / (between + (size - 1) * within))


def count_mean_correlation(values: np.ndarray, link: np.ndarray) -> float:
    """Pearson correlation of the number of children with their mean, over parents with any."""
    counts = np.bincount(link)
    there = counts > 0
    means = np.bincount(link, values)[there] / counts[there]
    return float(np.corrcoef(counts[there], means)[0, 1])
