"""The report in a real browser: wide tables and large schemas stay readable, on a phone too."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from selenium.webdriver import Chrome

from prefect_synth.expectations.report import write_report
from prefect_synth.expectations.report_build import (
    all_columns,
    all_degrees,
    all_pairs,
    report_content,
)
from prefect_synth.expectations.report_content import ReportContent
from prefect_synth.expectations.scores import Score
from prefect_synth.expectations.verdict import Check, Verdict
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table

OUTPUT = Path(__file__).parents[2] / "ci-output"
DESKTOP, PHONE = 1400, 390
ROWS, NUMBERS, CATEGORIES, TABLES = 600, 80, 20, 40

SMALLEST_LETTER = """
const seen = [...document.querySelectorAll('body *')].filter(e => e.checkVisibility()
  && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())
  && !['TITLE', 'STYLE'].includes(e.tagName.toUpperCase()));
const sizes = seen.map(e => {
  const matrix = e.getScreenCTM ? e.getScreenCTM() : null;
  return parseFloat(getComputedStyle(e).fontSize) * (matrix ? matrix.a : 1);
});
return Math.min(...sizes);
"""

pytestmark = pytest.mark.browser


def _wide(seed: int) -> pa.Table:
    """A hundred columns in eight groups that depend on each other."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(ROWS, 8))
    noise = rng.normal(size=(ROWS, NUMBERS))
    numbers = {f"measure_of_thing_{i}": base[:, i % 8] + noise[:, i] for i in range(NUMBERS)}
    names = np.array(["a long name of a category", "beta", "gamma", "delta"])
    places = np.clip(base + 2, 0, 3).astype(int)
    kinds = {f"kind_{i}": names[places[:, i % 8]] for i in range(CATEGORIES)}
    return pa.table({**numbers, **kinds})


def _schema() -> Metadata:
    """The wide table, and others in a tree, some with a second parent."""
    wide = {
        name: Column(name, "numerical" if name.startswith("measure") else "categorical")
        for name in _wide(0).column_names
    }
    keys = {name: Column(name, "id") for name in ("id", "first_parent_id", "second_parent_id")}
    names = ["wide", *(f"a_table_with_a_long_name_{i}" for i in range(1, TABLES))]
    tables = {
        name: Table(name, keys if i else {**keys, **wide}, ("id",)) for i, name in enumerate(names)
    }
    ways = [(names[i], "first_parent_id", names[i // 2]) for i in range(1, TABLES)]
    ways += [(names[i], "second_parent_id", names[i // 5]) for i in range(6, TABLES, 3)]
    return Metadata(
        tables, tuple(Relationship(child, (key,), parent, ("id",)) for child, key, parent in ways)
    )


def _keys() -> dict[str, Any]:
    ids = np.arange(ROWS)
    return {"id": ids, "first_parent_id": ids // 2, "second_parent_id": ids // 5}


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> ReportContent:
    """A report of a hundred columns and of forty tables."""
    metadata, folder = _schema(), tmp_path_factory.mktemp("wide")
    sides: list[Mapping[str, Path]] = []
    for seed in range(2):
        paths = {name: folder / f"{name}.{seed}.parquet" for name in metadata.tables}
        for name, path in paths.items():
            rows = pa.table(_keys() | (dict(_wide(seed).to_pydict()) if name == "wide" else {}))
            pq.write_table(rows, path)
        sides.append(paths)
    checks = [
        Check("primary key", name, "id", "structure", 0, "0 duplicates", "passed")
        for name in metadata.tables
    ]
    checks.append(Check("foreign key", "wide", "id", "structure", 3, "0 orphans", "failed"))
    quality = [Score("quality", "fidelity", 0.9, name, ceiling=0.95) for name in metadata.tables]
    scores = [
        Score("quality", "fidelity", 0.912, ceiling=0.95, last=0.9),
        Score("membership", "privacy", 0.52, best=0.5, error=0.02),
        *quality,
    ]
    return report_content(
        "forty tables",
        metadata,
        Verdict(tuple(checks)),
        datetime(2026, 11, 28, 2, 15, tzinfo=UTC),
        rows=dict.fromkeys(metadata.tables, (ROWS, ROWS)),
        snapshot="20261128-021500",
        scores=scores,
        columns=all_columns(metadata, *sides, sides[0]),
        pairs=all_pairs(metadata, *sides),
        degrees=all_degrees(metadata, *sides),
    )


@pytest.fixture(params=["private", "public"])
def report(request: pytest.FixtureRequest, content: ReportContent, tmp_path: Path) -> Path:
    """The file of an edition."""
    return write_report(tmp_path / f"report-{request.param}.html", content, request.param)


def look(browser: Chrome, page: Path, width: int) -> None:
    """Open a page at a width, keep a picture of it with a table unfolded, and unfold all of it."""
    size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get_log("performance")  # what was before is not asked for by this page
    browser.get(page.as_uri())
    browser.execute_script("document.querySelector('details.table').open = true")
    picture = browser.execute_cdp_cmd(
        "Page.captureScreenshot",
        {
            "captureBeyondViewport": True,
            "clip": {"x": 0, "y": 0, "width": width, "height": 8_000, "scale": 1},
        },
    )
    OUTPUT.mkdir(exist_ok=True)
    name = f"{page.stem}-{width}.png"
    (OUTPUT / name).write_bytes(base64.b64decode(picture["data"]))
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_the_page_does_not_scroll_sideways(browser: Chrome, report: Path, width: int) -> None:
    """Nothing is wider than the window, with all tables unfolded; only cards scroll inside."""
    look(browser, report, width)
    wide = browser.execute_script("return document.documentElement.scrollWidth")
    assert wide <= browser.execute_script("return window.innerWidth") == width


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_every_letter_can_be_read(browser: Chrome, report: Path, width: int) -> None:
    """Labels of forty tables and of a hundred columns are at least nine pixels as drawn."""
    look(browser, report, width)
    assert browser.execute_script(SMALLEST_LETTER) >= 9


def test_the_browser_loads_and_complains_of_nothing(browser: Chrome, report: Path) -> None:
    """The one request is for the file itself; the policy forbids nothing that is used."""
    look(browser, report, DESKTOP)
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
    assert browser.get_log("browser") == []


def test_pictures_of_cells_are_drawn(browser: Chrome, report: Path) -> None:
    """The heat maps of a hundred columns have a size, so that the policy lets them through."""
    look(browser, report, DESKTOP)
    sizes = browser.execute_script(
        "return [...document.querySelectorAll('.heat image')].map(i => i.getBBox().width)"
    )
    assert len(sizes) == 3
    assert min(sizes) >= 280


def test_a_dark_page_has_a_dark_ground(browser: Chrome, report: Path) -> None:
    """The page follows what the reader's system prefers."""
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    look(browser, report, DESKTOP)
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert ground == "rgb(19, 23, 26)"
