"""Card frauds: halves to train on and to test on, the modes of frauds, and how well they are found.

All tables here have the columns of the ULB's credit card set: `Time`, `V1` to `V28`, `Amount`,
`Class`. A *mode* is a component of a Gaussian mixture (diagonal covariances) over the real frauds
of the training half, no row twice: V1 to V28 and the logarithm of Amount, standardised, as their
first five principal components; their number, ten at most, is the one of the least BIC, and
those of less than a twentieth of the frauds do not count. A row belongs to its most likely
component, unless it is less likely than all but a hundredth of the real frauds: then it lies
outside, and in no mode. A mode is lost where its share is less than a quarter of the real one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from prefect_synth.synth.metrics.shapes import ks_complement

Floats = npt.NDArray[np.float64]

CLASS = "Class"
COMPONENTS = tuple(f"V{i}" for i in range(1, 29))
COLUMNS = ("Time", *COMPONENTS, "Amount")
FEATURES = (*COMPONENTS, "Amount")
"""What a classifier sees: without Time, as 999 genuine rows are all of the first 13 minutes."""

GENUINE_OF_ALL, FRAUDS_OF_ALL = 284_315, 492
"""Rows of each class in the whole set, of which ours has all frauds and few genuine ones."""

_MOST_MODES, _AXES = 10, 5
_FEWEST, _OUTSIDE, _LOST = 0.05, 0.01, 0.25


def halves(tables: list[pa.Table], seed: int) -> tuple[pa.Table, pa.Table]:
    """Cut rows in two at random, each class evenly; equal rows go to the same half.

    Args:
        tables: Tables of the same columns; a row of one that stood in an earlier one is left out.
        seed: Of the cut.

    Returns:
        The half that is trained on, and the half that is tested on.
    """
    first = tables[0].schema
    frames = [table.cast(first).to_pandas() for table in tables]
    whole = frames[0]
    for frame in frames[1:]:
        whole = pd.concat([whole, frame[~_rows(frame).isin(_rows(whole))]])
    group = _rows(whole).factorize()[0]
    label = whole[CLASS].groupby(group).first().to_numpy()  # of each group
    rng, train = np.random.default_rng(seed), np.zeros(len(label), bool)
    for one in np.unique(label):
        groups = rng.permutation(np.flatnonzero(label == one))
        train[groups[: len(groups) // 2]] = True
    table = pa.Table.from_pandas(whole, schema=first, preserve_index=False)
    return table.filter(train[group]), table.filter(~train[group])


def _rows(frame: pd.DataFrame) -> pd.MultiIndex:
    """Whole rows to be compared; the last bits of a number may differ from file to file."""
    return pd.MultiIndex.from_frame(frame.astype(float).round(9))


def read(folder: Path) -> list[pa.Table]:
    """The two tables of `shared/data/creditcard`."""
    return [pq.read_table(folder / f"creditcard{part}.parquet") for part in ("", "_first999")]


def of_class(rows: pa.Table, label: int) -> pa.Table:
    """The rows of one class, without the column that says so."""
    return rows.filter(np.asarray(rows[CLASS]) == label).drop_columns([CLASS])


def numbers(rows: pa.Table, columns: tuple[str, ...] = FEATURES) -> Floats:
    """Columns as floats, [n, d]."""
    return np.column_stack([np.asarray(rows[name].cast(pa.float64())) for name in columns])


def ks_complements(real: pa.Table, synthetic: pa.Table) -> dict[str, float]:
    """How alike each column is, by name: 1 minus the Kolmogorov-Smirnov statistic."""
    pairs = zip(numbers(real, COLUMNS).T, numbers(synthetic, COLUMNS).T, strict=True)
    found = [ks_complement(*pair) for pair in pairs]
    return dict(zip(COLUMNS, found, strict=True))


@dataclass(frozen=True)
class Modes:
    """The modes of some frauds.

    Args:
        axes: From features to principal components.
        mixture: Of the principal components.
        floor: Log density below which a row lies outside.
        shares: Share of each mode in the frauds that it was learned from, [k].
        kept: Modes that count, having at least a twentieth of those frauds, [m].
    """

    axes: Pipeline
    mixture: GaussianMixture
    floor: float
    shares: Floats
    kept: npt.NDArray[np.intp]

    def found(self, rows: pa.Table) -> tuple[Floats, float]:
        """Share of each mode that counts in rows, [m], and the share of rows outside."""
        at = self.axes.transform(_spread(rows))
        inside = self.mixture.score_samples(at) >= self.floor
        counts = np.bincount(self.mixture.predict(at)[inside], minlength=len(self.shares))
        return (counts / len(at))[self.kept], float(1 - inside.mean())

    def ratios(self, rows: pa.Table) -> Floats:
        """The share of each mode in rows beside its share in the real frauds, [m]."""
        return np.asarray(self.found(rows)[0] / self.shares[self.kept])

    def lost(self, rows: pa.Table) -> int:
        """How many modes have less than a quarter of their share."""
        return int((self.ratios(rows) < _LOST).sum())


def find_modes(frauds: pa.Table, seed: int = 0) -> Modes:
    """Learn the modes of real frauds."""
    axes = make_pipeline(StandardScaler(), PCA(_AXES, random_state=seed))
    # equal rows would be modes without any width
    at = axes.fit_transform(np.unique(_spread(frauds), axis=0))
    tried = [
        GaussianMixture(k, covariance_type="diag", reg_covar=1e-2, n_init=3, random_state=seed)
        for k in range(1, _MOST_MODES + 1)
    ]
    mixture = min((one.fit(at) for one in tried), key=lambda one: one.bic(at))
    shares = np.bincount(mixture.predict(at), minlength=mixture.n_components) / len(at)
    floor = float(np.quantile(mixture.score_samples(at), _OUTSIDE))
    return Modes(axes, mixture, floor, shares, np.flatnonzero(shares >= _FEWEST))


def average_precision(
    features: Floats, labels: npt.NDArray[np.intp], test: pa.Table, seed: int
) -> dict[str, float]:
    """How well classifiers find the frauds of a half that they have not seen.

    Args:
        features: Of the rows to train on, [n, d].
        labels: 1 for a fraud, [n].
        test: The other half.
        seed: Of the classifiers.

    Returns:
        The average precision of boosted trees and of a logistic regression, and that of the trees
        where each genuine row counts for as many as it stands for in the whole set.
    """
    seen, truth = numbers(test), np.asarray(test[CLASS])
    genuine = GENUINE_OF_ALL / (truth == 0).sum()
    weights = np.where(truth == 0, genuine, FRAUDS_OF_ALL / (truth == 1).sum())
    trees = HistGradientBoostingClassifier(early_stopping=False, random_state=seed)
    line = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    trees.fit(features, labels)
    line.fit(features, labels)
    odds = trees.predict_proba(seen)[:, 1]
    return {
        "trees": float(average_precision_score(truth, odds)),
        "logistic": float(average_precision_score(truth, line.predict_proba(seen)[:, 1])),
        "trees, real shares": float(average_precision_score(truth, odds, sample_weight=weights)),
    }


def _spread(rows: pa.Table) -> Floats:
    """Features with amounts by their logarithm, [n, d]."""
    found = numbers(rows)
    found[:, -1] = np.log1p(np.maximum(found[:, -1], 0))
    return found
