"""Take the pictures of docs/report.md: a report of real data, in a real browser.

    python tests/benchmarks/report_pictures.py

It trains on three quarters of sakila, judges what is made against what was held out, writes both
editions, and keeps pictures of the private one at desktop and phone width.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
from judged import Divided, divide, judge
from PIL import Image
from places import REPO, SHARED, prefect_synth
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from prefect_synth.expectations.report import write_report
from prefect_synth.expectations.report_build import (
    all_columns,
    all_degrees,
    all_distances,
    all_pairs,
    report_content,
)
from prefect_synth.expectations.report_content import ReportContent
from prefect_synth.expectations.report_identity import run_identity
from prefect_synth.flows.evaluation import find_tables

DATA = SHARED / "data" / "sakila"
KEPT = ("category", "city", "country", "language")
IMAGES = REPO / "docs" / "images"
PICTURES = {
    # by name: width, from where, how high, and which table is unfolded
    "report": (1400, 0, 1500, None),
    "report-table": (1400, "#tables", 1900, 7),
    "report-phone": (390, 0, 1500, None),
}


def main() -> None:
    """Make a report and look at it."""
    with tempfile.TemporaryDirectory() as folder:
        content = made_content(Path(folder))
        write_report(Path(folder) / "public.html", content, "public")
        page = write_report(Path(folder) / "private.html", content, "private")
        with opened(Path(folder) / "profile") as browser:
            for name in PICTURES:
                size = take(browser, page, name)
                print(f"{name}: {size / 1000:.0f} kB")


def made_content(folder: Path) -> ReportContent:
    """Train, sample and judge, as a refresh does."""
    parts = divide(DATA, folder, 0, (0.1, 0.15))
    shutil.copy(DATA / "metadata.json", folder / "training")
    keep = [word for name in KEPT for word in ("--keep", name)]
    prefect_synth("synthesize", folder / "training", folder / "made", *keep)
    sides = replace(parts.sides, synthetic=find_tables(folder / "made"))
    judgement = judge(Divided(sides, frozenset(KEPT)))
    metadata, real, made = sides.metadata, sides.training, sides.synthetic
    quality = judgement.quality
    rows = {
        name: (pq.read_metadata(real[name]).num_rows, pq.read_metadata(made[name]).num_rows)
        for name in metadata.tables
    }
    return report_content(
        "sakila",
        metadata,
        judgement.verdict,
        datetime(2026, 11, 28, 2, 15, tzinfo=UTC),
        rows=rows,
        snapshot="20261128-021500",
        identity=run_identity(0),
        quality=quality,
        scores=judgement.scores,
        columns=all_columns(metadata, real, made, sides.holdout, quality),
        pairs=all_pairs(metadata, real, made, quality),
        degrees=all_degrees(metadata, sides.whole, made, quality),
        privacy=all_distances(metadata, real, made, sides.holdout, KEPT),
        shared=sides.shared,
        kept=KEPT,
    )


def opened(profile: Path) -> webdriver.Chrome:
    """Headless Chromium."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--hide-scrollbars",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(flag)
    return webdriver.Chrome(options=options, service=Service(str(shutil.which("chromedriver"))))


def take(browser: webdriver.Chrome, page: Path, name: str) -> int:
    """Take a picture of a part of a page, and keep it in few colours."""
    width, start, height, table = PICTURES[name]
    size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(page.as_uri())
    if table is not None:
        browser.execute_script(f"document.getElementById('table-{table}').open = true")
    if isinstance(start, str):
        place = "return document.querySelector(arguments[0]).getBoundingClientRect().top + scrollY"
        start = browser.execute_script(place, start) - 24
    clip = {"x": 0, "y": start, "width": width, "height": height, "scale": 1}
    taken = browser.execute_cdp_cmd(
        "Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip}
    )
    picture = Image.open(io.BytesIO(b64decode(taken["data"]))).convert("RGB")
    IMAGES.mkdir(exist_ok=True)
    picture.save(IMAGES / f"{name}.png", optimize=True)
    return (IMAGES / f"{name}.png").stat().st_size


if __name__ == "__main__":
    main()
