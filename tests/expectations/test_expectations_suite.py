"""Suites as JSON, and the engine that runs them."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.expectations.batch import numpy_frame, read_batch
from prefect_synth.expectations.engine import run_suite
from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.suite import build_suite


def suite_of(shop, table: str, gates: Gates | None = None) -> dict:
    """The generated suite of a table of the shop."""
    schema = shop.table(table).schema
    return build_suite(
        shop.metadata.tables[table], shop.metadata, schema, shop.profiles[table], gates or Gates()
    )


def test_a_suite_survives_strict_json(shop) -> None:
    """A suite is plain JSON without NaN."""
    suite = suite_of(shop, "customers")
    text = json.dumps(suite, allow_nan=False)
    assert json.loads(text) == suite


def test_a_suite_that_went_through_json_runs(shop) -> None:
    """The file in private staging is what runs, datetimes included."""
    suite = json.loads(json.dumps(suite_of(shop, "customers")))
    batch = read_batch(shop.synthetic["customers"], 1_000, 0)
    hashes = shop.profiles["customers"].copies.hashes
    table = shop.metadata.tables["customers"]
    checks = run_suite(suite, table, shop.metadata, batch, shop.synthetic, hashes)
    assert {check.status for check in checks} == {"passed"}
    assert len(checks) == len(suite["expectations"])


def test_ids_survive_changed_thresholds(shop) -> None:
    """A looser gate changes digests, never ids, so that edits by hand can be merged."""
    strict, loose = (
        suite_of(shop, "orders", Gates.model_validate({"columns": {"ks": ks}})) for ks in (0.9, 0.5)
    )
    ids = [[e["id"] for e in suite["expectations"]] for suite in (strict, loose)]
    digests = [
        [e["meta"]["prefect_synth"]["digest"] for e in s["expectations"]] for s in (strict, loose)
    ]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(ids[0])
    assert digests[0] != digests[1]


def test_tables_are_judged_alike_in_threads(shop) -> None:
    """Four at once say what one by one say."""
    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(shop.judge, ["customers", "orders", "reviews", "orders"]))
    assert at_once == [shop.judge(t) for t in ["customers", "orders", "reviews", "orders"]]


def test_judging_prints_nothing(shop, capfd: pytest.CaptureFixture[str]) -> None:
    """No progress bar and no notice reaches the terminal."""
    shop.judge("orders")
    assert capfd.readouterr() == ("", "")


def test_great_expectations_is_imported_only_to_run() -> None:
    """Gate, suite and report load in a moment: the engine waits until a suite runs."""
    code = (
        "import sys\n"
        "import prefect_synth.expectations.gate, prefect_synth.expectations.report\n"
        "print('great_expectations' in sys.modules, 'matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"


def test_importing_the_engine_emits_no_warning() -> None:
    """Great Expectations' own deprecation stays inside."""
    code = "from prefect_synth.expectations.engine import great_expectations as g; g()"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


def test_a_frame_keeps_large_integers_exact() -> None:
    """A nullable 64-bit key above 2**53 is not rounded into a duplicate."""
    frame = numpy_frame(pa.table({"id": [2**60, 2**60 + 1, None]}))
    assert frame["id"].tolist()[:2] == [2**60, 2**60 + 1]


def test_a_frame_takes_every_type() -> None:
    """Types without a NumPy counterpart keep at least their nulls."""
    table = pa.table(
        {
            "list": pa.array([[1], None]),
            "struct": pa.array([{"a": 1}, None]),
            "bytes": pa.array([b"a", None]),
            "time": pa.array([1, None], pa.time64("us")),
            "span": pa.array([1, None], pa.duration("us")),
            "uint": pa.array([1, None], pa.uint64()),
            "flag": pa.array([True, None]),
            "null": pa.nulls(2),
        }
    )
    expected = [0, 1]
    frame = numpy_frame(table)
    found = {name: frame[name].isna().astype(int).tolist() for name in frame}
    assert found.pop("null") == [1, 1]
    assert all(nulls == expected for nulls in found.values())


def test_a_sample_is_seeded(shop) -> None:
    """The same seed draws the same rows, in their order; another seed draws others."""
    first, again, other = (
        read_batch(shop.synthetic["orders"], 100, seed).table["id"].to_numpy() for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(first, np.sort(first))
