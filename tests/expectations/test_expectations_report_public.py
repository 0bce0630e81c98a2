"""What may leave private staging: nothing named, nothing that few rows decide."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from prefect_synth.expectations.report import write_report
from prefect_synth.expectations.report_content import (
    ColumnView,
    DegreeView,
    DriftLine,
    PairView,
    PrivacyView,
    ReportContent,
)
from prefect_synth.expectations.report_public import public
from prefect_synth.expectations.scores import Score
from prefect_synth.expectations.verdict import Check, Verdict
from prefect_synth.synth.hierarchy.summary import PartSummary
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table

CREATED = datetime(2026, 11, 28, tzinfo=UTC)
K = 20

counts = st.lists(st.integers(0, 60), min_size=1, max_size=12).filter(sum)


def shares(of: list[int]) -> tuple[float, ...]:
    """Counts as shares."""
    return tuple(count / sum(of) for count in of)


def column(of: list[int], kind: str = "number", **changes: object) -> ColumnView:
    """A view of a column with so many real rows in each bin; the synthetic ones likewise."""
    ordered = sorted(of, reverse=True) if kind == "category" else of
    view = ColumnView(
        "c",
        kind,
        sum(of),
        shares(ordered),
        shares(ordered),
        widths=() if kind == "category" else (1 / len(of),) * len(of),
        others=(0.0, 0.0) if kind == "category" else None,
    )
    return replace(view, **changes)


def content(view: ColumnView | None = None, **changes: object) -> ReportContent:
    """The content of a table `t` with one column."""
    metadata = Metadata({"t": Table("t", {"c": Column("c")})})
    columns = {"t": (view,)} if view else {}
    made = ReportContent("p", "s", CREATED, Verdict(), metadata, columns=columns, fewest=K)
    return replace(made, **changes)


def shown(view: ColumnView) -> ColumnView | None:
    """What the public edition shows of a column."""
    return next(iter(public(content(view)).columns["t"]), None)


@given(counts, st.sampled_from(["number", "category"]))
def test_every_public_bin_stands_for_enough_rows(of: list[int], kind: str) -> None:
    """Bins and other categories hold at least k real rows, and all rows stay counted."""
    view = shown(column(of, kind))
    if view is None:
        assert sum(of) < 2 * K or max(of) > sum(of) - K or len(of) == 1
        return
    parts = [*view.real, *(view.others or ())[:1]]
    assert all(part == 0 or part >= round(K / sum(of), 3) for part in parts)
    assert sum(parts) == pytest.approx(1, abs=0.01)


@given(counts, counts)
def test_bins_of_few_rows_never_seen_are_left_out(of: list[int], unseen: list[int]) -> None:
    """The holdout is shown where each of its bins holds k rows, else not at all."""
    held = (unseen * len(of))[: len(of)]
    total = max(sum(held), 1)
    view = column(of, holdout=tuple(n / total for n in held), holdout_rows=sum(held))
    found = shown(view)
    if found is not None and found.holdout is not None:
        assert min(found.holdout) >= round(K / total, 3)


@given(counts)
def test_parents_are_counted_in_bins_of_enough(of: list[int]) -> None:
    """A parent with uncommonly many children is in a bin with others, or there is one bin."""
    view = DegreeView("t.c", sum(of), tuple(range(len(of))), shares(of), shares(of))
    (found,) = public(content(degrees=(view,))).degrees
    assert len(found.real) == 1 or min(found.real) >= round(K / sum(of), 3)
    assert len(found.labels) == len(found.real)


@given(counts, counts)
def test_distances_are_counted_in_bins_of_enough(made: list[int], unseen: list[int]) -> None:
    """No bin of distances holds fewer than k rows of a side, unless there is one bin only."""
    size = min(len(made), len(unseen))
    sides = tuple(made[:size]), tuple(unseen[:size])
    edges = tuple(place / 7 for place in range(size + 1))
    found = public(content(privacy={"t": PrivacyView("t", edges, *sides)})).privacy["t"]
    if len(found.dcr_holdout) > 1:
        assert min(*found.dcr_holdout, *found.dcr_synthetic) >= K
        assert len(found.dcr_edges) == len(found.dcr_holdout) + 1


def test_few_nulls_are_not_told() -> None:
    """A share of nulls that a few rows make is left out; a common one is rounded."""
    few, many = (column([500, 499], nulls=(n / 1000, 0.0)) for n in (1, 300))
    assert shown(few).nulls is None
    assert shown(many).nulls == (0.3, 0.0)


def test_associations_are_told_in_tenths() -> None:
    """Exact coefficients stay in staging."""
    sides = ((1.0, 0.4321), (0.4321, 1.0))
    view = PairView(("a", "b"), sides, sides, sides)
    found = public(content(pairs={"t": view}, rows={"t": (K, 0)})).pairs["t"]
    assert found.real == ((1.0, 0.4), (0.4, 1.0))
    assert found.scores == ()


def test_associations_of_few_rows_are_not_told() -> None:
    """What two shops have in common is theirs."""
    sides = ((1.0, 0.4), (0.4, 1.0))
    view = PairView(("a", "b"), sides, sides)
    assert public(content(pairs={"t": view}, rows={"t": (K - 1, 100)})).pairs == {}


def test_an_unknown_kind_of_drift_is_not_told() -> None:
    """What moved is one of a fixed list of words."""
    (line,) = public(content(drift=(DriftLine("t", "c", "Smith is new"),))).drift
    assert line.what == "changed"


def test_drift_that_few_rows_decide_is_not_told() -> None:
    """A category of nineteen rows may be a family."""
    lines = tuple(DriftLine("t", "c", "new categories", 0.1, rows=n) for n in (K - 1, K, None))
    found = public(content(drift=lines)).drift
    assert [(line.what, line.rows) for line in found] == [("new categories", None)] * 2


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    counts,
    st.sampled_from(["number", "category"]),
    st.text("ABCDEFGHabcdefgh0123456789 <&'\"é", min_size=1, max_size=12),
)
def test_nothing_planted_is_on_the_public_page(
    tmp_path: Path, of: list[int], kind: str, text: str
) -> None:
    """A real value in any private field is on the private page, and never on the public one."""
    value = f"ZQ{text}QZ"
    planted = _planted(of, kind, value)
    pages = [
        write_report(tmp_path / f"{edition}.html", planted, edition).read_text("utf-8")
        for edition in ("private", "public")
    ]
    assert ["ZQ" in page for page in pages] == [True, False]


def _planted(of: list[int], kind: str, value: str) -> ReportContent:
    """A content with a value in every private field."""
    columns = {
        "c": Column("c", categories=(value,), regex_format=value, source_type=value, comment=value),
        "to": Column("to", "id"),
    }
    tables = {name: Table(name, columns, ("c",), comment=value) for name in ("t", "u")}
    ways = tuple(Relationship("t", ("to",), to, ("c",), ("c", value)) for to in tables)
    metadata = Metadata(tables, ways)
    name = metadata.relationships[0].name
    score = Score("cardinality", "fidelity", 0.5, "t", name)
    return content(
        column(of, kind, labels=(value,) * len(of), axis=(value,) * 3),
        metadata=metadata,
        verdict=Verdict(
            (
                Check("rule", "t", None, "structure", 0, f"0 rows break c = {value}", "passed"),
                Check("children per parent", "t", name, "fidelity", 0.5, "0.4", "passed"),
            )
        ),
        scores=(score,),
        degrees=(DegreeView(name, 50, (0, 1), (0.5, 0.5), (0.5, 0.5)),),
        privacy={"t": PrivacyView("t", figures=(score,))},
        models=(PartSummary("t", "trees", "Trees take 1 s.", (f"c = {value}",)),),
        drift=(DriftLine("t", "c", "new categories", 0.1, value), DriftLine("t", "c", value)),
    )
