"""Prefect's pages in a browser: the run, its tasks and its artifacts are seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

OUTPUT = Path(__file__).parents[2] / "ci-output"
pytestmark = pytest.mark.browser


class Page:
    """A page of Prefect's interface."""

    def __init__(self, browser: webdriver.Chrome, wait: Any) -> None:
        self.browser, self.wait = browser, wait

    @property
    def text(self) -> str:
        """What a person reads."""
        return str(self.browser.find_element(By.TAG_NAME, "body").text)

    def open(self, url: str, *expected: str) -> None:
        """Open a page and wait until it shows all of `expected`."""
        self.browser.get(url)
        self.shows(*expected)

    def press(self, label: str) -> None:
        """Press a tab."""
        tab = f"//*[@role='tab'][contains(., '{label}')]"
        self.wait(lambda: self.browser.find_elements(By.XPATH, tab), 60)
        self.browser.find_element(By.XPATH, tab).click()

    def shows(self, *expected: str) -> None:
        """Wait until the page shows all of `expected`."""
        try:
            self.wait(lambda: all(part in self.text for part in expected), 60)
        except TimeoutError:
            self.keep("browser-failure")
            pytest.fail(f"{self.browser.current_url} does not show {expected}, but: {self.text}")

    def keep(self, name: str) -> None:
        """Keep a picture of the page, once what it was loading is there."""
        self.wait(lambda: not self.browser.find_elements(By.CSS_SELECTOR, ".animate-pulse"), 60)
        OUTPUT.mkdir(exist_ok=True)
        self.browser.save_screenshot(str(OUTPUT / f"{name}.png"))


@pytest.fixture
def page(browser: webdriver.Chrome, wait: Any) -> Page:
    """The browser's page."""
    return Page(browser, wait)


@pytest.fixture
def run(served: Any, wait: Any) -> dict[str, Any]:
    """A published run of the served shop."""
    found: dict[str, Any] = wait(lambda: served.runs(state={"name": {"any_": ["Published"]}}))[0]
    return found


def artifact(served: Any, run: dict[str, Any], key: str) -> str:
    """The page of an artifact of a run."""
    found = served.ask("artifacts/filter")
    [one] = [a["id"] for a in found if (a["key"], a["flow_run_id"]) == (key, run["id"])]
    return f"{served.url}/v2/artifacts/artifact/{one}"


def test_the_list_of_runs_shows_the_run(served: Any, run: dict[str, Any], page: Page) -> None:
    """A published run is told from others by its state's name."""
    page.open(f"{served.url}/v2/runs", run["name"])
    page.keep("prefect-runs")


def test_the_run_shows_its_tasks(served: Any, run: dict[str, Any], page: Page) -> None:
    """Each table's pull, training and validation has a name."""
    page.open(f"{served.url}/v2/runs/flow-run/{run['id']}", run["name"], "Published")
    page.wait(lambda: page.browser.find_elements(By.TAG_NAME, "canvas"), 60)
    page.keep("prefect-flow-run")
    page.press("Task Runs")
    page.shows("train[orders]", "validate[orders]")
    page.keep("prefect-task-runs")


def test_the_run_shows_its_artifacts(served: Any, run: dict[str, Any], page: Page) -> None:
    """Scorecard and drawing are there."""
    page.open(f"{served.url}/v2/runs/flow-run/{run['id']}", run["name"])
    page.press("Artifacts")
    page.shows("shop-scorecard", "shop-schema")
    page.keep("prefect-artifacts")


def test_the_scorecard_can_be_read(served: Any, run: dict[str, Any], page: Page) -> None:
    """Verdict, scores and tables are on one page."""
    page.open(artifact(served, run, "shop-scorecard"), "Scorecard of shop", "Quality", "orders")
    page.keep("prefect-scorecard")


def test_the_schema_is_drawn(served: Any, run: dict[str, Any], page: Page) -> None:
    """The tables stand in a drawing, not in a block of code."""
    page.open(artifact(served, run, "shop-schema"), "Schema of shop", "order_items")
    page.wait(lambda: page.browser.find_elements(By.CSS_SELECTOR, "svg[aria-roledescription=er]"))
    page.keep("prefect-schema")


def test_the_deployment_shows_its_schedule(served: Any, run: dict[str, Any], page: Page) -> None:
    """The nightly refresh is found with its schedule."""
    page.open(f"{served.url}/v2/deployments", "shop", "refresh")
    page.keep("prefect-deployments")
