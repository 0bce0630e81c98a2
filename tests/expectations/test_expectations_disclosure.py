"""One place decides what of a judgement leaves private staging."""

import json
from dataclasses import replace

import pytest

from prefect_synth.expectations.disclosure import Disclosure
from prefect_synth.expectations.rules import BREAK
from prefect_synth.expectations.scores import Score
from prefect_synth.expectations.verdict import Check, Verdict
from prefect_synth.synth.hierarchy.summary import PartSummary
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.synth.metrics.quality import QualityScore

SECRET = "Quagga-0815"
NAMES = ("id", "net", "tax", "gross", "placed on", "owner_type", "owner_id")


@pytest.fixture
def told() -> Disclosure:
    """Of a table `t` whose rows belong to a `u` or to another `t`."""
    columns = {c: Column(c, "numerical") for c in NAMES}
    columns["id"] = Column("id", "id", regex_format=SECRET, comment="The number", source_type="INT")
    columns["kind"] = Column("kind", categories=("a", "b"))
    tables = {n: Table(n, columns, ("id",), comment="One row each") for n in ("t", "u")}
    owners = (
        Relationship("t", ("owner_id",), parent, ("id",), ("owner_type", value))
        for parent, value in (("u", SECRET), ("t", "other"))
    )
    return Disclosure(Metadata(tables, tuple(owners)))


@pytest.mark.parametrize(
    "rule",
    [
        "gross = net + tax",
        "gross = round(net * (1 - tax), 2)",
        "net, tax -> gross",
        "tax <= net <= gross",
        "`placed on` >= u.`placed on`",
        "net = sum(u.net * u.tax)",
        "null(net) -> null(tax)",
        "id = count(u)",
        "net = iso_week(`placed on`)",
        "constant(tax)",
    ],
)
def test_a_rule_of_names_alone_is_told(told: Disclosure, rule: str) -> None:
    """It says nothing that the schema does not."""
    assert told.rule("t", rule) == rule


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        ("net <= 9911227.35", "a rule on net"),
        ("0 <= tax <= 1", "a rule on tax"),
        ("gross = 100 * net + tax", "a rule on gross, net, tax"),
        ("gross = net + tax - 2.5", "a rule on gross, net, tax"),
        ("`placed on` >= '1931-05-07'", "a rule on placed on"),
        ("`placed on` = datetime(2013, net, tax)", "a rule on placed on, net, tax"),
        ("step(net, 5)", "a rule on net"),
        ("net <= Quagga", "a rule on net"),
        ("`Quagga` <= 'Dodo'", "a rule"),
    ],
)
def test_of_a_rule_with_a_constant_only_its_columns_are_told(
    told: Disclosure, rule: str, left: str
) -> None:
    """The largest real amount may be one."""
    assert told.rule("t", rule) == left
    check = Check("rule", "t", None, "structure", 0, BREAK + rule, "passed")
    assert told.verdict(Verdict((check,))).checks[0].required == BREAK + left
    assert told.model(PartSummary("t", "trees", "", (rule,))).rules == (left,)


def test_the_schema_keeps_what_the_parquet_files_say(told: Disclosure) -> None:
    """Comments, source types and declared categories; not what else may quote values."""
    text = json.dumps(told.metadata.to_dict())
    assert SECRET not in text
    assert told.metadata.tables["t"].primary_key == ("id",)
    assert told.metadata.tables["t"].comment == "One row each"
    kept = told.metadata.tables["t"].columns
    assert (kept["id"].comment, kept["id"].source_type) == ("The number", "INT")
    assert kept["kind"].categories == ("a", "b")


def test_no_figure_tells_the_condition_of_a_foreign_key(told: Disclosure) -> None:
    """However the key is named: whole, or without its table."""
    (_, full), (_, other) = ((r, r.name) for r in told.schema.relationships[::-1])
    assert SECRET in full + other
    quality = QualityScore(
        0.91234, 1.0, None, per_relationship={full: 0.5, other: 0.4}, per_pair={full + " ~ x": 0.1}
    )
    assert SECRET not in json.dumps(told.quality(quality).to_dict())
    assert told.quality(quality).overall == 0.912
    score = Score("relations", "fidelity", 0.98765, "t", full.removeprefix("t."))
    for named in (score, replace(score, column=other)):
        assert SECRET not in str(told.score(named))
    assert told.score(score).found == 0.988


def test_a_sentence_of_a_persons_own_is_not_told(told: Disclosure) -> None:
    """What a suite says stays in the suite; what is generated is told."""
    own = Check("expect_max", "t", "net", "expectation", 1.0, f"below {SECRET}", "failed")
    made = Check("unique", "t", "id", "expectation", 0, "no duplicate", "passed")
    found = told.verdict(Verdict((own, made))).checks
    assert [check.required for check in found] == ["as the suite says", "no duplicate"]
