"""What docs/warehouses.md says is what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

from prefect_synth.tasks.warehouses.postgres_roles import least_privileges

PAGE = (Path(__file__).parents[3] / "docs" / "warehouses.md").read_text()


def test_the_grants_are_those_that_the_refusal_prints() -> None:
    """The page's SQL is the code's own, which the tests of roles run on a real server."""
    block = re.search(r"```sql\n(.*?)\n```", PAGE, re.DOTALL)
    assert block is not None
    assert block[1] == dedent(least_privileges("shop", ["public"]))
