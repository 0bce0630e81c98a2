"""Great Expectations' own expectation of quantiles, whose result can be written down."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from great_expectations.core.suite_parameters import (  # noqa: F401  (named by inherited fields)
    SuiteParameterDict,
)
from great_expectations.expectations.core.expect_column_quantile_values_to_be_between import (
    ExpectColumnQuantileValuesToBeBetween as _BuiltIn,
)


@contextmanager
def _quietly() -> Iterator[None]:
    """Great Expectations warns of every class and renderer that takes another's place."""
    registry = logging.getLogger("great_expectations.expectations.registry")
    registry.disabled = True
    try:
        yield
    finally:
        registry.disabled = False


with _quietly():

    class ExpectColumnQuantileValuesToBeBetween(_BuiltIn):
        """Expect quantiles of a column to lie in ranges.

        The class has the name of the one that it derives from, and takes its place: under NumPy 2
        that one answers with a numpy.bool, which cannot be written as JSON (1.24.1).
        """

        def _validate(self, *arguments: Any, **named: Any) -> dict[str, Any]:
            found: dict[str, Any] = super()._validate(*arguments, **named)
            return {**found, "success": bool(found["success"])}
