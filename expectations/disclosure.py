"""What of a judgement may leave private staging: aggregates, names, and what the catalogue says.

The manifest and the public report lie in the sandbox, and Prefect is read by whoever reads the
sandbox: its artifacts, events, and states with their messages and data. All of them get what this
one module leaves. Gone are constants of rules, values that polymorphic foreign keys ask for,
sentences that a person wrote into a suite, and patterns of ids. Comments of tables and columns,
source types and declared categories stay: they are the catalogue's own documentation, and the
published Parquet files say them too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from prefect_synth.expectations.rules import BREAK
from prefect_synth.expectations.scores import Score
from prefect_synth.expectations.verdict import Check, Verdict
from prefect_synth.synth.hierarchy.summary import PartSummary
from prefect_synth.synth.metadata import Column, Metadata, Table
from prefect_synth.synth.metrics.quality import QualityScore
from prefect_synth.synth.rules.declared import WORDS

DIGITS = 3
"""Decimals of a score that leaves private staging."""

_SUITE = "as the suite says"
_NAMES = re.compile(r"`([^`]*)`|([^\W\d]\w*)")
_ONE = re.compile(r"(?<=\()1(?= [-+] )")  # of (1 - discount)
_ROUNDED = re.compile(r"( = round\(.+), \d\)$")  # of round(quantity * price, 2)


@dataclass(frozen=True)
class Disclosure:
    """Makes the public form of what was found of a snapshot.

    Args:
        schema: The schema, whole.
    """

    schema: Metadata

    @cached_property
    def metadata(self) -> Metadata:
        """The schema: names, types, keys, comments, categories that are declared."""
        plain = dict.fromkeys(replace(r, when=None) for r in self.schema.relationships)
        return Metadata({n: _table(t) for n, t in self.schema.tables.items()}, tuple(plain))

    def verdict(self, verdict: Verdict) -> Verdict:
        """The checks, without what a rule, a condition or a person's sentence may quote."""
        return Verdict(tuple(self._check(check) for check in verdict.checks))

    def score(self, score: Score) -> Score:
        """A figure to three digits."""
        found = {k: short(v) if isinstance(v, float) else v for k, v in score.to_dict().items()}
        column = None if score.column is None else self.name(score.column)
        return Score.from_dict({**found, "column": column})

    def quality(self, quality: QualityScore) -> QualityScore:
        """The quality to three digits, without that of single pairs: the worst of like names."""
        return QualityScore(
            short(quality.overall),
            short(quality.column_shapes),
            short(quality.column_pair_trends),
            short(quality.cardinality),
            short(quality.intertable_trends),
            per_column=self._scores(quality.per_column),
            per_relationship=self._scores(quality.per_relationship),
            per_table=self._scores(quality.per_table),
            unscored=quality.unscored,
        )

    def model(self, made: PartSummary) -> PartSummary:
        """How a table is modelled, its rules without their constants."""
        return replace(made, rules=tuple(self.rule(made.table, text) for text in made.rules))

    def rule(self, table: str, text: str) -> str:
        """A rule that consists of names alone; of another one only the columns that it binds.

        Args:
            table: Its table.
            text: The rule as the project file has it.
        """
        names = [quoted or word for quoted, word in _NAMES.findall(text)]
        rest = _NAMES.sub("", _ROUNDED.sub(r"\1", _ONE.sub("", text)))
        if not re.search(r"[\d'\"]", rest) and all(name in self._words for name in names):
            return text
        columns = self.schema.tables[table].columns if table in self.schema.tables else {}
        bound = dict.fromkeys(name for name in names if name in columns)
        return f"a rule on {', '.join(bound)}" if bound else "a rule"

    def name(self, text: str) -> str:
        """A text without the conditions of foreign keys that it names."""
        for condition in self._conditions:
            text = text.replace(condition, "")
        return text

    @cached_property
    def _conditions(self) -> list[str]:
        """` when owner_type = invoice`, of each foreign key that has one; the longest first."""
        plain = {r: replace(r, when=None) for r in self.schema.relationships if r.when is not None}
        found = {str(r).removeprefix(str(p)) for r, p in plain.items()}
        return sorted(found, key=len, reverse=True)

    @cached_property
    def _words(self) -> frozenset[str]:
        tables = self.schema.tables
        parts = (part for name in tables for part in name.split("."))
        columns = (column for table in tables.values() for column in table.columns)
        return frozenset({*WORDS, *tables, *parts, *columns})

    def _check(self, check: Check) -> Check:
        required = check.required
        if check.name == "rule" and check.table is not None:
            required = BREAK + self.rule(check.table, required.removeprefix(BREAK))
        elif check.kind == "expectation" and check.name.startswith("expect_"):
            required = _SUITE
        return replace(
            check,
            column=None if check.column is None else self.name(check.column),
            required=self.name(required),
            detail=self.name(check.detail),
        )

    def _scores(self, scores: Mapping[str, float]) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, score in scores.items():
            plain = self.name(name)
            found[plain] = min(round(score, DIGITS), found.get(plain, 1.0))
        return found


def short(value: float | None) -> float | None:
    """A figure to three digits, where there is one."""
    return None if value is None else round(value, DIGITS)


def _table(table: Table) -> Table:
    return replace(table, columns={n: _column(c) for n, c in table.columns.items()})


def _column(column: Column) -> Column:
    return replace(column, regex_format=None)
