"""Prefect's pages in a browser: three nights, their runs, tasks, logs and artifacts are seen.

One server, which serves a shop by its schedule. On it, a smaller shop has a night whose gate fails,
a good one, and one on which the warehouse has a new column that nobody has accepted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from selenium import webdriver
from selenium.webdriver.common.by import By

OUTPUT = Path(__file__).parents[2] / "ci-output"
ELSEWHERE = r"""
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const here = new RegExp(arguments[0] + "/[^/\\s']+", "g");
while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replace(here, "/srv/shop");
"""
pytestmark = pytest.mark.browser


class Page:
    """A page of Prefect's interface."""

    def __init__(self, browser: webdriver.Chrome, wait: Any, folders: Path) -> None:
        self.browser, self.wait, self.folders = browser, wait, folders

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

    def scroll_to(self, heading: str) -> None:
        """Bring a heading to the top, as for a picture."""
        found = self.browser.find_element(By.XPATH, f"//h2[contains(., '{heading}')]")
        self.browser.execute_script("arguments[0].scrollIntoView()", found)

    def choose(self, box: str, option: str) -> None:
        """Choose from a drop-down box, by the words that it shows."""
        for role, words in (("combobox", box), ("option", option)):
            self.wait(lambda role=role, words=words: self._press(role, words), 60)

    def _press(self, role: str, words: str) -> bool:
        """Press the element of a role that shows some words, if it is there."""
        found = self.browser.find_elements(By.CSS_SELECTOR, f"[role={role}]")
        shown = [element for element in found if words in element.text]
        for element in shown[:1]:
            element.click()
        return bool(shown)

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
        self.wait(self._names_no_folder_of_ours, 60)
        self.browser.save_screenshot(str(OUTPUT / f"{name}.png"))

    def _names_no_folder_of_ours(self) -> bool:
        """Replace the folders of the tests, so that a picture does not show them."""
        self.browser.execute_script(ELSEWHERE, re.escape(str(self.folders)))
        return str(self.folders) not in self.text


@pytest.fixture
def page(browser: webdriver.Chrome, wait: Any, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The browser's page."""
    return Page(browser, wait, tmp_path_factory.getbasetemp())


@pytest.fixture
def run(served: Any, wait: Any) -> dict[str, Any]:
    """A published run of the served shop."""
    found: dict[str, Any] = wait(lambda: served.runs(state={"name": {"any_": ["Published"]}}))[0]
    return found


SECRET = "078-05-1120"

Run = dict[str, Any]


@dataclass(frozen=True)
class Nights:
    """Runs of one project, one after the other."""

    refused: Run
    good: Run
    drifted: Run


@pytest.fixture(scope="module")
def nights(served: Any, shop_factory: Any, tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """A night whose gate fails, a good one, and one with a new column in the warehouse."""
    shop = shop_factory(tmp_path_factory.mktemp("nights"))
    shop.execute("DROP TABLE order_items; DROP TABLE products")
    with temporary_settings({PREFECT_API_URL: f"{served.url}/api"}):
        shop.configure("gates: {quality: {min: 1.0}}\n")
        refused = night(served, shop, "Rejected", reason="nightly")
        shop.configure()
        good = night(served, shop, "Published", reason="nightly")
        shop.execute(f"ALTER TABLE customers ADD COLUMN ssn VARCHAR DEFAULT '{SECRET}'")
        drifted = night(served, shop, "Published", reason="schema-change", tables=["customers"])
    return Nights(refused, good, drifted)


def night(served: Any, shop: Any, end: str, **parameters: Any) -> Run:
    """Refresh a shop on the served server: the run, as its API has it."""
    from prefect_synth.flows.refresh import refresh

    state = refresh(str(shop.file), **parameters, return_state=True)
    assert state.name == end, state.message
    [run] = served.runs(id={"any_": [str(state.state_details.flow_run_id)]})
    return dict(run)


def artifact(served: Any, run: Run, key: str) -> str:
    """The page of an artifact of a run."""
    found = served.ask("artifacts/filter", artifacts={"flow_run_id": {"any_": [run["id"]]}})
    [one] = [a["id"] for a in found if a["key"] == key]
    return f"{served.url}/v2/artifacts/artifact/{one}"


def run_page(served: Any, run: Run) -> str:
    """The page of a run; its log is what it opens with."""
    return f"{served.url}/v2/runs/flow-run/{run['id']}"


def test_the_list_of_runs_shows_the_run(served: Any, run: dict[str, Any], page: Page) -> None:
    """A published run is told from others by its state's name."""
    page.open(f"{served.url}/v2/runs", run["name"])
    page.keep("prefect-runs")


def test_the_run_shows_its_tasks(served: Any, run: dict[str, Any], page: Page) -> None:
    """Each table's pull, training and validation has a name."""
    page.open(run_page(served, run), run["name"], "Published")
    page.wait(lambda: page.browser.find_elements(By.TAG_NAME, "canvas"), 60)
    page.keep("prefect-flow-run")
    page.press("Task Runs")
    page.shows("train[orders]", "validate[orders]")
    page.keep("prefect-task-runs")


def test_the_run_shows_its_artifacts(served: Any, run: dict[str, Any], page: Page) -> None:
    """Scorecard and drawing are there."""
    page.open(run_page(served, run), run["name"])
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


def test_the_list_tells_the_nights_apart(served: Any, nights: Nights, page: Page) -> None:
    """Names say why and for which tables a run was started, states what it came to."""
    page.open(f"{served.url}/v2/runs", nights.drifted["name"], "Rejected", "Published")
    assert "shop · schema-change · customers · " in nights.drifted["name"]
    assert "shop" in nights.drifted["tags"]
    page.keep("prefect-nights")


def test_a_failed_gate_says_which_check_and_what_to_do(
    served: Any, nights: Nights, page: Page
) -> None:
    """State, and a log whose errors are check, figure, threshold and remedy."""
    page.open(run_page(served, nights.refused), nights.refused["name"], "Rejected")
    page.choose("Level", "Error and above")
    page.shows("quality failed: found 0.", "required: at least 1", "Nothing was published")
    page.keep("prefect-refused")


def test_the_scorecard_shows_how_the_figures_moved(served: Any, nights: Nights, page: Page) -> None:
    """The last runs stand in a table, the refused one among them."""
    page.open(artifact(served, nights.drifted, "shop-scorecard"), "Against the last runs")
    page.shows("Rejected", "Published", "failed checks")
    page.scroll_to("Against the last runs")
    page.keep("prefect-history")


def test_a_drift_is_a_table_with_its_remedy(served: Any, nights: Nights, page: Page) -> None:
    """What moved, what comes of it, and what to type to accept it."""
    page.open(artifact(served, nights.drifted, "shop-drift"), "Drift of shop", "customers.ssn")
    page.shows("held: published as NULL", "prefect-synth drift accept customers.ssn")
    page.keep("prefect-drift")


def test_the_drawing_marks_the_held_column(served: Any, nights: Nights, page: Page) -> None:
    """A column that is not accepted is told from the others."""
    page.open(artifact(served, nights.drifted, "shop-schema"), "Schema of shop")
    page.shows("held: NULL until accepted")
    page.keep("prefect-held")


def test_a_good_night_says_what_each_step_did(served: Any, nights: Nights, page: Page) -> None:
    """The log has a line for each step, with counts and seconds."""
    page.open(run_page(served, nights.good), nights.good["name"], "Published", "Pulled 2 tables")
    log = "\n".join(
        line["message"]
        for line in served.ask("logs/filter", logs={"flow_run_id": {"any_": [nights.good["id"]]}})
    )
    for said in ("Pulled 2 tables, 620 rows in ", "Sampled 2 tables, 620 rows in ", "Judged in "):
        assert said in log
    assert "of 2 are known from before" in log


def test_no_value_of_the_new_column_is_on_any_page(served: Any, nights: Nights) -> None:
    """Neither artifacts, nor logs, nor events, nor runs hold what the held column holds."""
    kinds = ("artifacts", "logs", "events", "flow_runs", "task_runs")
    told = {kind: str(served.ask(f"{kind}/filter", limit=200)) for kind in kinds}
    assert "customers.ssn" in told["artifacts"]
    assert not [kind for kind, text in told.items() if SECRET in text]


def test_the_automations_are_seen(served: Any, run: Run, page: Page) -> None:
    """What starts what, by names that say so."""
    page.open(f"{served.url}/v2/automations", "shop: refresh what has changed")
    page.shows("shop: feed what was published", "shop: give up a run whose process is gone")
    page.keep("prefect-automations")
