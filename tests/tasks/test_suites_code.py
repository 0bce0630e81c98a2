"""What verdicts depend on beside rows: the code of expectations, and the libraries that judge."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefect_synth.tasks import prints
from prefect_synth.tasks.suites import UserChecks


def told(base: Path, *modules: str) -> tuple[str, str]:
    """The fingerprint of a table's checks, and that of all checks."""
    checks = UserChecks(base=base, folder=base / "suites", modules=modules)
    return checks.fingerprint("orders"), checks.whole_fingerprint()


@pytest.mark.parametrize(
    "file", ["shop_checks.py", "shop_limits.py", "limits/__init__.py", "limits/deep/of_orders.py"]
)
def test_any_code_of_the_project_counts(tmp_path: Path, file: str) -> None:
    """A module of expectations, what it imports, and packages: each makes verdicts anew."""
    (tmp_path / "shop_checks.py").write_text("import shop_limits, limits.deep.of_orders\n")
    before = told(tmp_path, "shop_checks")
    assert told(tmp_path, "shop_checks") == before
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text("LIMIT = 2\n")
    after = told(tmp_path, "shop_checks")
    assert [now != then for now, then in zip(after, before, strict=True)] == [True, True]


def test_code_that_no_expectation_can_be_made_of_does_not_count(tmp_path: Path) -> None:
    """Without modules no code is looked at; hidden folders and environments never are."""
    (tmp_path / "shop_checks.py").write_text("")
    without, before = told(tmp_path), told(tmp_path, "shop_checks")
    for folder in (".hidden", "environment"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "found.py").write_text("")
    (tmp_path / "environment" / "pyvenv.cfg").write_text("")
    assert told(tmp_path, "shop_checks") == before
    (tmp_path / "shop_checks.py").write_text("LIMIT = 2")
    assert told(tmp_path) == without


def test_a_module_from_elsewhere_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it lies beside the project: all of its package is looked at."""
    (tmp_path / "elsewhere" / "company_checks").mkdir(parents=True)
    package = tmp_path / "elsewhere" / "company_checks"
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(package.parent)
    project = tmp_path / "project"
    project.mkdir()
    before = told(project, "company_checks")
    (package / "limits.py").write_text("LIMIT = 2")
    assert told(project, "company_checks") != before


def test_libraries_that_judge_count() -> None:
    """Fingerprints of rows name what measures them, each with its version."""
    assert {word.split(" ")[0] for word in prints.judges().split(", ")[1:]} == {
        "great-expectations", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy"
    }  # fmt: skip
