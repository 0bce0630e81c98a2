"""The names of marginals, as the project file and the synthesizers take them.

Apart from the marginals themselves, so that a project file is checked without loading scipy.
"""

from __future__ import annotations

from typing import Literal, get_args

Family = Literal["norm", "truncnorm", "beta", "gamma", "student_t", "uniform", "gaussian_kde"]
"""Parametric families, by SDV's names."""

Marginal = Literal["quantile", Family]
"""All marginals of a numeric column."""

FAMILIES: tuple[str, ...] = get_args(Family)
MARGINALS: tuple[str, ...] = get_args(Marginal)
