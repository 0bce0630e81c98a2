"""Expectations of ours on one column, measured against what is remembered of the real one."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from great_expectations.core.suite_parameters import (  # noqa: F401  (named by inherited fields)
    SuiteParameterDict,
)

from prefect_synth.expectations.columns import coverage, hash_complement
from prefect_synth.expectations.custom_outcome import (
    OurExpectation,
    Outcome,
    Reference,
    bound,
    outcome,
)
from prefect_synth.expectations.custom_references import referred
from prefect_synth.synth.metrics.shapes import ks_complement


class ExpectColumnNullShareToBeNear(OurExpectation):
    """Expect the share of nulls to differ from the real `share` by at most `tolerance`."""

    column: str
    share: float | Reference
    tolerance: float

    args_keys = ("column", "share", "tolerance")
    success_keys = args_keys
    template: ClassVar[str] = "$column: the share of nulls is within $tolerance of $share."

    def judge(self) -> Outcome:
        """Count the nulls; NaN is one."""
        values = referred().values(self.column)
        found = values.null_count / len(values) if len(values) else 0.0
        return outcome(abs(found - bound(self.share)) <= self.tolerance + _ROUNDING, 1 - found)


class ExpectColumnKsComplementToBeAtLeast(OurExpectation):
    """Expect the KS complement of a column against stored quantiles to be at least `min_value`."""

    column: str
    quantiles: list[float] | Reference
    min_value: float

    args_keys = ("column", "quantiles", "min_value")
    success_keys = args_keys
    template: ClassVar[str] = "$column: KS complement with the real column is at least $min_value."

    def judge(self) -> Outcome:
        """Compare the distribution functions."""
        real = np.asarray(bound(self.quantiles), np.float64)
        score = ks_complement(real, referred().numbers(self.column))
        score = 0.0 if np.isnan(score) else float(score)
        return outcome(score >= self.min_value, score)


class ExpectColumnTvComplementToBeAtLeast(OurExpectation):
    """Expect the TV complement of a column against stored shares to be at least `min_value`."""

    column: str
    shares: dict[str, float] | Reference
    min_value: float

    args_keys = ("column", "shares", "min_value")
    success_keys = args_keys
    template: ClassVar[str] = "$column: TV complement with the real column is at least $min_value."

    def judge(self) -> Outcome:
        """Compare the shares of the categories."""
        score = hash_complement(bound(self.shares), referred().hashes(self.column))
        return outcome(score >= self.min_value, score)


class ExpectColumnMeanToBeNear(OurExpectation):
    """Expect the mean to be within `tolerance` real standard deviations of the real `mean`.

    Values outside of the real range count as its ends: how many there are is another expectation's
    matter, and one wild value says nothing of the rest.
    """

    column: str
    mean: float | Reference
    std: float | Reference
    lowest: float | Reference
    highest: float | Reference
    tolerance: float

    args_keys = ("column", "mean", "std", "lowest", "highest", "tolerance")
    success_keys = args_keys
    template: ClassVar[str] = (
        "$column: the mean is within $tolerance standard deviations of the real one."
    )

    def judge(self) -> Outcome:
        """Measure the shift in real standard deviations."""
        found = referred().numbers(self.column)
        found = found[np.isfinite(found)]
        if len(found) == 0:
            return outcome(True, None, "no value to take a mean of")
        mean = float(np.clip(found, bound(self.lowest), bound(self.highest)).mean())
        shift = (mean - bound(self.mean)) / bound(self.std)
        return outcome(abs(shift) <= self.tolerance, shift)


class ExpectColumnValuesToBeInRealRange(OurExpectation):
    """Expect a share of at least `min_value` of the values between the real `lowest` and `highest`.

    Points in time are microseconds.
    """

    column: str
    lowest: float | Reference
    highest: float | Reference
    min_value: float

    args_keys = ("column", "lowest", "highest", "min_value")
    success_keys = args_keys
    template: ClassVar[str] = "$column: a share of at least $min_value lies in the real range."

    def judge(self) -> Outcome:
        """Count the values inside; null and NaN do not count."""
        found = referred().numbers(self.column)
        found = found[~np.isnan(found)]
        if len(found) == 0:
            return outcome(True, None, "no value that could be out of range")
        inside = (found >= bound(self.lowest)) & (found <= bound(self.highest))
        share = float(inside.mean())
        return outcome(share >= self.min_value, share)


class ExpectColumnCategoryCoverageToBeAtLeast(OurExpectation):
    """Expect the categories of a share of at least `min_value` of the real rows to occur.

    Every category in `must_occur` has to, because chance cannot explain that it is missing.
    """

    column: str
    shares: dict[str, float] | Reference
    must_occur: list[str] | Reference
    min_value: float

    args_keys = ("column", "shares", "must_occur", "min_value")
    success_keys = args_keys
    template: ClassVar[str] = (
        "$column: categories of a share of at least $min_value of the real rows occur."
    )

    def judge(self) -> Outcome:
        """Look for each category's hash; which one is missing is never said."""
        hashes = referred().hashes(self.column)
        shares: dict[str, float] = bound(self.shares)
        present = set(np.unique(hashes).astype(str))
        lost = [name for name in bound(self.must_occur) if name not in present]
        found = coverage(shares, hashes)
        if not lost:
            return outcome(found >= self.min_value, found)
        share = sum(shares[name] for name in lost)
        categories = "category is" if len(lost) == 1 else "categories are"
        note = f"{len(lost)} {categories} missing that hold {share:.1%} of the real rows"
        return outcome(False, found, note)


_ROUNDING = 1e-9
