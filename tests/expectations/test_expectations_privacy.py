"""Copied rows, personal values, and what the judgement itself gives away."""

import json
import logging
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.expectations.copies import profile_copies
from prefect_synth.expectations.gate import judge_snapshot, judge_table
from prefect_synth.expectations.profile import profile_table
from prefect_synth.expectations.report import write_report
from prefect_synth.expectations.report_build import all_columns, all_pairs, report_content
from prefect_synth.expectations.scorecard import scorecard_markdown
from prefect_synth.expectations.settings import Gates, PrivacyGates
from prefect_synth.expectations.shapes import table_shapes
from prefect_synth.expectations.sides import Sides
from prefect_synth.synth.metadata import Column, Metadata, Table

CANARY = "Zyzzyva-4711"
CANARY_NUMBER = 987654.125


def test_a_copied_table_fails(shop, named) -> None:
    """The real table itself is no synthetic one."""
    verdict = shop.judge_instead("customers", pq.read_table(shop.real["customers"]))
    check = named(verdict, "copied rows")
    assert check.status == "failed"
    assert check.observed == pytest.approx(1, abs=0.01)


def test_some_copied_rows_fail(shop, named) -> None:
    """One row in ten taken from the real table is noticed."""
    real, synthetic = pq.read_table(shop.real["customers"]), shop.table("customers")
    mixed = pa.concat_tables([real.slice(0, 60), synthetic.slice(60)])
    assert named(shop.judge_instead("customers", mixed), "copied rows").status == "failed"


def test_rows_that_repeat_by_nature_are_no_copies(judge_alone, tmp_path: Path) -> None:
    """Honest draws from a small population hit unique rows, as the natural rate foresees."""
    metadata = Metadata({"t": Table("t", {c: Column(c) for c in "abc"})})
    rng, paths = np.random.default_rng(0), (tmp_path / "a.parquet", tmp_path / "b.parquet")
    for path in paths:
        pq.write_table(pa.table({c: rng.integers(0, 12, 2_000) for c in "abc"}), path)
    profile = profile_table(paths[0], metadata.tables["t"], metadata)
    verdict = judge_alone(metadata, *paths)
    (check,) = [c for c in verdict.checks if c.name == "copied rows"]
    assert profile.copies.natural > 0.1
    assert check.status != "failed"


def test_values_of_one_column_are_no_copied_rows(tmp_path: Path) -> None:
    """A lookup table of names has no rows that could be copied."""
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"name": ["red", "green", "blue"]}), path)
    assert not profile_copies(path, ["name"], 0).is_copyable


def test_where_a_copy_cannot_be_told_the_verdict_says_so(judge_alone, tmp_path: Path) -> None:
    """A table of eight rows, copied, is a note and neither passed nor failed."""
    metadata = Metadata({"t": Table("t", {c: Column(c, "numerical") for c in "ab"})})
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": np.arange(8.0), "b": np.arange(8.0)}), path)
    notes = judge_alone(metadata, path, path).warnings
    assert ("copied rows", "not judged") in {(note.name, note.observed) for note in notes}


def test_a_leaked_email_fails(shop, replace_column) -> None:
    """One real address among six hundred is one too many, in capitals and with a blank too."""
    synthetic = shop.table("customers")
    leaked = pq.read_table(shop.real["customers"])["email"][5].as_py()
    emails = [f" {leaked.upper()}", *synthetic["email"].to_pylist()[1:]]
    verdict = shop.judge_instead("customers", replace_column(synthetic, "email", emails))
    (check,) = verdict.failures
    assert (check.name, check.column) == ("real personal values", "email")
    assert check.observed == pytest.approx(1 / 600)


def test_an_accepted_share_of_personal_values_passes(shop, replace_column) -> None:
    """The setting allows what the default does not."""
    synthetic = shop.table("customers")
    leaked = pq.read_table(shop.real["customers"])["email"][5].as_py()
    emails = [leaked, *synthetic["email"].to_pylist()[1:]]
    gates = Gates(privacy=PrivacyGates(pii_values=0.01))
    assert shop.judge_instead("customers", replace_column(synthetic, "email", emails), gates).passed


def test_common_names_are_not_looked_for(shop) -> None:
    """A first name that hundreds share identifies nobody."""
    assert set(shop.profiles["customers"].pii) == {"email"}


def test_nearly_unique_names_only_warn(judge_alone, tmp_path: Path) -> None:
    """Names coincide by chance, so a real one is a note."""
    metadata = Metadata({"t": Table("t", {"name": Column("name", "name", pii=True)})})
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"name": [f"Name {i}" for i in range(50)]}), path)
    verdict = judge_alone(metadata, path, path)
    assert verdict.passed
    assert ("real personal values", 1.0) in {(c.name, c.observed) for c in verdict.warnings}


def test_empty_texts_are_no_personal_values(judge_alone, tmp_path: Path) -> None:
    """Blank addresses on both sides are not a leak."""
    metadata = Metadata({"t": Table("t", {"email": Column("email", "email", pii=True)})})
    paths = tmp_path / "a.parquet", tmp_path / "b.parquet"
    for side, path in zip("ab", paths, strict=True):
        emails = [f"{side}{i}@example.org" for i in range(50)] + ["", " ", None]
        pq.write_table(pa.table({"email": emails}), path)
    assert judge_alone(metadata, *paths).passed


def test_a_kept_table_is_listed_and_not_judged_for_privacy(shop) -> None:
    """A table published as it is passes, and the verdict says plainly what it is."""
    real = pq.read_table(shop.real["customers"])
    verdict = shop.judge_instead("customers", real, kept=True)
    assert verdict.passed
    (note,) = [c for c in verdict.checks if c.kind == "privacy"]
    assert (note.name, note.status, note.observed) == ("real rows", "warned", "kept")


def test_a_canary_appears_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Values of the real data are in neither verdict, report, scorecard, shapes nor logs.

    The synthetic table leaks them and breaks every kind of check.
    """
    caplog.set_level(logging.INFO)
    metadata, real, synthetic = _planted(tmp_path)
    profile = profile_table(real, metadata.tables["t"], metadata)
    sides = Sides.without_holdout(metadata, {"t": real}, {"t": synthetic})
    table = judge_table("t", sides, profile, Gates())
    judged = judge_snapshot(sides, Gates(), {"t": table})
    shapes = table_shapes(metadata.tables["t"], profile, synthetic)
    rows = {"t": (100, 100)}
    content = report_content(
        "p",
        metadata,
        judged.verdict,
        datetime(2026, 1, 1, tzinfo=UTC),
        rows=rows,
        quality=judged.quality,
        scores=judged.scores,
        columns=all_columns(metadata, {"t": real}, {"t": synthetic}),
        pairs=all_pairs(metadata, {"t": real}, {"t": synthetic}),
    )
    report = write_report(tmp_path / "report.html", content, "public")
    written = [
        json.dumps(judged.verdict.to_dict()),
        report.read_text(),
        scorecard_markdown(judged.verdict, judged.quality, rows),
        repr(shapes),
        caplog.text,
    ]
    assert not judged.verdict.passed
    assert [part for part in written if CANARY in part or "987654" in part] == []


def _planted(folder: Path) -> tuple[Metadata, Path, Path]:
    columns = {
        "key": Column("key", "categorical"),
        "email": Column("email", "email", pii=True),
        "kind": Column("kind", "categorical"),
        "amount": Column("amount", "numerical"),
        "typed": Column("typed", "numerical"),
    }
    metadata = Metadata({"t": Table("t", columns, ("key",))})
    real = pa.table(
        {
            "key": [CANARY, *(f"k{i}" for i in range(99))],
            "email": [CANARY, *(f"e{i}" for i in range(99))],
            "kind": [CANARY] * 30 + ["b"] * 70,
            "amount": [CANARY_NUMBER, *np.arange(99.0)],
            "typed": [CANARY_NUMBER, *np.arange(99.0)],
        }
    )
    broken = {"key": [CANARY] * 100, "email": [CANARY] * 100, "kind": [CANARY] * 100}
    synthetic = pa.table({**broken, "amount": [CANARY_NUMBER] * 100, "typed": [CANARY] * 100})
    paths = folder / "real.parquet", folder / "synthetic.parquet"
    for table, path in zip((real, synthetic), paths, strict=True):
        pq.write_table(table, path)
    return metadata, *paths
