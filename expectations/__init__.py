"""The judgement: expectations, suites, gates and the report."""
