"""Expectations of ours on several columns: keys that resolve, and rows that are not copied."""

from __future__ import annotations

from typing import ClassVar

from great_expectations.core.suite_parameters import (  # noqa: F401  (named by inherited fields)
    SuiteParameterDict,
)

from prefect_synth.expectations.custom_outcome import (
    OurExpectation,
    Outcome,
    Reference,
    bound,
    outcome,
)
from prefect_synth.expectations.custom_references import referred
from prefect_synth.synth.metrics.privacy import copied_share
from prefect_synth.synth.metrics.structure import orphans


class ExpectForeignKeyToResolve(OurExpectation):
    """Expect every key without a null in `column_list` to exist in the parent table."""

    column_list: list[str]
    parent_table: str
    parent_columns: list[str]

    args_keys = ("column_list", "parent_table", "parent_columns")
    success_keys = args_keys
    template: ClassVar[str] = "Every key ($column_list) is found in $parent_table."

    def judge(self) -> Outcome:
        """Count the orphans."""
        given = referred()
        parent = given.parents[self.parent_table]
        count = orphans(given.batch, self.column_list, parent, self.parent_columns)
        found = outcome(count == 0, None)
        found["result"]["observed_value"] = int(count)
        return found


class ExpectCopiedRowShareToBeAtMost(OurExpectation):
    """Expect the share of rows that equal a unique real row to be at most `max_value`.

    `natural` is the share that an honest synthesizer reaches.
    """

    column_list: list[str] | Reference
    natural: float | Reference = 0.0
    max_value: float

    args_keys = ("column_list", "natural", "max_value")
    success_keys = args_keys
    template: ClassVar[str] = (
        "A share of at most $max_value of the rows equals a real row that occurs once."
    )

    def judge(self) -> Outcome:
        """Look the rows up among the hashes of the real ones."""
        given = referred()
        share = copied_share(given.batch, bound(self.column_list), given.copies)
        return outcome(share <= self.max_value, share)
